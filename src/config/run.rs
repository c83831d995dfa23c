//! `[run]`: how trials are run. Nothing in here changes a number, so none of it is part of what is
//! computed.
//!
//! ```toml
//! [run]
//! on-failure = { retry = 2 }
//! checkpoint-every = { steps = 500 }
//! time-limit = "30m"
//! memory-limit = "8GB"
//! data-memory = "75%"
//! data-cache = "100GB"               # or { folder = "/scratch/images", size = "1TB" }
//! feature-cache = "4GB"
//! stage-cache = "4GB"
//! gradient-checkpointing = true
//! ```

use std::fmt;

use bytesize::ByteSize;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use crate::basis::written::written;
use crate::document::WrittenPath;

/// The table `[run]`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Run {
    /// What becomes of the sweep when a trial fails.
    pub on_failure: OnFailure,
    /// How often a trial stores where to go on.
    pub checkpoint_every: CheckpointEvery,
    /// How long a trial may take.
    pub time_limit: Limit<Seconds>,
    /// How much memory all trials together may take.
    pub memory_limit: Memory,
    /// How much memory decoded images may take.
    pub data_memory: Memory,
    /// Where those are kept that memory has no room for.
    pub data_cache: DataCache,
    /// How much memory what frozen layers make of images may take.
    pub feature_cache: Memory,
    /// How much of the disk epochs may take that trials have in common.
    pub stage_cache: Limit<DiskSize>,
    /// Whether training keeps only some values for the way back, and computes the others again.
    pub gradient_checkpointing: bool,
    /// What trials run on.
    pub devices: Vec<String>,
    /// Trials at once on each device.
    pub slots_per_device: Slots,
    /// How long the trials of one run may take in all, by estimate.
    pub budget: Limit<Seconds>,
}

/// What becomes of the sweep when a trial fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// The other trials go on.
    Skip,
    /// No other trial is started, and those that run stop.
    Stop,
    /// It is tried again from its last checkpoint so many times, unless it would fail in the same
    /// way; then as with `skip`.
    Retry(u32),
}

/// How often a trial stores where to go on, beside the end of each epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CheckpointEvery {
    /// At the end of each epoch only.
    Epoch,
    /// After so many optimiser steps, too.
    Steps(u64),
}

/// A span of time in seconds, written as `"90s"`, `"30m"` or `"1h 30m"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seconds(pub f64);

written!(Limit<Seconds>, "Span", {
    "description": "A span of time such as `\"90s\"`, `\"30m\"` or `\"1h 30m\"`, or `\"none\"`.",
    "anyOf": [{ "const": "none" }, { "type": "string", "pattern": "^ *[0-9]+ *[a-zA-Zµ]" }],
});

impl<'de> Deserialize<'de> for Limit<Seconds> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Limit<Seconds>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("\"none\" or a span of time as \"90s\", \"30m\" or \"2h\"")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                match (text, humantime::parse_duration(text)) {
                    ("none", _) => Ok(Limit::None),
                    (_, Ok(span)) if !span.is_zero() => Ok(Limit::At(Seconds(span.as_secs_f64()))),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// A limit, or `"none"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit<T> {
    /// No limit.
    None,
    /// This.
    At(T),
}

/// An amount of memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Memory {
    /// No limit.
    None,
    /// A part of what the machine has, written as `"80%"`.
    Part(f64),
    /// Bytes, written as `"8GB"` or `"512MiB"`.
    Bytes(u64),
}

written!(Memory, "Memory", {
    "description": "A part of the machine's memory such as `\"80%\"`, `\"8GB\"`, or `\"none\"`.",
    "anyOf": [
        { "const": "none" },
        { "type": "string", "pattern": "^[0-9.]+ *(%|[kKmMgGtTpP]?i?[bB])$" },
    ],
});

