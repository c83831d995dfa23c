//! What a checkpoint says about itself: network, classes and preprocessing, so that one file is enough
//! to use it.

use serde::{Deserialize, Serialize};

use crate::augment::Chain;
use crate::data::Normalisation;
use crate::plan::Plan;
use crate::plan::data::{Image, OwnSize};
use crate::plan::model::ModelPlan;

use super::checkpoint::Checkpoint;
use super::trainer::TrialData;

/// The word of a checkpoint that holds its card.
const WORD: &str = "card";

/// A trained network without its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Card {
    /// Program and version that trained it.
    pub program: String,
    /// The seed of its trial.
    pub seed: u64,
    /// Hash of the images that it was trained and tested on.
    pub images: String,
    /// Class names in the order of the logits.
    pub classes: Vec<String>,
    /// Subtracted from pixels in [0, 1], one number per channel.
    pub mean: Vec<f32>,
    /// Divided by.
    pub std: Vec<f32>,
    /// Size and channels that images are decoded to.
    pub image: Image,
    /// What happens to them as they are read, where they are not simply resized to that size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_size: Option<OwnSize>,
    /// Whether they are cut to their centre for that, instead of being stretched.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub centre: bool,
    /// What happens to them then.
    #[serde(default, skip_serializing_if = "Chain::is_empty")]
    pub evaluation: Chain,
    /// Further views of each image, whose logits are averaged with the plain one's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub test_time: Vec<Chain>,
    /// The network.
    pub model: ModelPlan,
}

/// Why a checkpoint has no card.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    /// It says nothing of a network.
    #[error("it does not say what network its weights belong to")]
    Missing,
    /// What it says cannot be read, as that of another version.
    #[error("what it says of its network cannot be read: {0}")]
    Unreadable(#[from] toml::de::Error),
}

impl Card {
    /// The card of a trial.
    pub fn new(plan: &Plan, data: &TrialData) -> Card {
        let mut model = plan.model.clone();
        // Where weights came from is known by their hash; the path is of this machine only.
        if let Some(weights) = &mut model.weights {
            weights.file = weights.file.file_name().map(Into::into).unwrap_or_default();
        }
        Card {
            program: concat!("candlewick ", env!("CARGO_PKG_VERSION")).to_owned(),
            seed: plan.seed,
            images: data.dataset.fingerprint().to_owned(),
            classes: data.dataset.classes().to_vec(),
            mean: data.normalisation.mean.clone(),
            std: data.normalisation.std.clone(),
            image: plan.data.image,
            own_size: plan.data.own_size.clone(),
            centre: false,
            evaluation: plan.augment.evaluation.clone(),
            test_time: plan.augment.test_time.clone(),
            model,
        }
    }

    /// The transforms that validation and test images pass, from when they are read.
    pub fn chain(&self) -> Chain {
        let first = self.own_size.iter().flat_map(|own_size| &own_size.chain.steps);
        Chain { steps: first.chain(&self.evaluation.steps).cloned().collect() }
    }

    /// How pixels become numbers.
    pub fn normalisation(&self) -> Normalisation {
        Normalisation { mean: self.mean.clone(), std: self.std.clone() }
    }

    /// The word and its text, for a checkpoint.
    pub fn word(&self) -> (String, String) {
        (WORD.to_owned(), toml::to_string(self).expect("a card is plain data"))
    }

    /// The card of a checkpoint.
    pub fn of(checkpoint: &Checkpoint) -> Result<Card, CardError> {
        Ok(toml::from_str(checkpoint.words.get(WORD).ok_or(CardError::Missing)?)?)
    }
}
