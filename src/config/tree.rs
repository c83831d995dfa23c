//! The experiment as a tree of values that know where they were written.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::layer::default_names;
use super::path::{KeyPath, Segment};
use super::problem::Problem;
use super::suggest;

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// The value.
    pub content: Content,
    /// Where it was written.
    pub place: Place,
}

/// The kinds of values that TOML has, dates left out.
#[derive(Clone, Debug)]
pub enum Content {
    /// A string.
    String(String),
    /// A whole number.
    Integer(i64),
    /// A number.
    Float(f64),
    /// True or false.
    Boolean(bool),
    /// A list.
    Array(Vec<Node>),
    /// A table, in the order in which it was written.
    Table(Vec<Entry>),
}

/// A key of a table with its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key was written.
    pub key_place: Place,
    /// The value.
    pub value: Node,
}

/// A file that was read.
#[derive(Debug)]
pub struct SourceFile {
    /// The path as the user gave it, for messages.
    pub path: String,
    /// What it holds.
    pub text: String,
    /// Where relative paths in it start.
    pub folder: PathBuf,
}

impl SourceFile {
    /// Whether it is the document of defaults, which no user wrote.
    pub fn is_built_in(&self) -> bool {
        self.path == BUILT_IN
    }
}

/// The path that the document of defaults has in messages.
pub const BUILT_IN: &str = "defaults.toml (built in)";

/// Where a value was written.
#[derive(Clone, Debug)]
pub enum Place {
    /// In a file, from byte to byte.
    File(Arc<SourceFile>, Range<usize>),
    /// On the command line: the text behind `--set`.
    Set(Arc<str>),
    /// In an environment variable: its name and value.
    Environment(Arc<str>),
}

impl Place {
    /// Whether both are the same place.
    pub fn same(&self, other: &Place) -> bool {
        match (self, other) {
            (Place::File(a, at), Place::File(b, there)) => a.path == b.path && at == there,
            (Place::Set(a), Place::Set(b)) | (Place::Environment(a), Place::Environment(b)) => {
                a == b
            }
            _ => false,
        }
    }
}

/// Values are equal if they mean the same: places do not count, 1 equals 1.0, tables have no order.
impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Content::String(a), Content::String(b)) => a == b,
            (Content::Integer(a), Content::Integer(b)) => a == b,
            (Content::Float(a), Content::Float(b)) => a == b,
            (Content::Integer(a), Content::Float(b)) | (Content::Float(b), Content::Integer(a)) => {
                *a as f64 == *b
            }
            (Content::Boolean(a), Content::Boolean(b)) => a == b,
            (Content::Array(a), Content::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.content == b.content)
            }
            (Content::Table(a), Content::Table(b)) => {
                a.len() == b.len()
                    && a.iter().all(|entry| {
                        b.iter().any(|other| {
                            entry.key == other.key && entry.value.content == other.value.content
                        })
                    })
            }
            _ => false,
        }
    }
}

impl Content {
    /// What the value is, with its text if short: `the string "three"`.
    pub fn describe(&self) -> String {
        match self {
            Content::String(text) => format!("the string {text:?}"),
            Content::Integer(number) => format!("the whole number {number}"),
            Content::Float(number) => format!("the number {number:?}"),
            Content::Boolean(value) => format!("the boolean {value}"),
            Content::Array(_) => "a list".to_owned(),
            Content::Table(_) => "a table".to_owned(),
        }
    }
}

