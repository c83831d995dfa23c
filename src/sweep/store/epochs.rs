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

/// A row as it is read: epoch, steps, learning rate, scores on training batches and on validation images.
type Cells = (usize, u64, f64, [f64; 6], ScoreCells);

/// The records at `path`, in order, up to the first whose row is torn, damaged or out of order; and whether these
/// are all.
pub(super) fn records(path: &Path) -> (Vec<EpochRecord>, bool) {
    let columns = ["epoch"].into_iter().chain(NUMBERS).collect::<Vec<_>>();
    let rows: rows::Rows<Cells> = rows::read_in_order(path, &columns);
    let (all, is_whole) = (rows.rows.len(), rows.is_whole);
    let records = rows.rows.into_iter().map(|(epoch, steps, lr, train, validation)| {
        let is_whole = validation.iter().all(Option::is_some);
        let validation = is_whole.then(|| Scores::from(validation.map(Option::unwrap_or_default)));
        EpochRecord { epoch, steps, lr, train: train.into(), validation }
    });
    let in_order = records.enumerate().take_while(|(index, record)| record.epoch == index + 1);
    let records: Vec<EpochRecord> = in_order.map(|(_, record)| record).collect();
    let is_whole = is_whole && records.len() == all;
    (records, is_whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::basis::record::Scores;

    fn record(epoch: usize) -> EpochRecord {
        let train = Scores::from([3.0, 0.5, 0.5, 0.5, 0.5, 0.5]);
        EpochRecord { epoch, steps: 1, lr: 0.1, train, validation: None }
    }

    #[test]
    fn rows_under_other_columns_are_not_taken_for_epochs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("epochs.csv");
        let table = rows::table(&path, [Row(&record(1))]);
        std::fs::write(&path, &table).unwrap();
        assert_eq!(records(&path), (vec![record(1)], true));
        // Whole, but of a program with other columns.
        #[derive(Serialize)]
        struct Other {
            epoch: usize,
            loss: f64,
        }
        std::fs::write(&path, rows::table(&path, [Other { epoch: 1, loss: 3.0 }])).unwrap();
        assert_eq!(records(&path), (vec![], false));
    }

    #[test]
    fn rows_out_of_order_do_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("epochs.csv");
        let table = rows::table(&path, [1, 2, 4].map(record).iter().map(Row));
        std::fs::write(&path, table).unwrap();
        assert_eq!(records(&path), (vec![record(1), record(2)], false));
    }
}
