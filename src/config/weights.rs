//! `model.weights`: a file of weights to start from.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::path::KeyPath;
use super::problem::Problem;
use super::read::{WrittenPath, read};
use super::tree::{Content, Node};

/// A file's path alone, or a table.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Weights {
    /// safetensors, PyTorch's `.pth`, or NumPy's `.npz`.
    pub file: WrittenPath,
    /// Names in the file and the parameters that they are; a `*` stands for any part.
    #[serde(default)]
    pub rename: BTreeMap<String, String>,
    /// Whether every parameter has to be in the file and every tensor of it used; true if not given.
    pub strict: Option<bool>,
}

impl Weights {
    /// Reads the value at `node`, which stands at `path`.
    pub fn read(node: &Node, path: &KeyPath) -> Result<Weights, Problem> {
        let mut weights = match &node.content {
            Content::String(_) => {
                let file = read::<WrittenPath>(node, path)?;
                Weights { file, rename: BTreeMap::new(), strict: None }
            }
            _ => read::<Weights>(node, path)?,
        };
        // A place on the Hub is not below the experiment's folder.
        if weights.file.written.starts_with("hf:") {
            weights.file.path = weights.file.written.clone().into();
        }
        Ok(weights)
    }
}