impl Node {
    /// The value of `key`, if this is a table that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.content {
            Content::Table(entries) => {
                entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
            }
            _ => None,
        }
    }

    /// The entry of `key`, if this is a table that has it.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.content {
            Content::Table(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The value at `path`, if there is one.
    pub fn at(&self, path: &KeyPath) -> Option<&Node> {
        path.segments().iter().try_fold(self, |node, segment| match segment {
            Segment::Key(key) => node.get(key),
            Segment::Index(index) => match &node.content {
                Content::Array(items) => items.get(*index),
                _ => None,
            },
        })
    }

    /// Replaces the value at a dotted path as a user writes it: `model.layers.conv1.kernel`,
    /// `model.layers[0].kernel`, `model.layers.0.kernel`. The last segment may be a new key of an
    /// existing table. The problem says which part of the path is unknown; it stands at `at`.
    pub fn set(&mut self, dotted: &str, value: Node, at: &KeyPath) -> Result<KeyPath, Problem> {
        let segments = KeyPath::split(dotted);
        if segments.iter().any(String::is_empty) {
            return Err(Problem::key(at.clone(), format!("\"{dotted}\" is not a path"))
                .label("an empty part")
                .help("a path is keys with dots between them: train.optimizer.adam.lr"));
        }
        let mut node = self;
        let mut resolved = KeyPath::root();
        for (depth, segment) in segments.iter().enumerate() {
            let is_last = depth + 1 == segments.len();
            let here = resolved.clone();
            match &mut node.content {
                Content::Table(entries) => {
                    let index = entries.iter().position(|entry| entry.key == *segment);
                    resolved = resolved.key(segment);
                    match index {
                        Some(index) if is_last => {
                            entries[index].value = value;
                            return Ok(resolved);
                        }
                        Some(index) => node = &mut entries[index].value,
                        None if is_last => {
                            let key_place = value.place.clone();
                            entries.push(Entry { key: segment.clone(), key_place, value });
                            return Ok(resolved);
                        }
                        None => {
                            let names: Vec<&str> =
                                entries.iter().map(|entry| entry.key.as_str()).collect();
                            return Err(unknown(dotted, segment, &here, &names, at));
                        }
                    }
                }
                Content::Array(items) => {
                    let index = position(items, segment);
                    let Some(index) = index else {
                        let count = items.len();
                        let names = default_names(items);
                        let names: Vec<&str> = names
                            .iter()
                            .map(String::as_str)
                            .filter(|name| !name.is_empty())
                            .collect();
                        let problem = unknown(dotted, segment, &here, &names, at);
                        return Err(problem.note(format!(
                            "{here} has {count} elements, addressed by number from 0 or by name"
                        )));
                    };
                    resolved = resolved.index(index);
                    if is_last {
                        items[index] = value;
                        return Ok(resolved);
                    }
                    node = &mut items[index];
                }
                other => {
                    return Err(Problem::key(
                        at.clone(),
                        format!("there is no \"{dotted}\": {here} is {}", other.describe()),
                    )
                    .label(format!("\"{segment}\" leads nowhere")));
                }
            }
        }
        Ok(resolved)
    }

    /// The value without its places.
    pub fn to_toml(&self) -> toml::Value {
        match &self.content {
            Content::String(text) => toml::Value::String(text.clone()),
            Content::Integer(number) => toml::Value::Integer(*number),
            Content::Float(number) => toml::Value::Float(*number),
            Content::Boolean(value) => toml::Value::Boolean(*value),
            Content::Array(items) => toml::Value::Array(items.iter().map(Node::to_toml).collect()),
            Content::Table(entries) => toml::Value::Table(
                entries.iter().map(|entry| (entry.key.clone(), entry.value.to_toml())).collect(),
            ),
        }
    }

    /// The value at a dotted path as a user writes it.
    pub fn look_up(&self, dotted: &str) -> Option<&Node> {
        KeyPath::split(dotted).iter().try_fold(self, |node, segment| match &node.content {
            Content::Table(_) => node.get(segment),
            Content::Array(items) => position(items, segment).map(|index| &items[index]),
            _ => None,
        })
    }

    /// The place of the value at `path`, or of the nearest table around it.
    pub fn place_of_value(&self, path: &KeyPath) -> &Place {
        let mut node = self;
        for segment in path.segments() {
            let next = match (segment, &node.content) {
                (Segment::Key(key), _) => node.get(key),
                (Segment::Index(index), Content::Array(items)) => items.get(*index),
                _ => None,
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        &node.place
    }

    /// The place of the last key of `path`, or of the nearest value around it.
    pub fn place_of_key(&self, path: &KeyPath) -> &Place {
        if let Some((Segment::Key(key), above)) = path.split_last()
            && let Some(entry) = self.at(&above).and_then(|node| node.entry(key))
        {
            return &entry.key_place;
        }
        self.place_of_value(path)
    }
}

fn position(items: &[Node], segment: &str) -> Option<usize> {
    match segment.parse::<usize>() {
        Ok(index) => (index < items.len()).then_some(index),
        Err(_) => default_names(items).iter().position(|name| name == segment),
    }
}

fn unknown(dotted: &str, segment: &str, here: &KeyPath, names: &[&str], at: &KeyPath) -> Problem {
    let within = if here.segments().is_empty() { "the file".to_owned() } else { here.to_string() };
    let problem = Problem::key(
        at.clone(),
        format!("there is no \"{dotted}\": {within} has no \"{segment}\""),
    );
    let problem = match suggest::nearest(segment, names) {
        Some(near) => problem.label(format!("did you mean \"{near}\"?")),
        None => problem.label("no such setting"),
    };
    if names.is_empty() { problem } else { problem.help(format!("it has {}", names.join(", "))) }
}
