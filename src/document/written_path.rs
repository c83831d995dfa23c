//! Paths that start at the folder of the file in which they are written.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

/// A path that was written in a file is relative to the file's folder; one from the command line or
/// the environment is relative to the working directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenPath {
    /// As written, the same on every machine.
    pub written: String,
    /// Where it leads.
    pub path: PathBuf,
}

impl JsonSchema for WrittenPath {
    fn schema_name() -> Cow<'static, str> {
        "Path".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1 })
    }
}

/// The name by which [`read`](super::read::read) knows that a path is asked for.
pub(super) const WRITTEN_PATH: &str = "document::WrittenPath";

/// Separates the two halves of a path on its way through serde.
pub(super) const SEPARATOR: char = '\0';

impl<'de> Deserialize<'de> for WrittenPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PathVisitor;
        impl Visitor<'_> for PathVisitor {
            type Value = WrittenPath;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a path")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<WrittenPath, E> {
                let (written, folder) = text.split_once(SEPARATOR).unwrap_or((text, ""));
                if written.is_empty() {
                    return Err(E::custom("an empty path"));
                }
                let path = PathBuf::from(folder).join(written);
                Ok(WrittenPath { written: written.to_owned(), path })
            }
        }
        deserializer.deserialize_newtype_struct(WRITTEN_PATH, PathVisitor)
    }
}
