//! `data.sampling`: how often the training images of each class are learnt from.
//!
//! ```toml
//! sampling = "shuffle"               # each image once in an epoch
//! sampling = "balanced"              # each class as often as any other
//! sampling = { power = 0.5 }         # in between: as often as the number of its images to this power
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How often the training images of each class are learnt from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sampling {
    /// Each image once in an epoch.
    #[default]
    Shuffle,
    /// Each class as often as any other, which is a power of 0.
    Balanced,
    /// Each class with a probability in proportion to the number of its images to this power, from 0
    /// (balanced) to 1 (as often as it has images).
    Power(#[schemars(range(min = 0, max = 1))] f64),
}

impl Sampling {
    /// Whether each image is learnt from once in an epoch.
    pub fn is_shuffle(&self) -> bool {
        *self == Sampling::Shuffle
    }

    /// The power; none where each image is learnt from once.
    pub fn power(&self) -> Option<f64> {
        match self {
            Sampling::Shuffle => None,
            Sampling::Balanced => Some(0.0),
            Sampling::Power(power) => Some(*power),
        }
    }
}
