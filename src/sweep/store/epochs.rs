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
    let columns = ["epoch"].into_iter().chain(NUMBERS).collect::<Vec<_>>();
    let rows: Vec<(usize, u64, f64, [f64; 6], ScoreCells)> = rows::read_in_order(path, &columns);
    let records = rows.into_iter().map(|(epoch, steps, lr, train, validation)| {
        let is_whole = validation.iter().all(Option::is_some);
        let validation = is_whole.then(|| Scores::from(validation.map(Option::unwrap_or_default)));
        EpochRecord { epoch, steps, lr, train: train.into(), validation }
    });
    let in_order = records.enumerate().take_while(|(index, record)| record.epoch == index + 1);
    in_order.map(|(_, record)| record).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_under_other_columns_are_not_taken_for_epochs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("epochs.csv");
        let header = format!("epoch,{}\n", NUMBERS.join(","));
        let numbers: Vec<String> = (1..=NUMBERS.len()).map(|number| number.to_string()).collect();
        let row = format!("1,{}\n", numbers.join(","));
        std::fs::write(&path, format!("{header}{row}")).unwrap();
        assert_eq!(records(&path)[0].train.loss, 3.0);
        for other in [
            header.replace("train_loss,train_accuracy", "train_accuracy,train_loss"),
            header.replace("lr", "mr"),
            header.replace(",val_f1", ""),
        ] {
            std::fs::write(&path, format!("{other}{row}")).unwrap();
            assert!(records(&path).is_empty(), "{other}");
        }
    }
}
