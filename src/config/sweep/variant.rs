//! `[[sweep.list]]`: named variants.

use crate::basis::written::written;
use crate::document::{Content, Entry, KeyPath, Node, Problem, read};

/// A named set of settings.
#[derive(Clone, Debug)]
pub struct Variant {
    /// The name, the value of the column `variant`.
    pub name: String,
    /// Where it stands.
    pub at: KeyPath,
    /// Dotted paths and values.
    pub settings: Vec<(String, Node)>,
}

written!(Variant, "Variant", {
    "description": "Dotted paths and values under a name.",
    "type": "object",
    "properties": {
        "name": { "description": "The value of the column `variant`.", "type": "string" },
    },
    "required": ["name"],
    "additionalProperties": true,
});

pub(super) fn read_list(node: &Node, at: &KeyPath, problems: &mut Vec<Problem>) -> Vec<Variant> {
    let Content::Array(items) = &node.content else {
        problems.push(
            Problem::value(at.clone(), "sweep.list is a list of named variants")
                .label("not a list")
                .help("write [[sweep.list]] with a name and the settings of the variant"),
        );
        return Vec::new();
    };
    let mut variants: Vec<Variant> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let at = at.index(index);
        let name = item.get("name").map(|name| read::<String>(name, &at.key("name")));
        let (Some(entries), Some(name)) = (item.entries(), name) else {
            problems.push(
                Problem::value(at, "a variant is a table with a name")
                    .label("no name")
                    .help("for instance { name = \"wide\", \"model.layers.conv1.conv\" = 64 }"),
            );
            continue;
        };
        match name {
            Ok(name) if variants.iter().any(|variant| variant.name == name) => problems.push(
                Problem::value(at.key("name"), format!("two variants are named \"{name}\""))
                    .label("the second one"),
            ),
            Ok(name) => {
                let mut all = Entry::pairs(entries);
                all.retain(|(path, _)| path != "name");
                variants.push(Variant { name, at, settings: all });
            }
            Err(problem) => problems.push(problem),
        }
    }
    if items.is_empty() {
        problems.push(Problem::value(at.clone(), "sweep.list has no variants").label("empty"));
    }
    variants
}
