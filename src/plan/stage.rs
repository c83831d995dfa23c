//! Stages: what a trial has come to after its first epochs, and which trials come to the same.
//!
//! A trial is a chain of epochs. The digest of its first e epochs is a hash of everything that can have had an influence
//! on its state after them: what holds from the beginning, and then, epoch by epoch, the learning rate, the size of
//! batches and of images, whether they are augmented, which layers begin to learn, and which mean of the weights begins. Trials whose
//! first e epochs have one digest have the same weights, the same state of the optimiser and the same records after
//! them, whatever comes later. When a trial stops and which of its epochs is the best decides about none of its epochs,
//! so it is no part of a digest.

mod tree;

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use crate::basis::device::Kind;
use crate::config::train::progressive::size_in;
use crate::config::train::schedule::Schedule;

use super::Plan;
use super::augment::AugmentPlan;
use super::data::DataPlan;
use super::distill::DistillPlan;
use super::model::{LayerPlan, ModelPlan, Tuning};
use super::plan::BodyText;
use super::train::TrainPlan;

pub use self::tree::{Stage, StageTree};

/// Raised when the same epochs would give another state or other records than before.
const REVISION: u32 = 1;

/// The digest of the first epochs of a trial.
pub type StageDigest = blake3::Hash;

/// The digests of the first epochs of trials. What trials share of their plans is looked at once.
#[derive(Default)]
pub struct StageDigests {
    /// By where the parts of a plan are: what holds for the images and the network from the beginning. The parts are
    /// held, so that nothing else comes to be there.
    bodies: HashMap<[usize; 3], (Body, blake3::Hash)>,
    /// By where the recipe is: what of it holds from the beginning.
    recipes: HashMap<usize, (Arc<TrainPlan>, blake3::Hash)>,
}

/// Parts of a plan that are held.
type Body = (Arc<DataPlan>, Arc<AugmentPlan>, Arc<ModelPlan>);

impl StageDigests {
    /// What the first epochs of trials of `plan` have in common from the beginning.
    fn beginning(&mut self, plan: &Plan) -> blake3::Hash {
        let Plan { seed, device, data, augment, model, train } = plan;
        let place =
            [Arc::as_ptr(data).addr(), Arc::as_ptr(augment).addr(), Arc::as_ptr(model).addr()];
        let (_, body) = self.bodies.entry(place).or_insert_with(|| {
            let text = BodyText::new(Kind::Cpu, data, &at_first(augment), &as_begun(model));
            ((data.clone(), augment.clone(), model.clone()), text.begin(0).finalize())
        });
        let (_, recipe) = self
            .recipes
            .entry(Arc::as_ptr(train).addr())
            .or_insert_with(|| (train.clone(), blake3::hash(recipe_text(train).as_bytes())));
        let mut hasher = blake3::Hasher::new();
        hasher.update(&REVISION.to_le_bytes());
        hasher.update(&seed.to_le_bytes());
        hasher.update(format!("{device:?}\n").as_bytes());
        hasher.update(body.as_bytes());
        hasher.update(recipe.as_bytes());
        hasher.finalize()
    }

    /// The digests of the first epoch of `plan`, of its first two, and so on, to all of them.
    pub fn of<'a>(&mut self, plan: &'a Plan) -> Epochs<'a> {
        let begins = plan.model.layers.iter().enumerate().filter_map(|(index, layer)| {
            let Tuning { pretrained: _, from_epoch, lr_factor } = layer.tuning?;
            Some((from_epoch.filter(|first| *first > 1)?, index, lr_factor))
        });
        Epochs {
            train: &plan.train,
            augment: &plan.augment,
            begins: begins.collect(),
            epoch: 0,
            digest: self.beginning(plan),
        }
    }
}

/// The digests of the first epochs of a trial, one epoch more each time.
#[derive(Clone)]
pub struct Epochs<'a> {
    train: &'a TrainPlan,
    augment: &'a AugmentPlan,
    /// The epoch with which layers begin to learn that do not from the start, their index and the factor on their rate.
    begins: Vec<(usize, usize, f64)>,
    epoch: usize,
    digest: StageDigest,
}

impl Epochs<'_> {
    /// That of no epochs: trials that have another one never have anything in common.
    pub(super) fn of_none(&self) -> StageDigest {
        self.digest
    }
}

impl Iterator for Epochs<'_> {
    type Item = StageDigest;

    fn next(&mut self) -> Option<StageDigest> {
        if self.epoch >= self.train.epochs {
            return None;
        }
        self.epoch += 1;
        let epoch = self.epoch;
        let mut text = rate(self.train, epoch);
        if let Some(size) = size_in(&self.train.progressive_resizing, epoch) {
            let _ = write!(text, "; images of {size:?}");
        }
        let size = self.train.batch_size_in(epoch);
        if size != self.train.batch_size {
            let _ = write!(text, "; batches of {size}");
        }
        if self.augment.until.is_some_and(|until| epoch > until) {
            text.push_str("; not augmented");
        }
        for (_, index, factor) in self.begins.iter().filter(|(first, ..)| *first == epoch) {
            let _ = write!(text, "; layer {index} begins with {:x}", factor.to_bits());
        }
        if self.train.average.from_epoch() == Some(epoch) {
            let _ = write!(text, "; {:?}", self.train.average);
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.digest.as_bytes());
        hasher.update(text.as_bytes());
        self.digest = hasher.finalize();
        Some(self.digest)
    }
}

