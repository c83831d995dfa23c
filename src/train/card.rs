//! What a checkpoint says about itself: network, classes and preprocessing, so that one file is enough
//! to use it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::augment::{BoxRules, Chain, Frame, Image as Pixels};
use crate::basis::seed::derive;
use crate::basis::shape::display;
use crate::data::Normalisation;
use crate::plan::Plan;
use crate::plan::augment::{behind, behind_own_size};
use crate::plan::data::{DataPlan, Fit, Image, OwnSize, Task};
use crate::plan::model::ModelPlan;

use super::checkpoint::Checkpoint;
use super::trainer::TrialData;

/// The usual k of top-k accuracy.
pub const TOP_K: usize = 5;

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
    /// How many labels an image has: whether probabilities are the softmax of the logits, or the sigmoid of each.
    #[serde(default, skip_serializing_if = "Task::is_single_label")]
    pub task: Task,
    /// Class names in the order of the logits.
    pub classes: Vec<String>,
    /// Of several labels: the least probability with which an image is said to have each, in the order of the classes;
    /// empty where they were not chosen, and ½ is it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<f64>,
    /// The k of top-k accuracy, where it is not [`TOP_K`] or, if there are fewer, the number of classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<usize>,
    /// Subtracted from pixels in [0, 1], one number per channel.
    pub mean: Vec<f32>,
    /// Divided by.
    pub std: Vec<f32>,
    /// Size and channels that images are decoded to.
    pub image: Image,
    /// How an image of another shape is brought to that size.
    #[serde(default, skip_serializing_if = "Fit::is_stretch")]
    pub fit: Fit,
    /// What happens to them as they are read, where transforms bring them to that size.
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
    /// Which images it was trained, chosen and tested on; of paths there is only the last name, as they are of
    /// one machine. Weights from elsewhere do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<DataPlan>,
    /// The network.
    pub model: ModelPlan,
}

/// `data` without the folders that its paths lead through.
pub fn without_folders(data: &DataPlan) -> DataPlan {
    let name = |path: &PathBuf| path.file_name().map(PathBuf::from).unwrap_or_default();
    DataPlan {
        source: data.source.with_path(&name),
        test: data.test.with_path(&name),
        ..data.clone()
    }
}

/// Why a checkpoint has no card.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    /// It says nothing of a network.
    #[error("it does not describe its network")]
    Missing,
    /// What it says cannot be read, as that of another version.
    #[error("the description of its network cannot be read: {0}")]
    Unreadable(#[from] toml::de::Error),
    /// What it says does not fit together.
    #[error("the description of its network is wrong: {0}")]
    Impossible(String),
}

