//! How much work a trial is, counted in multiplications with addition: the same on every machine.

use super::Plan;
use super::memory::feature_bytes;
use super::model::LayerPlan;

/// Forward passes that a training step is about: forward, and backward to weights and to what lies below.
const STEP: u64 = 3;

/// The work of a trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Once, whatever the number of epochs: what frozen layers make of the images, if it is kept.
    pub once: u64,
    /// In each epoch.
    pub epoch: u64,
}

impl Work {
    /// Of a trial of `plan` that learns from `train` images and looks at `evaluated` ones after each epoch.
    pub fn of(plan: &Plan, train: usize, evaluated: usize) -> Work {
        let (train, evaluated) = (train as u64, evaluated as u64);
        let sum = |layers: &[LayerPlan]| layers.iter().map(LayerPlan::flops).sum::<u64>();
        let (frozen, learns) = plan.model.layers.split_at(plan.model.frozen_prefix(1));
        let (frozen, learns) = (sum(frozen), sum(learns));
        let passes = frozen * (train + evaluated);
        let epoch = learns * (STEP * train + evaluated);
        match feature_bytes(plan, 1) {
            0 => Work { once: 0, epoch: epoch + passes },
            _ => Work { once: passes, epoch },
        }
    }

    /// Of so many epochs.
    pub fn whole(self, epochs: usize) -> u64 {
        self.once + self.epoch * epochs as u64
    }
}
