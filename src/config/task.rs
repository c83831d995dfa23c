//! How many labels an image has.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is to be said of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// The one class that it is of.
    #[default]
    SingleLabel,
    /// All of its labels: any number of classes, or none.
    MultiLabel,
}

impl Task {
    /// Whether each image has one label.
    pub fn is_single_label(&self) -> bool {
        *self == Task::SingleLabel
    }

    /// Whether an image may have several labels, or none.
    pub fn is_multi_label(&self) -> bool {
        *self == Task::MultiLabel
    }
}

/// What stands between the labels of an image where they are written in one cell, unless a table says otherwise.
pub const SEPARATOR: &str = "|";
