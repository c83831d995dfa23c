//! Rows of a trial's `epochs.csv`: the columns of `metrics.csv` without the trial.

use std::path::Path;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::basis::record::{EpochRecord, Scores};
use crate::results::metrics::NUMBERS;
use crate::results::table::{ScoreCells, score_cells};

use super::rows;

/// An [`EpochRecord`] as a row.
pub(super) struct Row<'a>(pub(super) &'a EpochRecord);

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let EpochRecord { epoch, steps, lr, train, validation } = self.0;
        let mut row = serializer.serialize_struct("Row", 1 + NUMBERS.len())?;
        row.serialize_field("epoch", epoch)?;
        row.serialize_field("steps", steps)?;
        row.serialize_field("lr", lr)?;
        let scores = [Some(train), validation.as_ref()].map(score_cells);
        for (name, score) in NUMBERS[2..].iter().copied().zip(scores.as_flattened()) {
            row.serialize_field(name, score)?;
        }
        row.end()
    }
}

/// The records at `path`, in order, up to the first whose row is torn, damaged or out of order.
pub(super) fn records(path: &Path) -> Vec<EpochRecord> {
    let rows: Vec<(usize, u64, f64, [f64; 6], ScoreCells)> = rows::read(path);
    let records = rows.into_iter().map(|(epoch, steps, lr, train, validation)| {
        let is_whole = validation.iter().all(Option::is_some);
        let validation = is_whole.then(|| Scores::from(validation.map(Option::unwrap_or_default)));
        EpochRecord { epoch, steps, lr, train: train.into(), validation }
    });
    let in_order = records.enumerate().take_while(|(index, record)| record.epoch == index + 1);
    in_order.map(|(_, record)| record).collect()
}
