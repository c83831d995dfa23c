//! `[transfer]`: what becomes of a pretrained network: where it is cut, what is put on top, what
//! learns and when.
//!
//! ```toml
//! [transfer]
//! weights = "bundled:squeezenet1_1"     # or a file, or { experiment = "pretrain", trial = "best" }
//! case = "small-similar"                # or "small-different", "large-similar", "large-different", "auto"
//! cut = "end"                           # or "beginning", a layer's name, a part of the network
//! head = ["flatten", { dense = "classes" }]
//! init = "pretrained"                   # or "random"
//! freeze = "all"                        # or "none", names of layers
//! unfreeze = [{ epoch = 3, layers = ["features.12"] }]
//! ```

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserializer, Error, IgnoredAny, SeqAccess, Visitor};
use serde_json::json;

use super::layer::Element;
use super::layer_values::Nested;
use super::weights::Weights;
use super::written::{Choice, Written, alternatives, choice};
use crate::basis::written::written;

/// The table `[transfer]`; `weights` and `head` are read by those who know their forms.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Transfer {
    // Read by [`Weights`].
    /// The pretrained weights.
    #[schemars(with = "Option<Weights>")]
    pub weights: Option<IgnoredAny>,
    /// One of the four cases of the textbook, or what measurement says.
    pub case: Option<Written<Option<Case>>>,
    /// Where the pretrained network ends.
    pub cut: Option<Cut>,
    // Read by [`template`](super::template).
    /// Layers on top of what is kept: `["flatten", { dense = "classes" }]`.
    #[schemars(with = "Option<Nested<Element>>")]
    pub head: Option<IgnoredAny>,
    /// How what is kept starts.
    pub init: Option<Start>,
    /// What never learns, unless `unfreeze` says so.
    pub freeze: Option<Layers>,
    /// What begins to learn later.
    #[serde(default)]
    pub unfreeze: Vec<Unfreeze>,
    /// What the head does before anything else learns.
    #[serde(default)]
    pub probe: Probe,
    /// From each layer with weights to the one below: the factor on the learning rate.
    pub layer_lr_decay: Option<f64>,
    /// Strength of the pull towards the pretrained weights.
    #[serde(default)]
    pub l2_sp: f64,
    /// So many of the topmost kept layers with weights start anew.
    #[serde(default)]
    pub reinit: usize,
    /// Augmented variants of each image that frozen layers see, over and over.
    pub feature_variants: Option<usize>,
    /// Images from which on a data set is large.
    pub border: Option<usize>,
}

/// The four cases of the textbook: how large the new data set is, and how similar to the one that
/// the network was trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Case {
    /// Cut the end, freeze the rest, train a new head.
    SmallSimilar,
    /// Cut near the beginning, freeze the rest, train a new head.
    SmallDifferent,
    /// Replace the end, train everything from the pretrained weights.
    LargeSimilar,
    /// Replace the end, train everything from scratch.
    LargeDifferent,
}

impl Case {
    /// Every case.
    pub const ALL: [Case; 4] =
        [Case::SmallSimilar, Case::SmallDifferent, Case::LargeSimilar, Case::LargeDifferent];

    /// The case of a data set that is large or small, similar or different.
    pub fn of(large: bool, similar: bool) -> Case {
        match (large, similar) {
            (false, true) => Case::SmallSimilar,
            (false, false) => Case::SmallDifferent,
            (true, true) => Case::LargeSimilar,
            (true, false) => Case::LargeDifferent,
        }
    }

    /// As it is written.
    pub fn name(self) -> &'static str {
        CASES[self as usize]
    }
}

/// The cases by name, and what `wick advise` finds.
const CASES: [&str; 5] =
    ["small-similar", "small-different", "large-similar", "large-different", "auto"];

impl<'de> Deserialize<'de> for Written<Option<Case>> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Written(match choice(deserializer, &CASES, &CASES[Case::ALL.len()..])? {
            Choice::Name(_) => None,
            Choice::Other(case) => Some(case),
        }))
    }
}

written!(Written<Option<Case>>, "Case", |types| = {
    let mut schema = Case::json_schema(types);
    let auto = "What `wick advise` finds.";
    let auto = json!({ "type": "string", "const": "auto", "description": auto });
    alternatives(&mut schema).push(auto);
    schema
});

