//! `data.group`: which images belong together and stay on one side of every split.
//!
//! ```toml
//! group = "none"
//! group = "patient"                  # a column of a table
//! group = "folder"                   # of a folder: the images in the same folder
//! group = { folder-prefix = 1 }      # the first folder inside of the class's
//! group = { name = "^(p[0-9]+)_" }   # what the brackets hold in an image's path
//! ```

use std::fmt;

use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::basis::written::written;

/// Which images belong together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Group {
    /// Each image stands alone: `"none"`.
    #[default]
    None,
    /// Those with the same text in this column of a table; of a folder, `"folder"`: those in the same
    /// folder.
    By(String),
    /// Those whose paths agree in so many folders inside of the class's.
    FolderPrefix(usize),
    /// Those whose paths agree in what a regular expression captures.
    Name(Pattern),
}

/// A regular expression with one capture.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Pattern(pub String);

/// Bytes that a compiled expression may take: a few letters can ask for gigabytes.
const MOST_BYTES: usize = 1 << 20;

impl Pattern {
    /// The expression, ready for use.
    ///
    /// # Errors
    /// In words, if it is none or has no capture or several.
    pub fn compiled(&self) -> Result<Regex, String> {
        let compiled = RegexBuilder::new(&self.0).size_limit(MOST_BYTES).build();
        let compiled = compiled.map_err(|error| {
            // The last line says what is wrong, those before show where.
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
            format!("\"{}\" is not a regular expression: {last}", self.0)
        })?;
        match compiled.captures_len() - 1 {
            1 => Ok(compiled),
            count => Err(format!("\"{}\" has {count} pairs of brackets instead of one", self.0)),
        }
    }
}

impl Group {
    /// Whether each image stands alone.
    pub fn is_none(&self) -> bool {
        *self == Group::None
    }

    /// The column of a table that says it.
    pub fn column(&self) -> Option<&str> {
        match self {
            Group::By(column) => Some(column),
            _ => None,
        }
    }
}

/// The form with a table.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "GroupByPath")]
enum ByPath {
    /// Images whose paths agree in so many folders inside of the class's.
    FolderPrefix(#[schemars(range(min = 1))] usize),
    /// Images whose paths agree in what the brackets of a regular expression hold.
    Name(Pattern),
}

written!(Group, "Group", |types| {
    "anyOf": [
        { "const": "none", "description": "Each image stands alone." },
        { "type": "string", "description": "A column of the table, or \"folder\" for folders of images." },
        types.subschema_for::<ByPath>(),
    ],
});

/// What can be written in that table.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Keys {
    folder_prefix: Option<usize>,
    name: Option<Pattern>,
}

impl Serialize for Group {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Group::None => "none".serialize(serializer),
            Group::By(column) => column.serialize(serializer),
            Group::FolderPrefix(folders) => ByPath::FolderPrefix(*folders).serialize(serializer),
            Group::Name(pattern) => ByPath::Name(pattern.clone()).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Group {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Group;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str(
                    "\"none\", a column, { folder-prefix = 1 } or { name = \"…\" } with a regular expression",
                )
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Group, E> {
                Ok(if text == "none" { Group::None } else { Group::By(text.to_owned()) })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Group, A::Error> {
                let read = Keys::deserialize(MapAccessDeserializer::new(map))?;
                match (read.folder_prefix, read.name) {
                    (Some(folders), None) => Ok(Group::FolderPrefix(folders)),
                    (None, Some(pattern)) => Ok(Group::Name(pattern)),
                    _ => Err(A::Error::custom("expected one of the keys folder-prefix and name")),
                }
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_regular_expression_with_one_pair_of_brackets() {
        let message = |text: &str| Pattern(text.to_owned()).compiled().unwrap_err();
        assert!(Pattern("^(p[0-9]+)_".to_owned()).compiled().is_ok());
        assert!(Pattern("(?:a|b)(c)".to_owned()).compiled().is_ok());
        assert_eq!(message("p[0-9]+"), "\"p[0-9]+\" has 0 pairs of brackets instead of one");
        assert_eq!(message("(a)(b)"), "\"(a)(b)\" has 2 pairs of brackets instead of one");
        assert!(message("(a").contains("unclosed group"), "{}", message("(a"));
        assert!(message("(a{1000}){1000}").contains("size"), "{}", message("(a{1000}){1000}"));
    }

    #[test]
    fn what_is_serialised_is_read_back() {
        for group in [
            Group::By("patient".to_owned()),
            Group::FolderPrefix(2),
            Group::Name(Pattern("(a)".to_owned())),
        ] {
            let text = serde_json::to_string(&group).unwrap();
            assert_eq!(serde_json::from_str::<Group>(&text).unwrap(), group, "{text}");
        }
        assert_eq!(serde_json::to_string(&Group::By("x".to_owned())).unwrap(), "\"x\"");
    }
}
