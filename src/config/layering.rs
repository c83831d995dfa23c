//! The layers of an experiment, lowest first: built-in defaults, the files named by `extends`, the
//! file, a profile, the environment, `--set`.
//!
//! figment merges the layers; the trees of the layers then say where in its file each value stands.
//! Tables merge, lists and plain values replace, and so do choices ([`CHOICES`]) and axes of a sweep:
//! `optimizer = { sgd = … }` over `{ adam = … }` is SGD, not both.
//! The environment and `--set` come last and may reach into lists, which figment cannot, so they
//! are put into the merged tree one by one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use figment::value::{Dict, Map, Value};
use figment::{Error, Figment, Metadata, Profile, Provider};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::path::KeyPath;
use super::presets;
use super::problem::{Problem, Problems};
use super::read::read;
use super::suggest;
use super::sweep;
use super::tree::{BUILT_IN, Content, Entry, Node, Place, SourceFile};

/// The lowest layer, an annotated document.
pub const DEFAULTS: &str = include_str!("defaults.toml");

/// Settings whose tables name one choice: a higher layer replaces them as a whole.
pub const CHOICES: [&str; 16] = [
    "data.source",
    "data.subset",
    "data.test",
    "data.normalise",
    "model.weights",
    "model.defaults.activation",
    "model.defaults.norm",
    "model.defaults.dropout",
    "model.defaults.init",
    "train.optimizer",
    "train.schedule",
    "train.early-stop",
    "train.class-weights",
    "train.clip",
    "sweep.prune",
    "transfer.weights",
];

/// Prefix of the environment's variables: `WICK_DATA__BATCH_SIZE` is `data.batch-size`.
pub const ENVIRONMENT_PREFIX: &str = "WICK_";

/// What the user asked for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The experiment file.
    pub file: PathBuf,
    /// The table under `[profile]` to lay over the file.
    pub profile: Option<String>,
    /// Variables of the environment, any; those with the prefix count.
    pub environment: Vec<(String, String)>,
    /// `key=value`, in order.
    pub sets: Vec<String>,
}

/// Reads and merges all layers.
pub fn load(request: &Request) -> Result<Node, Problems> {
    load_by(request, &|path| std::fs::read_to_string(path))
}

/// Gives the text of a file.
type ReadFile<'a> = dyn Fn(&Path) -> std::io::Result<String> + 'a;

/// As [`load`], with the text of files from `by`.
pub(super) fn load_by(request: &Request, by: &ReadFile) -> Result<Node, Problems> {
    let mut layers = vec![defaults()];
    files(&request.file, by, &mut Vec::new(), None, request.profile.as_deref(), &mut layers)?;
    finish(merge(&layers), &request.environment, &request.sets)
}

/// The built-in defaults with the preset `name` and `sets`: an experiment about a network alone.
pub fn preset(name: &str, sets: &[String]) -> Result<Node, Problems> {
    let mut all = vec![format!("model.preset={name}")];
    all.extend_from_slice(sets);
    finish(defaults(), &[], &all)
}

/// Lays the preset under the tree and puts values from outside into it.
fn finish(
    mut root: Node,
    environment: &[(String, String)],
    sets: &[String],
) -> Result<Node, Problems> {
    let mut problems = Problems::none();
    let mut environment: Vec<_> = environment
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(ENVIRONMENT_PREFIX)?, name, value)))
        .collect();
    environment.sort();
    let mut puts = Vec::new();
    for (key, name, value) in environment {
        let dotted = key.to_lowercase().replace("__", ".").replace('_', "-");
        puts.push((dotted, value.as_str(), Place::Environment(format!("{name}={value}").into())));
    }
    for set in sets {
        let place = Place::Set(set.as_str().into());
        match set.split_once('=') {
            Some((dotted, value)) => puts.push((dotted.trim().to_owned(), value, place)),
            None => problems.add(
                Problem::at(place, format!("\"{set}\" sets nothing"))
                    .label("no =")
                    .help("write --set train.epochs=3"),
            ),
        }
    }
    // The preset comes first, so that others can reach into it.
    let (presets, others): (Vec<_>, Vec<_>) =
        puts.into_iter().partition(|(dotted, _, _)| dotted == "model.preset");
    for (dotted, value, place) in presets {
        put(&mut root, &dotted, value, place, &mut problems);
    }
    if let Err(problem) = presets::apply(&mut root) {
        problems.add(problem.locate(&root));
    }
    for (dotted, value, place) in others {
        put(&mut root, &dotted, value, place, &mut problems);
    }
    if problems.is_empty() { Ok(root) } else { Err(problems) }
}