impl<'de> Deserialize<'de> for Memory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Memory;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("\"none\", a part of the machine's memory as \"80%\", or \"8GB\"")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Memory, E> {
                if text == "none" {
                    return Ok(Memory::None);
                }
                let part = text.strip_suffix('%').and_then(|part| part.trim().parse::<f64>().ok());
                if let Some(part) = part.filter(|part| *part > 0.0 && *part <= 100.0) {
                    return Ok(Memory::Part(part / 100.0));
                }
                let wrong = || E::invalid_value(serde::de::Unexpected::Str(text), &self);
                bytes(text).map(Memory::Bytes).ok_or_else(wrong)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// Where decoded images are kept on disk.
#[derive(Clone, Debug, PartialEq)]
pub enum DataCache {
    /// Nowhere: `"none"`.
    None,
    /// Beside the results, in so many bytes: `"100GB"`.
    Beside(u64),
    /// In a folder of the user's choice: `{ folder = "/scratch/images", size = "1TB" }`.
    In {
        /// The folder.
        folder: WrittenPath,
        /// The bytes that all files in it may take.
        size: u64,
    },
}

/// The table of [`DataCache::In`].
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct CacheFolder {
    folder: WrittenPath,
    size: DiskSize,
}

/// Bytes, written as `"8GB"` or `"512MiB"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DiskSize(pub u64);

written!(Limit<DiskSize>, "DiskSize", {
    "description": "Bytes on disk such as `\"4GB\"`, or `\"none\"`.",
    "anyOf": [{ "const": "none" }, { "type": "string", "pattern": SIZE }],
});

impl<'de> Deserialize<'de> for Limit<DiskSize> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Limit<DiskSize>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("\"none\" or bytes on disk as \"4GB\"")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                let wrong = || E::invalid_value(serde::de::Unexpected::Str(text), &self);
                match text {
                    "none" => Ok(Limit::None),
                    text => bytes(text).map(|bytes| Limit::At(DiskSize(bytes))).ok_or_else(wrong),
                }
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

written!(DataCache, "DataCache", |types| {
    "description": "`\"none\"`, bytes on disk such as `\"100GB\"`, or a folder with them.",
    "anyOf": [
        { "const": "none" },
        { "type": "string", "pattern": SIZE },
        {
            "type": "object",
            "properties": {
                "folder": types.subschema_for::<WrittenPath>(),
                "size": { "type": "string", "pattern": SIZE },
            },
            "required": ["folder", "size"],
            "additionalProperties": false,
        },
    ],
});

/// How bytes are written.
const SIZE: &str = "^[0-9.]+ *[kKmMgGtTpP]?i?[bB]$";

/// The bytes that `text` says; a number alone would be bytes, which nobody means.
fn bytes(text: &str) -> Option<u64> {
    let size = text.parse::<ByteSize>().ok().filter(|_| text.ends_with(['B', 'b']));
    size.map(|size| size.as_u64()).filter(|bytes| *bytes > 0)
}

impl<'de> Deserialize<'de> for DiskSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = DiskSize;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("bytes on disk as \"100GB\"")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<DiskSize, E> {
                let wrong = || E::invalid_value(serde::de::Unexpected::Str(text), &self);
                bytes(text).map(DiskSize).ok_or_else(wrong)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl<'de> Deserialize<'de> for DataCache {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = DataCache;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str(
                    "\"none\", bytes on disk as \"100GB\", or { folder = \"…\", size = \"100GB\" }",
                )
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<DataCache, E> {
                let wrong = || E::invalid_value(serde::de::Unexpected::Str(text), &self);
                match text {
                    "none" => Ok(DataCache::None),
                    text => bytes(text).map(DataCache::Beside).ok_or_else(wrong),
                }
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<DataCache, A::Error> {
                let read = CacheFolder::deserialize(MapAccessDeserializer::new(map))?;
                Ok(DataCache::In { folder: read.folder, size: read.size.0 })
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// Trials at once on each device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slots {
    /// `"auto"`: by the cores, the trials and `--workers`.
    Auto,
    /// So many.
    Number(usize),
}

written!(Slots, "Slots", {
    "anyOf": [{ "const": "auto" }, { "type": "integer", "minimum": 1 }],
});

impl<'de> Deserialize<'de> for Slots {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Slots;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("\"auto\" or a whole number from 1 on")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Slots, E> {
                match text {
                    "auto" => Ok(Slots::Auto),
                    other => Err(E::unknown_variant(other, &["auto"])),
                }
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Slots, E> {
                match usize::try_from(number) {
                    Ok(number) if number > 0 => Ok(Slots::Number(number)),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Signed(number), &self)),
                }
            }
        }
        deserializer.deserialize_any(Reader)
    }
}
