//! `[model]`: what holds for all its layers, and the settings that layers share. The layers
//! themselves are in [`layer`](super::layer).
//!
//! ```toml
//! [model]
//! defaults = { activation = "relu", norm = "batch", dropout = 0.0, init = "pytorch" }
//! ```

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor, value};
use serde_json::Value;

use super::layer_values::Nested;
use super::presets::PRESETS;
use super::template::written::Block;
use super::weights::Weights;
use crate::basis::written::written;

/// The table `[model]`. Its layers are read one by one, so this only says what there is.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Model {
    /// A built-in network under this table: `wick presets` lists them.
    pub preset: Preset,
    /// Names and values that layers use: `width` is filled in for `$width`.
    pub parameters: BTreeMap<String, Value>,
    /// What layers do unless they say otherwise; not the last one, which gives the logits.
    pub defaults: Defaults,
    /// The layers in order.
    pub layers: Nested,
    /// Layers with names of their own, which stand wherever `block` names them.
    pub blocks: BTreeMap<String, Block>,
    /// Weights to start from.
    pub weights: Weights,
}

/// The name of a built-in network.
#[derive(Debug)]
pub struct Preset;

written!(Preset, "Preset", { "enum": PRESETS.map(|(name, _)| name) });

/// What `conv` and `dense` layers do after their product unless they say otherwise, in this order:
/// normalise, activate, drop.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Defaults {
    /// The activation function.
    pub activation: Activation,
    /// The normalisation.
    pub norm: Norm,
    /// Probability of dropping an element or a channel.
    pub dropout: Dropout,
    /// How weights and biases start.
    pub init: Init,
}

/// Activation functions: a name, or `{ leaky-relu = slope }`, `{ elu = alpha }`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// The identity.
    None,
    /// max(0, x).
    Relu,
    /// min(max(0, x), 6).
    Relu6,
    /// x for x > 0, slope · x below; slope 0.01 if not given.
    LeakyRelu(Option<f64>),
    /// x for x > 0, alpha · (eˣ − 1) below; alpha 1 if not given.
    Elu(Option<f64>),
    /// x · Φ(x), with the exact normal distribution.
    Gelu,
    /// x · sigmoid(x).
    Silu,
    /// x · relu6(x + 3) / 6.
    Hardswish,
    /// Hyperbolic tangent.
    Tanh,
    /// 1 / (1 + e⁻ˣ).
    Sigmoid,
}

impl Activation {
    /// The names that may stand alone as a layer.
    pub const NAMES: [&'static str; 9] =
        ["relu", "relu6", "leaky-relu", "elu", "gelu", "silu", "hardswish", "tanh", "sigmoid"];
}

/// Normalisation: `"none"`, `"batch"`, or `{ batch = { momentum = 0.1, eps = 1e-5 } }`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Norm {
    /// No normalisation.
    None,
    /// Batch normalisation.
    Batch(Option<BatchNormSettings>),
}

/// The numbers of batch normalisation.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BatchNormSettings {
    /// Weight of the batch in the running statistics; 0.1 if not given.
    pub momentum: Option<f64>,
    /// Added to the variance; 1e-5 if not given.
    pub eps: Option<f64>,
}

/// A probability for single elements, or `{ channels = p }` for whole channels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Dropout {
    /// Each element on its own.
    Elements(f64),
    /// Whole channels (Tompson et al., 2015).
    Channels(f64),
}

written!(Dropout, "Dropout", {
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

impl<'de> Deserialize<'de> for Dropout {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        enum Table {
            Elements(f64),
            Channels(f64),
        }
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Dropout;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a probability such as 0.5, or { channels = 0.2 }")
            }
            fn visit_f64<E: Error>(self, p: f64) -> Result<Dropout, E> {
                Ok(Dropout::Elements(p))
            }
            fn visit_i64<E: Error>(self, p: i64) -> Result<Dropout, E> {
                Ok(Dropout::Elements(p as f64))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Dropout, A::Error> {
                let table = Table::deserialize(value::MapAccessDeserializer::new(map))?;
                Ok(match table {
                    Table::Elements(p) => Dropout::Elements(p),
                    Table::Channels(p) => Dropout::Channels(p),
                })
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// How weights start. Biases start at 0, except with `pytorch`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
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
    /// One number everywhere.
    Constant(f64),
}