/// Pushes the layers of a file and of all it extends, lowest first.
fn files(
    path: &Path,
    by: &ReadFile,
    chain: &mut Vec<(PathBuf, PathBuf)>,
    named_at: Option<Place>,
    profile: Option<&str>,
    layers: &mut Vec<Node>,
) -> Result<(), Problems> {
    let identity = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let trouble = |message: String| match &named_at {
        Some(place) => Problem::at(place.clone(), message),
        None => Problem::value(KeyPath::root(), message),
    };
    if chain.iter().any(|(_, known)| *known == identity) {
        let names: Vec<String> = chain
            .iter()
            .map(|(name, _)| name.as_path())
            .chain([path])
            .map(|path| path.display().to_string())
            .collect();
        return Err(trouble("the file extends itself".to_owned())
            .label("closes the circle")
            .note(names.join(" → "))
            .into());
    }
    let text = by(path).map_err(|error| {
        let help = match error.kind() {
            std::io::ErrorKind::NotFound => "see experiments/ for examples",
            _ => "an experiment is a TOML file in UTF-8",
        };
        Problems::from(
            trouble(format!("failed to read {}: {error}", path.display()))
                .label("named here")
                .help(help),
        )
    })?;
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let source = SourceFile { path: path.display().to_string(), text, folder: folder.clone() };
    let mut node = parse(Arc::new(source))?;
    let profiles = take(&mut node, "profile").map(|entry| entry.value);
    let extends = take(&mut node, "extends").map(|entry| entry.value);
    chain.push((path.to_owned(), identity));
    if let Some(extends) = extends {
        let list = match extends.content {
            Content::Array(items) => items,
            _ => vec![extends],
        };
        for (index, item) in list.into_iter().enumerate() {
            let at = KeyPath::root().key("extends").index(index);
            let name = read::<String>(&item, &at).map_err(|problem| {
                Problems::from(Problem::at(item.place.clone(), problem.message()))
            })?;
            files(&folder.join(name), by, chain, Some(item.place), None, layers)?;
        }
    }
    chain.pop();
    layers.push(node);
    if let Some(name) = profile {
        layers.push(find_profile(name, profiles)?);
    }
    Ok(())
}

fn find_profile(name: &str, profiles: Option<Node>) -> Result<Node, Problems> {
    let mut profiles = profiles;
    let entries = match &mut profiles {
        Some(Node { content: Content::Table(entries), .. }) => std::mem::take(entries),
        _ => Vec::new(),
    };
    let names: Vec<String> = entries.iter().map(|entry| entry.key.clone()).collect();
    if let Some(entry) = entries.into_iter().find(|entry| entry.key == name) {
        return Ok(entry.value);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let message = format!("the file has no profile \"{name}\"");
    let problem = match profiles {
        Some(profiles) => Problem::at(profiles.place, message),
        None => Problem::value(KeyPath::root(), message),
    };
    let problem = match suggest::nearest(name, &names) {
        Some(near) => problem.label(format!("did you mean \"{near}\"?")),
        None => problem.label("profiles stand here"),
    };
    Err(problem
        .help(match names[..] {
            [] => format!("a profile is a table: [profile.{name}]"),
            _ => format!("the profiles are {}", names.join(", ")),
        })
        .into())
}

fn take(node: &mut Node, key: &str) -> Option<Entry> {
    match &mut node.content {
        Content::Table(entries) => {
            let index = entries.iter().position(|entry| entry.key == key)?;
            Some(entries.remove(index))
        }
        _ => None,
    }
}

/// Puts one value from the command line or the environment into the tree, making tables on the way.
fn put(root: &mut Node, dotted: &str, text: &str, place: Place, problems: &mut Problems) {
    // A tables' worth of missing parents is made: reading will find unknown keys and say so.
    let segments = KeyPath::split(dotted);
    for depth in 1..segments.len() {
        let above = segments[..depth].join(".");
        if root.look_up(&above).is_none() {
            let table = Node { content: Content::Table(Vec::new()), place: place.clone() };
            if let Err(problem) = root.set(&above, table, &KeyPath::root()) {
                problems.add(at_place(problem, place));
                return;
            }
        }
    }
    let content = match value(text) {
        Some(spanned) => match content(&spanned, &|_| place.clone()) {
            Ok(content) => content,
            Err((message, _)) => return problems.add(Problem::at(place, message)),
        },
        None => Content::String(text.to_owned()),
    };
    let node = Node { content, place: place.clone() };
    if let Err(problem) = root.set(dotted, node, &KeyPath::root()) {
        problems.add(at_place(problem, place));
    }
}

fn at_place(problem: Problem, place: Place) -> Problem {
    Problem::at(place, problem.message()).label("leads nowhere")
}

/// `text` as a TOML value; anything that is none is a string without quotes.
fn value(text: &str) -> Option<Spanned<DeValue<'_>>> {
    DeValue::parse(text.trim()).ok()
}