/// The learning rate in epoch `epoch`, counted from 1, in words: equal words, equal factors in all of its steps, if all
/// epochs before were the same.
fn rate(train: &TrainPlan, epoch: usize) -> String {
    let TrainPlan { epochs, schedule, warmup, .. } = train;
    if *warmup >= epoch as f64 {
        return format!("rises over {:x}", warmup.to_bits());
    }
    let rises = match *warmup > (epoch - 1) as f64 {
        true => format!("rises over {:x}, ", warmup.to_bits()),
        false => String::new(),
    };
    let factor = |factor: f64| format!("{rises}factor {:x}", factor.to_bits());
    match schedule {
        Schedule::Constant
        | Schedule::Step { .. }
        | Schedule::Exponential { .. }
        | Schedule::Steps { .. } => factor(schedule.by_epoch(epoch as u64 - 1).unwrap_or(1.0)),
        // The rate cannot have fallen yet.
        Schedule::Plateau { patience, .. } if epoch <= patience + 1 => factor(1.0),
        Schedule::Plateau { .. } => format!("{rises}{schedule:?}"),
        Schedule::CosineRestarts { period, floor, .. }
            if epoch as f64 <= warmup.floor() + *period as f64 =>
        {
            // How long the next one lasts does not matter yet.
            format!("cosine of {period} to {:x} behind {:x}", floor.to_bits(), warmup.to_bits())
        }
        Schedule::CosineRestarts { .. } => format!("{schedule:?} behind {:x}", warmup.to_bits()),
        Schedule::Cosine { .. } | Schedule::Poly { .. } | Schedule::OneCycle { .. } => {
            format!("{schedule:?} behind {:x} over {epochs}", warmup.to_bits())
        }
    }
}

/// What of the augmentation holds from the beginning: all but until when, and what test images alone get.
fn at_first(augment: &AugmentPlan) -> AugmentPlan {
    let AugmentPlan { train, until: _, mixing, evaluation, test_time: _, boxes } = augment;
    AugmentPlan {
        train: train.clone(),
        until: None,
        mixing: mixing.clone(),
        evaluation: evaluation.clone(),
        test_time: Vec::new(),
        boxes: *boxes,
    }
}

/// The network without what has no influence before layers begin to learn that do not from the start.
fn as_begun(model: &ModelPlan) -> ModelPlan {
    // A head that is fitted at the beginning is another one from then on, whether it learns or not.
    let fits_head = model.transfer.is_some_and(|transfer| transfer.fits_head);
    let last = model.layers.len().saturating_sub(1);
    let begun = |(index, layer): (usize, &LayerPlan)| {
        let tuning = layer.tuning.map(|tuning| {
            let Tuning { pretrained, from_epoch, lr_factor: _ } = tuning;
            match from_epoch {
                Some(..=1) => tuning,
                _ if fits_head && index == last => tuning,
                _ => Tuning { pretrained, from_epoch: None, lr_factor: 1.0 },
            }
        });
        LayerPlan { tuning, ..layer.clone() }
    };
    let layers = model.layers.iter().enumerate().map(begun).collect();
    ModelPlan { layers, ..model.clone() }
}

/// What of a recipe holds from the beginning, in words.
fn recipe_text(train: &TrainPlan) -> String {
    // Every field is named, so that who adds one has to say here from when on it matters.
    let TrainPlan {
        // How long a trial lasts matters where the learning rate depends on it, see `rate`.
        epochs: _,
        batch_size,
        drop_last,
        accumulate,
        optimizer,
        // See `rate`.
        schedule: _,
        warmup: _,
        // When a trial stops, and which epoch is the best, decides about none of its epochs.
        early_stop: _,
        best: _,
        loss,
        label_smoothing,
        class_weights,
        clip,
        decay_on,
        parameters,
        sam,
        look_ahead,
        // See `Epochs`.
        batch_sizes: _,
        progressive_resizing: _,
        distill,
        average: _,
        top_k,
    } = train;
    // A teacher is what is in its file.
    let distill = distill.as_ref().map(|distill| {
        let DistillPlan { file: _, hash, temperature, weight, bytes: _ } = distill;
        (hash, temperature, weight)
    });
    let batches = (batch_size, drop_last, accumulate);
    let minimised = (loss, label_smoothing, class_weights, distill);
    let steps = (optimizer, clip, decay_on, parameters, sam, look_ahead);
    // The shortest digits that tell a number from all others.
    format!("{batches:?} {minimised:?} {steps:?} {top_k}")
}

#[cfg(test)]
mod tests;
