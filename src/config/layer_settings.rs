//! What layers do after their product unless they say otherwise, and how their weights start:
//! activation, normalisation, dropout, initial values.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{Deserializer, Error, MapAccess, Visitor, value};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::written::{Choice, Written, alternatives, choice, or_default};
use crate::basis::activation::Activation;
use crate::basis::written::written;

/// `"none"`, or what [`Activation`] reads.
const ACTIVATIONS: [&str; Activation::NAMES.len() + 1] = {
    let mut names = ["none"; Activation::NAMES.len() + 1];
    let mut index = 0;
    while index < Activation::NAMES.len() {
        names[index + 1] = Activation::NAMES[index];
        index += 1;
    }
    names
};

impl<'de> Deserialize<'de> for Written<Option<Activation>> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Written(match choice(deserializer, &ACTIVATIONS, &ACTIVATIONS[..1])? {
            Choice::Name(_) => None,
            Choice::Other(activation) => Some(activation),
        }))
    }
}

written!(Written<Option<Activation>>, "Activation", |types| = {
    let mut schema = Activation::json_schema(types);
    let none = json!({ "type": "string", "const": "none", "description": "The identity." });
    alternatives(&mut schema).insert(0, none);
    schema
});

/// Normalisation: `"none"`, `"batch"`, or `{ batch = { momentum = 0.1, eps = 1e-5 } }`; `"layer"`, `"instance"` or
/// `{ group = 8 }`, which see each image alone.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Norm {
    /// No normalisation.
    None,
    /// Batch normalisation.
    #[serde(deserialize_with = "or_default")]
    #[schemars(with = "Option<BatchNormSettings>")]
    Batch(BatchNormSettings),
    /// Layer normalisation of each pixel over its channels.
    #[serde(deserialize_with = "or_default")]
    #[schemars(with = "Option<EpsSettings>")]
    Layer(EpsSettings),
    /// Instance normalisation.
    #[serde(deserialize_with = "or_default")]
    #[schemars(with = "Option<EpsSettings>")]
    Instance(EpsSettings),
    /// Group normalisation with so many groups: `{ group = 8 }`.
    Group(usize),
}

/// The number of a normalisation of single images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[schemars(!default)]
pub struct EpsSettings {
    /// Added to the variance; 1e-5 if not given.
    #[schemars(with = "Option<f64>")]
    pub eps: Option<f64>,
}

/// The numbers of batch normalisation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[schemars(!default)]
pub struct BatchNormSettings {
    /// Weight of the batch in the running statistics; 0.1 if not given.
    #[schemars(with = "Option<f64>")]
    pub momentum: f64,
    /// Added to the variance; 1e-5 if not given.
    #[schemars(with = "Option<f64>")]
    pub eps: f64,
    /// Whether each channel has a learnt factor; true if not given.
    #[serde(skip_serializing_if = "is_true")]
    #[schemars(with = "Option<bool>")]
    pub weight: bool,
}

/// What plans leave out, so that they are what they were before it could be otherwise.
fn is_true(value: &bool) -> bool {
    *value
}

impl Default for BatchNormSettings {
    fn default() -> BatchNormSettings {
        BatchNormSettings { momentum: 0.1, eps: 1e-5, weight: true }
    }
}

/// Inverted dropout: `0.5`, or `{ channels = 0.2 }` for whole channels (Tompson et al., 2015).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DropoutSettings {
    /// Probability of being dropped, 0 ≤ p < 1.
    pub p: f64,
    /// Whether whole channels are dropped.
    pub channels: bool,
}

impl fmt::Display for DropoutSettings {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "dropout {}{}", self.p, if self.channels { " of channels" } else { "" })
    }
}

written!(Written<DropoutSettings>, "Dropout", {
    "description": "A probability for single elements, or `{ channels = 0.2 }` for whole channels.",
    "anyOf": [
        { "type": "number", "minimum": 0, "maximum": 1 },
        {
            "type": "object",
            "properties": { "channels": { "type": "number", "minimum": 0, "maximum": 1 } },
            "required": ["channels"],
            "additionalProperties": false,
        },
        {
            "type": "object",
            "properties": { "elements": { "type": "number", "minimum": 0, "maximum": 1 } },
            "required": ["elements"],
            "additionalProperties": false,
        },
    ],
});

impl<'de> Deserialize<'de> for Written<DropoutSettings> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        enum Table {
            Elements(f64),
            Channels(f64),
        }
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Written<DropoutSettings>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a probability such as 0.5, or { channels = 0.2 }")
            }
            fn visit_f64<E: Error>(self, p: f64) -> Result<Self::Value, E> {
                Ok(Written(DropoutSettings { p, channels: false }))
            }
            fn visit_i64<E: Error>(self, p: i64) -> Result<Self::Value, E> {
                self.visit_f64(p as f64)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let table = Table::deserialize(value::MapAccessDeserializer::new(map))?;
                Ok(Written(match table {
                    Table::Elements(p) => DropoutSettings { p, channels: false },
                    Table::Channels(p) => DropoutSettings { p, channels: true },
                }))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// How weights start. Biases start at 0, except with `pytorch`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Init {
    /// Weights and biases uniform within ±1/√fan-in: what PyTorch's layers do.
    Pytorch,
    /// Normal with variance 2/fan-in (He et al., 2015).
    KaimingNormal,
    /// Uniform with variance 2/fan-in.
    KaimingUniform,
    /// Normal with variance 2/(fan-in + fan-out) (Glorot and Bengio, 2010).
    XavierNormal,
    /// Uniform with variance 2/(fan-in + fan-out).
    XavierUniform,
    /// Normal with variance 1/fan-in (LeCun et al., 1998).
    LecunNormal,
    /// Uniform with variance 1/fan-in.
    LecunUniform,
    /// Normal with this standard deviation.
    Normal(f64),
    /// Filters that pass one channel on each, as far as there are channels (Zagoruyko and Komodakis, 2017); those
    /// behind them as with `pytorch`.
    Dirac,
    /// One number everywhere.
    Constant(f64),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Content, KeyPath, Node, Place, read};

    #[test]
    fn the_name_of_an_activation_alone_stands_for_its_usual_number() {
        for (activation, name) in Activation::ALL.into_iter().zip(Activation::NAMES) {
            let content = Content::String(name.to_owned());
            let node = Node { content, place: Place::Set("".into()) };
            let Written::<Option<Activation>>(found) = read(&node, &KeyPath::root()).unwrap();
            assert_eq!(found, Some(activation), "{name}");
            assert_eq!(activation.to_string().split(' ').next(), Some(name));
        }
    }
}
