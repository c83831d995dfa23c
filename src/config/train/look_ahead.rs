//! `train.look-ahead`: slow weights that follow those of the optimiser, which start from them again.
//!
//! ```toml
//! look-ahead = "none"
//! look-ahead = { steps = 5, rate = 0.5 }
//! ```

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::basis::fault::Faults;
use crate::basis::written::written;

/// Lookahead (Zhang et al., 2019): after every `steps` steps the slow weights go the part `rate` of the way to those of
/// the optimiser, which goes on from there.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LookAhead {
    /// Steps of the optimiser in between; 5 if not given.
    #[serde(default = "five")]
    #[schemars(range(min = 1))]
    pub steps: u64,
    /// Part of the way; 0.5 if not given.
    #[serde(default = "half")]
    pub rate: f64,
}

fn five() -> u64 {
    5
}

fn half() -> f64 {
    0.5
}

/// How [`LookAhead::read`] reads it.
pub(super) struct LookAheadOrNone;

written!(LookAheadOrNone, "LookAheadOrNone", |types| {
    "anyOf": [{ "const": "none" }, types.subschema_for::<LookAhead>()],
});

impl LookAhead {
    /// Reads a table, or `"none"`.
    pub(super) fn read<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Self>, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Option<LookAhead>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("\"none\" or a table")
            }
            fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
                match name {
                    "none" => Ok(None),
                    other => Err(E::unknown_variant(other, &["none"])),
                }
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                LookAhead::deserialize(MapAccessDeserializer::new(map)).map(Some)
            }
        }
        deserializer.deserialize_any(Reader)
    }

    /// Says what is wrong with it, which stands at `at` in the file.
    pub fn check(&self, at: &str, faults: &mut Faults) {
        let message = "steps must be at least 1";
        faults.that(self.steps >= 1, format!("{at}.steps"), message, "0 steps");
        faults.fraction(self.rate, format!("{at}.rate"));
    }
}
