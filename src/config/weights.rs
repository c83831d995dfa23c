//! `model.weights` and `transfer.weights`: weights to start from.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use crate::basis::written::written;
use crate::document::{Content, KeyPath, Node, Problem, WrittenPath, read};

/// Weights to start from: a file's path alone, or a table.
#[derive(Clone, Debug)]
pub struct Weights {
    /// Where they are.
    pub origin: Origin,
    /// Names in the file and the parameters that they belong to; `*` matches any text.
    pub rename: BTreeMap<String, String>,
    /// Whether every parameter has to be in the file and every tensor of it used; true if not given.
    pub strict: Option<bool>,
    /// The key of the tensors in a file that holds several sets of them.
    pub state_dict: Option<String>,
}

/// Where weights are.
#[derive(Clone, Debug)]
pub enum Origin {
    /// safetensors, PyTorch's `.pth`, or NumPy's `.npz`; bundled ones, or a place on the Hub.
    File(WrittenPath),
    /// The best epoch of a trial of an experiment whose results lie beside this one's.
    Experiment(String, Which),
}

/// What places that are not below the experiment's folder begin with.
const ELSEWHERE: [&str; 2] = ["hf:", "bundled:"];

written!(Weights, "Weights", |types| {
    "anyOf": [
        types.subschema_for::<WrittenPath>(),
        types.subschema_for::<FromFile>(),
        types.subschema_for::<FromExperiment>(),
    ],
});

/// A file, as a table.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct FromFile {
    /// safetensors, PyTorch's `.pth` or `.pt`, NumPy's `.npz`; bundled weights; a place on the Hub.
    file: WrittenPath,
    /// Names in the file and the parameters that they belong to; `*` matches any text.
    #[serde(default)]
    rename: BTreeMap<String, String>,
    /// Whether every parameter has to be in the file and every tensor of it used; true if not given.
    strict: Option<bool>,
    /// The key of the tensors in a file of `torch.save` that holds several sets of them, such as
    /// `"state_dict_ema"`; the usual one if not given.
    state_dict: Option<String>,
}

/// The best epoch of a trial of an earlier experiment.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct FromExperiment {
    /// Its name: its results lie beside this one's.
    experiment: String,
    /// Which of its trials.
    #[serde(default)]
    trial: Which,
}

impl Weights {
    /// Reads the value at `node`, which stands at `path`.
    pub fn read(node: &Node, path: &KeyPath) -> Result<Weights, Problem> {
        let mut weights = match &node.content {
            Content::String(_) => {
                let origin = Origin::File(read::<WrittenPath>(node, path)?);
                Weights { origin, rename: BTreeMap::new(), strict: None, state_dict: None }
            }
            _ if node.get("experiment").is_some() => {
                let FromExperiment { experiment, trial } = read(node, path)?;
                let origin = Origin::Experiment(experiment, trial);
                Weights { origin, rename: BTreeMap::new(), strict: None, state_dict: None }
            }
            _ => {
                let FromFile { file, rename, strict, state_dict } = read(node, path)?;
                Weights { origin: Origin::File(file), rename, strict, state_dict }
            }
        };
        if let Origin::File(file) = &mut weights.origin
            && ELSEWHERE.iter().any(|scheme| file.written.starts_with(scheme))
        {
            file.path = file.written.clone().into();
        }
        Ok(weights)
    }
}

/// A trial of an earlier experiment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// `"best"`: the one with the best metric.
    #[default]
    Best,
    /// The one with this number.
    Number(usize),
}

written!(Which, "Which", {
    "anyOf": [
        { "const": "best", "description": "The one with the best metric." },
        { "type": "integer", "minimum": 1, "description": "The one with this number." },
    ],
});

impl<'de> Deserialize<'de> for Which {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Which;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("\"best\" or the number of a trial")
            }
            fn visit_str<E: Error>(self, name: &str) -> Result<Which, E> {
                match name {
                    "best" => Ok(Which::Best),
                    other => Err(E::unknown_variant(other, &["best"])),
                }
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Which, E> {
                match usize::try_from(number) {
                    Ok(number) if number >= 1 => Ok(Which::Number(number)),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Signed(number), &self)),
                }
            }
        }
        deserializer.deserialize_any(Reader)
    }
}
