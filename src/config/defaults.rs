//! The lowest layer of every experiment, and which of its settings are choices.

use std::path::PathBuf;
use std::sync::Arc;

use crate::document::parse::parse;
use crate::document::{BUILT_IN, Node, SourceFile};

/// The lowest layer, an annotated document.
pub const DEFAULTS: &str = include_str!("defaults.toml");

/// Settings whose tables name one choice: a higher layer replaces them as a whole.
pub const CHOICES: [&str; 23] = [
    "data.source",
    "data.fit",
    "data.group",
    "data.sampling",
    "data.subset",
    "data.test",
    "data.normalise",
    "model.weights",
    "model.defaults.activation",
    "model.defaults.norm",
    "model.defaults.dropout",
    "model.defaults.init",
    "train.optimizer",
    "train.schedule",
    "train.early-stop",
    "train.class-weights",
    "train.clip",
    "train.loss",
    "train.look-ahead",
    "train.average",
    "train.distill",
    "sweep.prune",
    "transfer.weights",
];

/// The built-in defaults as a tree.
pub fn defaults() -> Node {
    parse(Arc::new(SourceFile {
        path: BUILT_IN.to_owned(),
        text: DEFAULTS.to_owned(),
        folder: PathBuf::new(),
    }))
    .expect("the built-in defaults are TOML")
}