/// The built-in defaults as a tree.
pub(super) fn defaults() -> Node {
    parse(Arc::new(SourceFile {
        path: BUILT_IN.to_owned(),
        text: DEFAULTS.to_owned(),
        folder: PathBuf::new(),
    }))
    .expect("the built-in defaults are TOML")
}

/// The tree of one file.
pub(super) fn parse(source: Arc<SourceFile>) -> Result<Node, Problems> {
    let table = match DeTable::parse_recoverable(&source.text) {
        (table, errors) if errors.is_empty() => table,
        (_, errors) => {
            let mut problems = Problems::none();
            for error in errors {
                let end = source.text.len();
                let span = error.span().unwrap_or(end..end);
                let place = Place::File(source.clone(), span);
                problems.add(
                    Problem::at(place, format!("not TOML: {}", error.message()))
                        .label("the reader stopped here"),
                );
            }
            return Err(problems);
        }
    };
    let place = |span| Place::File(source.clone(), span);
    let value = Spanned::new(table.span(), DeValue::Table(table.into_inner()));
    match content(&value, &place) {
        // A problem with the whole file points at its first line.
        Ok(content) => Ok(Node { content, place: place(0..0) }),
        Err((message, span)) => {
            Err(Problem::at(place(span), message).label("not supported").into())
        }
    }
}

type Span = std::ops::Range<usize>;

fn content(
    value: &Spanned<DeValue>,
    place: &dyn Fn(Span) -> Place,
) -> Result<Content, (String, Span)> {
    Ok(match value.get_ref() {
        DeValue::String(text) => Content::String(text.to_string()),
        DeValue::Boolean(value) => Content::Boolean(*value),
        DeValue::Integer(number) => {
            let parsed = i64::from_str_radix(number.as_str(), number.radix());
            Content::Integer(parsed.map_err(|_| {
                (format!("the number {number} does not fit into 64 bits"), value.span())
            })?)
        }
        DeValue::Float(number) => {
            let parsed: f64 = number.as_str().parse().unwrap_or(f64::NAN);
            if !parsed.is_finite() {
                return Err((format!("{} is not a finite number", number.as_str()), value.span()));
            }
            Content::Float(parsed)
        }
        DeValue::Datetime(_) => {
            return Err(("dates have no meaning in an experiment".to_owned(), value.span()));
        }
        DeValue::Array(items) => {
            Content::Array(items.iter().map(|item| node(item, place)).collect::<Result<_, _>>()?)
        }
        DeValue::Table(entries) => {
            let mut table = Vec::with_capacity(entries.len());
            for (key, value) in entries {
                let key_place = place(key.span());
                let value = node(value, place)?;
                table.push(Entry { key: key.get_ref().to_string(), key_place, value });
            }
            Content::Table(table)
        }
    })
}

fn node(value: &Spanned<DeValue>, place: &dyn Fn(Span) -> Place) -> Result<Node, (String, Span)> {
    Ok(Node { content: content(value, place)?, place: place(value.span()) })
}

/// One layer as figment sees it: its tables, with a mark for each value that replaces.
struct Layer<'a> {
    number: usize,
    node: &'a Node,
}

impl Provider for Layer<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.number.to_string())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(Profile::Default.collect(dict(self.node, "")))
    }
}

fn dict(node: &Node, path: &str) -> Dict {
    let Content::Table(entries) = &node.content else { return Dict::new() };
    entries
        .iter()
        .map(|Entry { key, value, .. }| {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let is_axis = || path.starts_with("sweep.") && sweep::is_axis(value);
            let merges = matches!(value.content, Content::Table(_))
                && !CHOICES.contains(&path.as_str())
                && !is_axis();
            let value = if merges { Value::from(dict(value, &path)) } else { Value::from(0u8) };
            (key.clone(), value)
        })
        .collect()
}

/// Lays the layers over each other.
fn merge(layers: &[Node]) -> Node {
    let mut figment = Figment::new();
    for (number, node) in layers.iter().enumerate() {
        figment = figment.merge(Layer { number, node });
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
        if let Content::Table(entries) = &layer.content {
            for entry in entries {
                if !keys.contains(&entry.key.as_str()) {
                    keys.push(&entry.key);
                }
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
