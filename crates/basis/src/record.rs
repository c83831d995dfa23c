//! Records: what is measured, and the rows that are written.

use std::cmp::Ordering;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is known of a model on one set of images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Mean cross-entropy per image, with the trial's smoothing and class weights.
    pub loss: f64,
    /// Part of the images whose class has the highest score.
    pub accuracy: f64,
    /// Part of the images whose class is among the k highest scores.
    pub top_k: f64,
    /// Mean over classes of the part of predictions that are right; a class that was never
    /// predicted counts as 0.
    pub precision: f64,
    /// Mean over classes of the part of images that are found; classes without images do not count.
    pub recall: f64,
    /// Mean over classes of the harmonic mean of both; classes without images do not count.
    pub f1: f64,
}

impl Scores {
    /// The names of the scores, in the order of [`values`](Self::values).
    pub const NAMES: [&'static str; 6] = ["loss", "accuracy", "top_k", "precision", "recall", "f1"];

    /// The scores in the order of [`NAMES`](Self::NAMES).
    pub fn values(&self) -> [f64; 6] {
        [self.loss, self.accuracy, self.top_k, self.precision, self.recall, self.f1]
    }
}

/// From the scores in the order of [`NAMES`](Scores::NAMES).
impl From<[f64; 6]> for Scores {
    fn from([loss, accuracy, top_k, precision, recall, f1]: [f64; 6]) -> Scores {
        Scores { loss, accuracy, top_k, precision, recall, f1 }
    }
}

/// One epoch of a trial: a row of `metrics.csv`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Counted from 1.
    pub epoch: usize,
    /// Optimiser steps so far.
    pub steps: u64,
    /// The learning rate of the epoch's last step.
    pub lr: f64,
    /// Over the epoch's training batches, as they were trained on.
    pub train: Scores,
    /// At the end of the epoch; none without a validation set.
    pub validation: Option<Scores>,
}

/// The metric that a decision is made by: `train_` or `val_` and the name of a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Loss on the training batches.
    TrainLoss,
    /// Accuracy on the training batches.
    TrainAccuracy,
    /// Loss on the validation set.
    ValLoss,
    /// Accuracy on the validation set.
    ValAccuracy,
    /// Top-k accuracy on the validation set.
    ValTopK,
    /// Macro precision on the validation set.
    ValPrecision,
    /// Macro recall on the validation set.
    ValRecall,
    /// Macro F1 on the validation set.
    ValF1,
}

impl Metric {
    /// The metric in `record`; none where it needs a validation set and there is none.
    pub fn of(self, record: &EpochRecord) -> Option<f64> {
        let validation = record.validation.as_ref();
        match self {
            Metric::TrainLoss => Some(record.train.loss),
            Metric::TrainAccuracy => Some(record.train.accuracy),
            Metric::ValLoss => validation.map(|scores| scores.loss),
            Metric::ValAccuracy => validation.map(|scores| scores.accuracy),
            Metric::ValTopK => validation.map(|scores| scores.top_k),
            Metric::ValPrecision => validation.map(|scores| scores.precision),
            Metric::ValRecall => validation.map(|scores| scores.recall),
            Metric::ValF1 => validation.map(|scores| scores.f1),
        }
    }

    /// Whether less is better.
    pub fn is_loss(self) -> bool {
        matches!(self, Metric::TrainLoss | Metric::ValLoss)
    }

    /// Whether it is measured on the validation set.
    pub fn needs_validation(self) -> bool {
        !matches!(self, Metric::TrainLoss | Metric::TrainAccuracy)
    }

    /// The best value over `records`; NaN if there is none.
    pub fn best(self, records: &[EpochRecord]) -> f64 {
        let values = records.iter().filter_map(|record| self.of(record));
        values.fold(f64::NAN, |best, value| {
            if best.is_nan() || self.improves(value, best, 0.0) { value } else { best }
        })
    }

    /// The better of two values first; what is not a number is worst.
    pub fn better_first(self, a: f64, b: f64) -> Ordering {
        match (a.is_nan(), b.is_nan()) {
            // 0.0 equals -0.0, which `total_cmp` tells apart.
            (false, false) if self.is_loss() => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
            (false, false) => b.partial_cmp(&a).unwrap_or(Ordering::Equal),
            (a, b) => a.cmp(&b),
        }
    }

    /// Whether `new` is better than `old` by more than `min_delta`. NaN never is.
    pub fn improves(self, new: f64, old: f64, min_delta: f64) -> bool {
        if self.is_loss() { new < old - min_delta } else { new > old + min_delta }
    }

    /// The name in files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Metric::TrainLoss => "train_loss",
            Metric::TrainAccuracy => "train_accuracy",
            Metric::ValLoss => "val_loss",
            Metric::ValAccuracy => "val_accuracy",
            Metric::ValTopK => "val_top_k",
            Metric::ValPrecision => "val_precision",
            Metric::ValRecall => "val_recall",
            Metric::ValF1 => "val_f1",
        }
    }
}

/// How a trial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// All epochs, or stopped early by its own rule.
    Completed,
    /// Ended by an error, a panic or a loss that is not a number.
    Failed,
    /// Stopped at a rung by the sweep's pruning.
    Pruned,
    /// Not ended yet: interrupted, or never started.
    Unfinished,
}

impl Status {
    /// The name in files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Status::Completed => "completed",
            Status::Failed => "failed",
            Status::Pruned => "pruned",
            Status::Unfinished => "unfinished",
        }
    }
}

/// What a trial came to: written once, when it has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// Why, for one that failed or stopped early; else empty.
    pub reason: String,
    /// Epochs that were asked for.
    pub epochs: usize,
    /// The epoch with the best value of the trial's `best` metric; 0 if none was finished.
    pub best_epoch: usize,
    /// Scores on the training batches of the best epoch.
    pub train: Option<Scores>,
    /// Scores on the validation set at the best epoch.
    pub validation: Option<Scores>,
    /// Scores of the best checkpoint on the test set.
    pub test: Option<Scores>,
}
