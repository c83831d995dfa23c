//! From tree to types: serde's derives do the work, errors know their place.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer,
    MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};

use super::path::{KeyPath, Segment};
use super::problem::Problem;
use super::suggest;
use super::tree::{Content, Entry, Node, Place};
use super::written_path::{SEPARATOR, WRITTEN_PATH};

/// Reads the value at `node`, which stands at `path`.
pub fn read<T: DeserializeOwned>(node: &Node, path: &KeyPath) -> Result<T, Problem> {
    T::deserialize(Reader(node)).map_err(|error| error.into_problem(path))
}

/// What serde could not make of a value; the path grows on the way out.
#[derive(Debug)]
struct ReadError {
    message: String,
    label: String,
    help: Option<String>,
    /// Innermost first.
    trail: Vec<Segment>,
    on_key: bool,
    is_missing: bool,
    /// The word that is none of those that may stand there.
    unknown: Option<String>,
}

impl ReadError {
    fn new(message: String, label: String) -> ReadError {
        ReadError {
            message,
            label,
            help: None,
            trail: Vec::new(),
            on_key: false,
            is_missing: false,
            unknown: None,
        }
    }

    fn within(mut self, segment: Segment) -> ReadError {
        self.trail.push(segment);
        self
    }

    fn into_problem(self, path: &KeyPath) -> Problem {
        let path = self.trail.into_iter().rev().fold(path.clone(), |path, segment| match segment {
            Segment::Key(key) => path.key(&key),
            Segment::Index(index) => path.index(index),
        });
        let (named, message) = match path.split_last() {
            Some(_) if !self.on_key => (format!("{path}: "), self.message),
            _ => (String::new(), self.message),
        };
        let message = format!("{named}{message}");
        let problem = match (self.on_key, self.is_missing) {
            (true, _) => Problem::key(path, message),
            (_, true) => Problem::missing(path, message),
            _ => Problem::value(path, message),
        };
        let problem = problem.label(self.label);
        let problem = match &self.unknown {
            Some(word) => problem.unknown(word),
            None => problem,
        };
        match self.help {
            Some(help) => problem.help(help),
            None => problem,
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ReadError {}

fn found(unexpected: Unexpected) -> String {
    match unexpected {
        Unexpected::Bool(value) => format!("the boolean {value}"),
        Unexpected::Unsigned(number) => format!("the whole number {number}"),
        Unexpected::Signed(number) => format!("the whole number {number}"),
        Unexpected::Float(number) => format!("the number {number:?}"),
        Unexpected::Str(text) => format!("the string {text:?}"),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a table".to_owned(),
        other => other.to_string(),
    }
}

/// serde's names of Rust types, in the words of the file format.
fn wanted(expected: &dyn Expected) -> String {
    let words = expected.to_string();
    match words.as_str() {
        "usize" | "u64" | "u32" | "u16" | "u8" => "a whole number that is not negative".to_owned(),
        "i64" | "i32" => "a whole number".to_owned(),
        "f64" | "f32" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list".to_owned(),
        "an array of length 2" => "a list of two numbers".to_owned(),
        _ if words.starts_with("struct ") => "a table".to_owned(),
        _ if words.starts_with("enum ") || words.starts_with("variant of") => {
            "a name, or a table with one key".to_owned()
        }
        _ => words,
    }
}

fn listed(names: &[&str]) -> String {
    names.join(", ")
}

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        ReadError::new(message.to_string(), String::new())
    }

    fn invalid_type(unexpected: Unexpected, expected: &dyn Expected) -> Self {
        let message = format!("expected {}, found {}", wanted(expected), found(unexpected));
        ReadError::new(message, "of the wrong type".to_owned())
    }

    fn invalid_value(unexpected: Unexpected, expected: &dyn Expected) -> Self {
        let message = format!("expected {}, found {}", wanted(expected), found(unexpected));
        ReadError::new(message, "not allowed".to_owned())
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        let message = format!("expected {}, found {length}", wanted(expected));
        ReadError::new(message, "of the wrong length".to_owned())
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let label = suggest::did_you_mean(variant, expected, "not one of the choices");
        let mut error = ReadError::new(format!("there is no choice \"{variant}\""), label);
        error.help = Some(format!("the choices are {}", listed(expected)));
        error.unknown = Some(variant.to_owned());
        error
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let label = suggest::did_you_mean(field, expected, "unknown");
        let mut error = ReadError::new(format!("unknown key \"{field}\""), label);
        error.on_key = true;
        error.help = Some(format!("the keys here are {}", listed(expected)));
        error.unknown = Some(field.to_owned());
        error
    }

    fn missing_field(field: &'static str) -> Self {
        let message = format!("the key \"{field}\" is missing");
        let error = ReadError::new(message, format!("needs \"{field}\""));
        ReadError { is_missing: true, ..error }
    }
}

/// serde's view of a node.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a Node);

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.0.content {
            Content::String(text) => visitor.visit_str(text),
            Content::Integer(number) => visitor.visit_i64(*number),
            Content::Float(number) => visitor.visit_f64(*number),
            Content::Boolean(value) => visitor.visit_bool(*value),
            Content::Array(items) => {
                let mut access = Items { items, next: 0 };
                let value = visitor.visit_seq(&mut access)?;
                if access.next < items.len() {
                    let few =
                        format!("expected a list of {}, found one of {}", access.next, items.len());
                    return Err(ReadError::new(few, "too many elements".to_owned()));
                }
                Ok(value)
            }
            Content::Table(entries) => visitor.visit_map(Entries { entries, next: 0 }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        if name != WRITTEN_PATH {
            return visitor.visit_newtype_struct(self);
        }
        match (&self.0.content, &self.0.place) {
            (Content::String(text), Place::File(file, _)) => {
                visitor.visit_str(&format!("{text}{SEPARATOR}{}", file.folder.display()))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    /// A choice is its name, or a table with its name as the only key.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match &self.0.content {
            Content::String(name) => visitor.visit_enum(Choice { name, entry: None }),
            Content::Table(entries) => match &entries[..] {
                [entry] => visitor.visit_enum(Choice { name: &entry.key, entry: Some(entry) }),
                _ => {
                    let known: Vec<&str> = entries
                        .iter()
                        .map(|entry| entry.key.as_str())
                        .filter(|key| variants.contains(key))
                        .collect();
                    // One that was laid over a choice from below.
                    let strange =
                        entries.iter().find(|entry| !variants.contains(&entry.key.as_str()));
                    if let (1, Some(entry)) = (known.len(), strange) {
                        let error: ReadError = de::Error::unknown_variant(&entry.key, variants);
                        return Err(ReadError { on_key: true, ..error }
                            .within(Segment::Key(entry.key.clone())));
                    }
                    let message = match known.len() {
                        0 | 1 => "expected a table with one key, the name of a choice".to_owned(),
                        _ => format!("expected one choice, found {}", known.join(" and ")),
                    };
                    let mut error = ReadError::new(message, "more or less than one key".to_owned());
                    error.help = Some(format!("the choices are {}", listed(variants)));
                    Err(error)
                }
            },
            other => {
                let message =
                    format!("expected a name, or a table with one key, found {}", other.describe());
                let mut error = ReadError::new(message, "of the wrong type".to_owned());
                error.help = Some(format!("the choices are {}", listed(variants)));
                Err(error)
            }
        }
    }

    /// Whole numbers are numbers.
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.0.content {
            Content::Integer(number) => visitor.visit_f64(*number as f64),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_f64(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Items<'de> {
    items: &'de [Node],
    next: usize,
}

impl<'de> SeqAccess<'de> for &mut Items<'de> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ReadError> {
        let Some(item) = self.items.get(self.next) else { return Ok(None) };
        let index = self.next;
        self.next += 1;
        seed.deserialize(Reader(item)).map(Some).map_err(|e| e.within(Segment::Index(index)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len() - self.next)
    }
}

struct Entries<'de> {
    entries: &'de [Entry],
    next: usize,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ReadError> {
        let Some(entry) = self.entries.get(self.next) else { return Ok(None) };
        let key: StrDeserializer<ReadError> = entry.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|e| e.within(Segment::Key(entry.key.clone())))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        let entry = &self.entries[self.next];
        self.next += 1;
        seed.deserialize(Reader(&entry.value))
            .map_err(|e| e.within(Segment::Key(entry.key.clone())))
    }
}

struct Choice<'de> {
    name: &'de str,
    entry: Option<&'de Entry>,
}

