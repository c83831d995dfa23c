//! `batches.csv`: the loss of every batch of a trial, by which a re-execution finds the first step
//! that differs.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Lasting;

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

/// Adds rows at the end.
pub(super) fn append(path: &Path, losses: &[BatchLoss], lasting: Lasting) -> io::Result<()> {
    let mut file = File::options().create(true).append(true).open(path)?;
    let is_new = file.metadata()?.len() == 0;
    let mut writer = csv::WriterBuilder::new().has_headers(is_new).from_writer(Vec::new());
    for loss in losses {
        writer.serialize(loss)?;
    }
    let rows = writer.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
    file.write_all(&rows)?;
    if lasting == Lasting::Power { file.sync_data() } else { Ok(()) }
}
