//! Layers of a document, laid over each other.
//!
//! figment merges the layers; the trees of the layers then say where in its file each value stands.

use figment::value::{Dict, Map, Value};
use figment::{Error, Figment, Metadata, Profile, Provider};

use super::tree::{Content, Entry, Node, Place};

/// Whether the table at a dotted path replaces the one below it as a whole.
pub type Replaces<'a> = &'a dyn Fn(&str, &Node) -> bool;

/// One layer as figment sees it: its tables, with a mark for each value that replaces.
struct Layer<'a> {
    number: usize,
    node: &'a Node,
    replaces: Replaces<'a>,
}

impl Provider for Layer<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.number.to_string())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(Profile::Default.collect(dict(self.node, "", self.replaces)))
    }
}

fn dict(node: &Node, path: &str, replaces: Replaces) -> Dict {
    let entries = node.entries().unwrap_or_default();
    entries
        .iter()
        .map(|Entry { key, value, .. }| {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let merges = value.entries().is_some() && !replaces(&path, value);
            let value = match merges {
                true => Value::from(dict(value, &path, replaces)),
                false => Value::from(0u8),
            };
            (key.clone(), value)
        })
        .collect()
}

/// Lays the layers over each other, the lowest first. Tables merge, lists and plain values replace, and so
/// do the tables that `replaces` names.
pub fn merge(layers: &[Node], replaces: Replaces) -> Node {
    let mut figment = Figment::new();
    for (number, node) in layers.iter().enumerate() {
        figment = figment.merge(Layer { number, node, replaces });
    }
    let merged: Dict = figment.extract().expect("layers are tables of marks");
    let all: Vec<&Node> = layers.iter().collect();
    let content = collect(&merged, &all);
    // What stands in no layer is missed in the file that was asked for.
    let place = layers.last().map_or(Place::Set("".into()), |node| node.place.clone());
    Node { content, place }
}

/// The merged table over the tables that `layers` have in its place, lowest first.
fn collect(merged: &Dict, layers: &[&Node]) -> Content {
    let mut keys: Vec<&str> = Vec::new();
    for layer in layers {
        for entry in layer.entries().unwrap_or_default() {
            if !keys.contains(&entry.key.as_str()) {
                keys.push(&entry.key);
            }
        }
    }
    let mut table = Vec::new();
    for key in keys {
        let entries: Vec<&Entry> = layers.iter().filter_map(|layer| layer.entry(key)).collect();
        let (Some(highest), Some(value)) = (entries.last(), merged.get(key)) else { continue };
        let value = match value {
            Value::Dict(_, inner) => {
                let below: Vec<&Node> = entries.iter().map(|entry| &entry.value).collect();
                let content = collect(inner, &below);
                Node { content, place: highest.value.place.clone() }
            }
            _ => highest.value.clone(),
        };
        table.push(Entry { key: key.to_owned(), key_place: highest.key_place.clone(), value });
    }
    Content::Table(table)
}
