//! What training minimises.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fault::Faults;

/// The loss of an image, as a function of its logits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LossFunction {
    /// −log p of the image's class, of the softmax.
    #[default]
    CrossEntropy,
    /// −(1 − p)^γ log p of the image's class, of the softmax (Lin et al., 2017): images that are right already count
    /// less. The number is γ.
    Focal(f64),
    /// Binary cross-entropy of each class by itself, of the sigmoid, as a mean over classes.
    Bce,
}

impl LossFunction {
    /// Whether it is the one that is used if nothing is said.
    pub fn is_cross_entropy(&self) -> bool {
        *self == LossFunction::CrossEntropy
    }

    /// Says what is wrong with it, which stands at `at` in the file.
    pub fn check(&self, at: &str, faults: &mut Faults) {
        if let LossFunction::Focal(gamma) = *self {
            faults.within(gamma, 0.0, 100.0, format!("{at}.focal"));
        }
    }
}
