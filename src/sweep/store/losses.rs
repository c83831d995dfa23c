//! `batches.csv`: the loss of every batch of a trial, by which a re-execution finds the first step
//! that differs.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::rows;

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

/// The rows at `path`, in order, up to the first that is torn.
pub(super) fn read(path: &Path) -> Vec<BatchLoss> {
    rows::read(&std::fs::read(path).unwrap_or_default())
}
