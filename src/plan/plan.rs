//! One trial with nothing left open, and its identity.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::augment::AugmentPlan;
use super::data::DataPlan;
use super::model::ModelPlan;
use super::train::TrainPlan;
use crate::basis::device::Kind;

/// Raised when the same plan would give other numbers than before, so that old results are not
/// taken for new ones.
const REVISION: u32 = 4;

/// One trial, with nothing left open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Plan {
    /// All randomness of the trial comes from it.
    pub seed: u64,
    /// What computes: its kind changes numbers, as nothing else of `[run]` does.
    #[serde(default, skip_serializing_if = "Kind::is_cpu")]
    pub device: Kind,
    /// The images.
    pub data: DataPlan,
    /// What happens to them on their way to the network.
    #[serde(default, skip_serializing_if = "AugmentPlan::is_nothing")]
    pub augment: AugmentPlan,
    /// The network.
    pub model: ModelPlan,
    /// The recipe.
    pub train: TrainPlan,
}

impl Plan {
    /// The identity of a plan: 16 hexadecimal digits. The number of epochs is no part of it unless the
    /// learning rate depends on it, so that a trial can be trained for longer.
    pub(super) fn digest(mut self) -> String {
        let is_trained = self.train.epochs > 0;
        if !self.train.schedule.depends_on_epochs() {
            self.train.epochs = 0;
        }
        // A file of weights is what is in it.
        if let Some(weights) = &mut self.model.weights {
            weights.file = PathBuf::new();
        }
        let text = toml::to_string(&self).expect("a plan is plain data");
        let mut hasher = blake3::Hasher::new();
        hasher.update(&REVISION.to_le_bytes());
        hasher.update(text.as_bytes());
        if !is_trained {
            hasher.update(b"evaluated as it starts");
        }
        hasher.finalize().to_hex()[..16].to_owned()
    }
}