impl<'de> EnumAccess<'de> for Choice<'de> {
    type Error = ReadError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), ReadError> {
        let name: StrDeserializer<ReadError> = self.name.into_deserializer();
        match seed.deserialize(name) {
            Ok(value) => Ok((value, self)),
            Err(error) => Err(match self.entry {
                Some(entry) => {
                    ReadError { on_key: true, ..error }.within(Segment::Key(entry.key.clone()))
                }
                None => error,
            }),
        }
    }
}

impl Choice<'_> {
    fn needs_argument(&self) -> ReadError {
        let message = format!("\"{}\" needs its settings", self.name);
        let mut error = ReadError::new(message, "alone here".to_owned());
        error.help = Some(format!("write {{ {} = … }}", self.name));
        error
    }
}

impl<'de> VariantAccess<'de> for Choice<'de> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        match self.entry {
            None => Ok(()),
            Some(entry) => {
                let message = format!("\"{}\" has no settings", self.name);
                let mut error = ReadError::new(message, "nothing to set".to_owned());
                error.help = Some(format!("write the name alone: \"{}\"", self.name));
                Err(error.within(Segment::Key(entry.key.clone())))
            }
        }
    }

    /// A name alone stands for a choice whose settings are all optional.
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, ReadError> {
        match self.entry {
            None => {
                let nothing = serde::de::value::UnitDeserializer::<ReadError>::new();
                seed.deserialize(nothing).map_err(|_| self.needs_argument())
            }
            Some(entry) => seed
                .deserialize(Reader(&entry.value))
                .map_err(|e| e.within(Segment::Key(entry.key.clone()))),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, ReadError> {
        Err(self.needs_argument())
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self.entry {
            Some(Entry { key, value, .. }) => Reader(value)
                .deserialize_any(visitor)
                .map_err(|e| e.within(Segment::Key(key.clone()))),
            None => Err(self.needs_argument()),
        }
    }
}
