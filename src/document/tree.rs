//! A document as a tree of values that know where they were written.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::path::{KeyPath, Segment};

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

impl Entry {
    /// Keys and values without the places of the keys.
    pub fn pairs(entries: &[Entry]) -> Vec<(String, Node)> {
        entries.iter().map(|entry| (entry.key.clone(), entry.value.clone())).collect()
    }
}

impl Node {
    /// The value of `key`, if this is a table that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The entry of `key`, if this is a table that has it.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries()?.iter().find(|entry| entry.key == key)
    }

    /// The entries, if this is a table.
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.content {
            Content::Table(entries) => Some(entries),
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
