//! `batches.csv`: the loss of every batch of a trial, by which a re-execution finds the first step
//! that differs.

use serde::{Deserialize, Serialize};

/// The loss of one batch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchLoss {
    /// Counted from 1.
    pub epoch: usize,
    /// Counted from 1.
    pub batch: usize,
    /// The mean over its images, before the step.
    pub loss: f64,
}
