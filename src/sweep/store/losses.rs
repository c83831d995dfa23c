//! `batches.csv`: the loss of every batch of a trial, by which a re-execution finds the first step
//! that differs.

use std::path::Path;

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

/// The rows at `path`, in order, up to the first that is torn.
pub(super) fn read(path: &Path) -> Vec<BatchLoss> {
    let bytes = std::fs::read(path).unwrap_or_default();
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let mut reader = csv::ReaderBuilder::new().has_headers(true).from_reader(&bytes[..whole]);
    reader.deserialize().map_while(Result::ok).collect()
}
