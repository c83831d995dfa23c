//! `[model]`: what holds for all its layers. The layers themselves are in [`layer`](super::layer).
//!
//! ```toml
//! [model]
//! defaults = { activation = "relu", norm = "batch", dropout = 0.0, init = "pytorch" }
//! ```

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::layer::Element;
use super::layer_settings::{DropoutSettings, Init, Norm};
use super::layer_values::Nested;
use super::presets::PRESETS;
use super::weights::Weights;
use super::written::Written;
use crate::basis::activation::Activation;
use crate::basis::written::written;

/// The table `[model]`. Its layers are read one by one, so this only says what there is.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Model {
    /// A built-in network under this table: `wick presets` lists them.
    pub preset: Preset,
    /// Names and values that layers use: `width` is filled in for `$width`.
    pub parameters: BTreeMap<String, Value>,
    /// Settings of layers that do not set them; the last layer, which gives the logits, does not use them.
    pub defaults: Defaults,
    /// The layers in order.
    pub layers: Nested<Element>,
    /// Layers with names of their own, which stand wherever `block` names them.
    pub blocks: BTreeMap<String, Block>,
    /// Weights to start from.
    pub weights: Weights,
}

/// Layers with a name of their own, and parameters that a use gives.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Block {
    /// Names, and tables of names with defaults: `["filters", { stride = 1, shortcut = [] }]`.
    pub parameters: Option<Vec<Parameter>>,
    /// The layers; in them `$filters` is a parameter.
    pub layers: Nested<Element>,
}

/// A parameter of a block.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum Parameter {
    /// One that every use has to give.
    Required(String),
    /// Some with their defaults.
    WithDefaults(BTreeMap<String, Value>),
}

/// The name of a built-in network.
#[derive(Debug)]
pub struct Preset;

written!(Preset, "Preset", { "enum": PRESETS.map(|(name, _)| name).to_vec() });

/// What `conv` and `dense` layers do after their product unless they say otherwise, in this order:
/// normalise, activate, drop.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Defaults {
    /// The activation function.
    pub activation: Written<Option<Activation>>,
    /// The normalisation.
    pub norm: Norm,
    /// Probability of dropping an element or a channel.
    pub dropout: Written<DropoutSettings>,
    /// How weights and biases start.
    pub init: Init,
}