/// Where the pretrained network ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Cut {
    /// Before its last layer with weights.
    End,
    /// Behind the first fifth of its layers with weights.
    Beginning,
    /// Behind this part of its layers with weights.
    Part(f64),
    /// Behind the layer or block with this name.
    Layer(String),
}

written!(Cut, "Cut", {
    "anyOf": [
        { "const": "end", "description": "Before its last layer with weights." },
        { "const": "beginning", "description": "Behind the first fifth of its layers with weights." },
        { "type": "number", "description": "Behind this part of its layers with weights." },
        { "type": "string", "description": "Behind the layer or block with this name." },
    ],
});

impl<'de> Deserialize<'de> for Cut {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Cut;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("\"end\", \"beginning\", the name of a layer, or a part such as 0.5")
            }
            fn visit_f64<E: Error>(self, part: f64) -> Result<Cut, E> {
                Ok(Cut::Part(part))
            }
            fn visit_i64<E: Error>(self, part: i64) -> Result<Cut, E> {
                Ok(Cut::Part(part as f64))
            }
            fn visit_str<E: Error>(self, name: &str) -> Result<Cut, E> {
                Ok(match name {
                    "end" => Cut::End,
                    "beginning" => Cut::Beginning,
                    name => Cut::Layer(name.to_owned()),
                })
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// How what is kept of the network starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// With the pretrained weights.
    Pretrained,
    /// As `init` of each layer says.
    Random,
}

/// Layers by name; a `*` stands for any part, and the name of a block for all that is in it.
#[derive(Clone, Debug, PartialEq)]
pub enum Layers {
    /// `"all"`: everything that is kept.
    All,
    /// `"none"`.
    None,
    /// `["conv1", "features.3*"]`.
    Named(Vec<String>),
}

written!(Layers, "LayersByName", {
    "anyOf": [
        { "const": "all", "description": "Everything that is kept." },
        { "const": "none" },
        {
            "type": "array",
            "items": { "type": "string" },
            "description": "Names; a `*` stands for any part, a block for all that is in it.",
        },
    ],
});

impl<'de> Deserialize<'de> for Layers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Layers;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("\"all\", \"none\" or a list of names such as [\"conv1\", \"layer1*\"]")
            }
            fn visit_str<E: Error>(self, name: &str) -> Result<Layers, E> {
                match name {
                    "all" => Ok(Layers::All),
                    "none" => Ok(Layers::None),
                    other => Err(E::unknown_variant(other, &["all", "none"])),
                }
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Layers, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Layers::Named)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// What the head does before anything else learns (linear probing, then fine-tuning: Kumar et al., 2022).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// The number of epochs in which only the head learns.
    Epochs(usize),
    /// `"fitted"`: it starts as the linear head that fits the training images best.
    Fitted,
}

impl Default for Probe {
    fn default() -> Probe {
        Probe::Epochs(0)
    }
}

impl Probe {
    /// Epochs in which the head learns alone.
    pub fn epochs(self) -> usize {
        match self {
            Probe::Epochs(epochs) => epochs,
            Probe::Fitted => 0,
        }
    }
}

written!(Probe, "Probe", {
    "anyOf": [
        { "type": "integer", "minimum": 0, "description": "Epochs that the head learns alone." },
        {
            "const": "fitted",
            "description": "The head starts as the linear head that fits the training images best.",
        },
    ],
});

impl<'de> Deserialize<'de> for Probe {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Probe;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a number of epochs or \"fitted\"")
            }
            fn visit_i64<E: Error>(self, epochs: i64) -> Result<Probe, E> {
                let wrong = || E::invalid_value(serde::de::Unexpected::Signed(epochs), &self);
                usize::try_from(epochs).map(Probe::Epochs).map_err(|_| wrong())
            }
            fn visit_str<E: Error>(self, name: &str) -> Result<Probe, E> {
                match name {
                    "fitted" => Ok(Probe::Fitted),
                    other => Err(E::unknown_variant(other, &["fitted"])),
                }
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// Layers that begin to learn.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Unfreeze {
    /// With this epoch, counted from 1.
    pub epoch: usize,
    /// These.
    pub layers: Layers,
}
