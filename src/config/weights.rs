//! `model.weights` and `transfer.weights`: weights to start from.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::path::KeyPath;
use super::problem::Problem;
use super::read::{WrittenPath, read};
use super::transfer::Which;
use super::tree::{Content, Node};
use crate::basis::written::written;

/// Weights to start from: a file's path alone, or a table.
#[derive(Clone, Debug)]
pub struct Weights {
    /// Where they are.
    pub origin: Origin,
    /// Names in the file and the parameters that they are; a `*` stands for any part.
    pub rename: BTreeMap<String, String>,
    /// Whether every parameter has to be in the file and every tensor of it used; true if not given.
    pub strict: Option<bool>,
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
    /// Names in the file and the parameters that they are; a `*` stands for any part.
    #[serde(default)]
    rename: BTreeMap<String, String>,
    /// Whether every parameter has to be in the file and every tensor of it used; true if not given.
    strict: Option<bool>,
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
                Weights { origin, rename: BTreeMap::new(), strict: None }
            }
            _ if node.get("experiment").is_some() => {
                let FromExperiment { experiment, trial } = read(node, path)?;
                let origin = Origin::Experiment(experiment, trial);
                Weights { origin, rename: BTreeMap::new(), strict: None }
            }
            _ => {
                let FromFile { file, rename, strict } = read(node, path)?;
                Weights { origin: Origin::File(file), rename, strict }
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