impl Card {
    /// The card of a trial.
    ///
    /// # Errors
    /// If an image cannot be decoded.
    pub fn new(plan: &Plan, data: &TrialData) -> Result<Card, crate::data::Error> {
        let mut model = ModelPlan::clone(&plan.model);
        // Where weights came from is known by their hash; the path is of this machine only.
        if let Some(weights) = &mut model.weights {
            weights.file = weights.file.file_name().map(Into::into).unwrap_or_default();
        }
        Ok(Card {
            program: concat!("candlewick ", env!("CARGO_PKG_VERSION")).to_owned(),
            seed: plan.seed,
            images: data.dataset.fingerprint()?.to_owned(),
            task: plan.data.task,
            classes: data.dataset.classes().to_vec(),
            thresholds: Vec::new(),
            top_k: Some(plan.train.top_k).filter(|k| *k != TOP_K.min(plan.model.classes)),
            mean: data.normalisation.mean.clone(),
            std: data.normalisation.std.clone(),
            image: plan.data.image,
            fit: plan.data.fit,
            own_size: plan.data.own_size.clone(),
            centre: false,
            evaluation: plan.augment.evaluation.clone(),
            test_time: plan.augment.test_time.clone(),
            data: Some(without_folders(&plan.data)),
            model,
        })
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

    /// What the network sees of an image as it was decoded: view number `view`, which `chain` makes of it.
    pub fn view(&self, chain: &Chain, view: u64, frame: Frame, decoded: &[u8]) -> Pixels {
        let mut pixels = Pixels::new(frame, decoded.to_vec());
        // An image has no number here; what it shows decides how it is seen, in whatever batch.
        let content = *blake3::hash(decoded).as_bytes().first_chunk().expect("32 bytes");
        let counters = [view, u64::from_le_bytes(content)];
        let mut stream = derive(self.seed, "view of an image", &counters);
        chain.apply(&mut pixels, &mut Vec::new(), BoxRules::default(), &mut stream, None);
        pixels
    }

    /// What the network sees of an image as it was decoded, without test-time augmentation.
    pub fn plain_view(&self, decoded: &Pixels) -> Pixels {
        self.view(&self.evaluation, 0, decoded.frame(), decoded.pixels())
    }

    /// The word and its text, for a checkpoint.
    pub fn word(&self) -> (String, String) {
        (WORD.to_owned(), toml::to_string(self).expect("a card is plain data"))
    }

    /// The card of a checkpoint. Whoever made the file, its network is one, and its tensors are of that network.
    pub fn of(checkpoint: &Checkpoint) -> Result<Card, CardError> {
        let card: Card = toml::from_str(checkpoint.words.get(WORD).ok_or(CardError::Missing)?)?;
        card.check().map_err(CardError::Impossible)?;
        for (name, needed) in card.model.tensors() {
            if let Some((found, _)) = checkpoint.tensors.get(&name)
                && *found != needed
            {
                let (found, needed) = (display(found), display(&needed));
                let words = format!("{name} is {found}, the network needs {needed}");
                return Err(CardError::Impossible(words));
            }
        }
        Ok(card)
    }

    /// Finds out whether images can go through it.
    fn check(&self) -> Result<(), String> {
        let Image { size: [height, width], channels } = self.image;
        if !self.image.is_sound() {
            return Err(format!("images of {height}×{width} with {channels} channels"));
        }
        let is_number = |number: &f32| number.is_finite();
        let divides = |number: &f32| number.is_normal();
        let (mean, std) = (&self.mean, &self.std);
        if [mean.len(), std.len()] != [channels; 2]
            || !mean.iter().all(is_number)
            || !std.iter().all(divides)
        {
            return Err(format!(
                "a mean of {mean:?} and a deviation of {std:?} for {channels} channels"
            ));
        }
        if self.classes.len() != self.model.classes {
            let (names, classes) = (self.classes.len(), self.model.classes);
            return Err(format!("{names} names for {classes} classes"));
        }
        let are_parts = self.thresholds.iter().all(|threshold| (0.0..=1.0).contains(threshold));
        if !self.thresholds.is_empty()
            && (self.task.is_single_label() || self.thresholds.len() != self.classes.len())
            || !are_parts
        {
            let thresholds = &self.thresholds;
            return Err(format!("thresholds {thresholds:?} for {} classes", self.classes.len()));
        }
        if self.top_k == Some(0) {
            return Err("top-k accuracy of no classes".to_owned());
        }
        if let Some(data) = &self.data {
            data.check()?;
            if data.task != self.task {
                return Err("its data has another number of labels for an image".to_owned());
            }
            if data.image != self.image || data.fit != self.fit || data.own_size != self.own_size {
                return Err("its data gives images of another size".to_owned());
            }
        }
        self.model.check()?;
        let frame = Frame { height, width, channels };
        for chain in std::iter::once(&self.evaluation).chain(&self.test_time) {
            let found = match &self.own_size {
                None => behind(chain, frame)?,
                Some(own_size) => behind_own_size(own_size, chain, frame)?,
            };
            let Frame { height, width, channels } = found;
            if self.model.input != [channels, height, width] {
                let input = display(&self.model.input);
                return Err(format!(
                    "images of {channels}×{height}×{width} for a network of {input}"
                ));
            }
        }
        Ok(())
    }
}
