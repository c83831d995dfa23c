//! One trial with nothing left open, and its identity.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::augment::AugmentPlan;
use super::data::DataPlan;
use super::model::{ModelPlan, WeightsPlan};
use super::train::TrainPlan;
use crate::basis::device::Kind;

/// Raised when the same plan would give other numbers than before, so that old results are not
/// taken for new ones.
pub(super) const REVISION: u32 = 4;

/// As [`REVISION`], of plans that keep groups of images together: changes when parts of groups are drawn otherwise.
const GROUPS: u32 = 2;

fn is_nothing(augment: &Arc<AugmentPlan>) -> bool {
    augment.is_nothing()
}

/// One trial, with nothing left open. What trials have in common they share: there may be a million of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Plan {
    /// All randomness of the trial comes from it.
    pub seed: u64,
    /// What computes: its kind changes numbers, as nothing else of `[run]` does.
    #[serde(default, skip_serializing_if = "Kind::is_cpu")]
    pub device: Kind,
    /// The images.
    pub data: Arc<DataPlan>,
    /// What happens to them on their way to the network.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub augment: Arc<AugmentPlan>,
    /// The network.
    pub model: Arc<ModelPlan>,
    /// The recipe.
    pub train: Arc<TrainPlan>,
}

impl Plan {
    /// The identity of a plan: 16 hexadecimal digits. The number of epochs is no part of it unless the
    /// learning rate depends on it, so that a trial can be trained for longer.
    pub fn digest(self) -> String {
        let Plan { seed, device, data, augment, model, train } = &self;
        let body = BodyText::new(*device, data, augment, model);
        digest(body.begin(*seed), &recipe_text(train))
    }
}

/// What of a plan's identity does not depend on its seed and its recipe: what is hashed, as text.
#[derive(Clone, Debug)]
pub(super) struct BodyText {
    device: Kind,
    text: String,
}

impl BodyText {
    /// Of a plan with these parts, with the paths of `data` as they are written.
    pub(super) fn new(
        device: Kind,
        data: &DataPlan,
        augment: &AugmentPlan,
        model: &ModelPlan,
    ) -> Self {
        let mut text = section("data", data);
        if !data.group.is_none() {
            text.push_str(&format!("groups = {GROUPS}\n"));
        }
        if !augment.is_nothing() {
            text.push('\n');
            text.push_str(&section("augment", augment));
        }
        text.push('\n');
        match &model.weights {
            None => text.push_str(&section("model", model)),
            // A file of weights is what is in it.
            Some(weights) => {
                let weights = WeightsPlan { file: PathBuf::new(), ..weights.clone() };
                let model = ModelPlan { weights: Some(weights), ..model.clone() };
                text.push_str(&section("model", &model));
            }
        }
        BodyText { device, text }
    }

    /// The hash so far of a plan with `seed`.
    pub(super) fn begin(&self, seed: u64) -> blake3::Hasher {
        #[derive(Serialize)]
        #[serde(rename_all = "kebab-case")]
        struct Head {
            seed: u64,
            #[serde(skip_serializing_if = "Kind::is_cpu")]
            device: Kind,
        }
        let head = Head { seed, device: self.device };
        let mut hasher = blake3::Hasher::new();
        hasher.update(&REVISION.to_le_bytes());
        hasher.update(toml::to_string(&head).expect("a plan is plain data").as_bytes());
        hasher.update(b"\n");
        hasher.update(self.text.as_bytes());
        hasher.update(b"\n");
        hasher
    }
}

/// What of a plan's identity is its recipe.
pub(super) fn recipe_text(train: &TrainPlan) -> String {
    let mut train = train.clone();
    let is_evaluated = train.epochs == 0;
    if !train.schedule.depends_on_epochs() {
        train.epochs = 0;
    }
    // A teacher is what is in its file.
    if let Some(distill) = &mut train.distill {
        distill.file = PathBuf::new();
    }
    let text = section("train", &train);
    // A network that is evaluated as it is, is not the beginning of one that is trained.
    if is_evaluated { format!("{text}evaluated as it starts") } else { text }
}

/// The identity of a plan whose hash was [begun](BodyText::begin): 16 hexadecimal digits.
pub(super) fn digest(mut begun: blake3::Hasher, recipe: &str) -> String {
    begun.update(recipe.as_bytes());
    begun.finalize().to_hex()[..16].to_owned()
}

/// A table of a plan, as the plan as a whole has it.
fn section(name: &str, table: &impl Serialize) -> String {
    let whole = std::collections::BTreeMap::from([(name, table)]);
    toml::to_string(&whole).expect("a plan is plain data")
}
