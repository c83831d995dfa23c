//! Rows of a trial's `epochs.csv`: the columns of `metrics.csv` without the trial.

use std::io;
use std::path::Path;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::basis::record::{EpochRecord, Scores};
use crate::data::Stamp;
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
    whole(rows::read_in_order(path, &columns()))
}

/// As [`records`], where a file that is there and cannot be read is an error.
pub(super) fn try_records(path: &Path) -> io::Result<Vec<EpochRecord>> {
    Ok(whole(rows::try_read_in_order(path, &columns())?).0)
}

fn whole(rows: rows::Rows<Cells>) -> (Vec<EpochRecord>, bool) {
    let (all, is_whole) = (rows.rows.len(), rows.is_whole);
    let records = in_order(rows.rows, 0);
    let is_whole = is_whole && records.len() == all;
    (records, is_whole)
}

/// The columns.
fn columns() -> Vec<&'static str> {
    ["epoch"].into_iter().chain(NUMBERS).collect()
}

/// The records of `rows`, which stand behind `before` others, up to the first that is out of order.
fn in_order(rows: Vec<Cells>, before: usize) -> Vec<EpochRecord> {
    let records = rows.into_iter().map(|(epoch, steps, lr, train, validation)| {
        let is_whole = validation.iter().all(Option::is_some);
        let validation = is_whole.then(|| Scores::from(validation.map(Option::unwrap_or_default)));
        EpochRecord { epoch, steps, lr, train: train.into(), validation }
    });
    let numbered = records.enumerate();
    let in_order = numbered.take_while(|(index, record)| record.epoch == before + index + 1);
    in_order.map(|(_, record)| record).collect()
}

/// How far the epochs of a trial have been read that another process adds to.
#[derive(Debug, Default)]
pub struct Followed {
    /// The file as it was when it was read last.
    stamp: Option<Stamp>,
    end: Option<rows::End>,
    epochs: usize,
}

/// What has become of the epochs of a trial since they were read last.
#[derive(Debug, PartialEq)]
pub enum Growth {
    /// Nothing.
    None,
    /// These came to them.
    By(Vec<EpochRecord>),
    /// These took their place.
    Anew(Vec<EpochRecord>),
}

impl Followed {
    /// Looks at the file at `path`, and reads what is new. A file with more than `limit` bytes is not read.
    pub(super) fn look(&mut self, path: &Path, limit: u64) -> Growth {
        let stamp = Stamp::of(path).filter(|stamp| stamp.bytes <= limit);
        if stamp == self.stamp {
            return Growth::None;
        }
        let before = self.stamp.take();
        self.stamp = stamp;
        // Who replaces the file gives it another number; who starts it again makes it shorter first.
        let goes_on = |end: &rows::End| {
            stamp
                .zip(before)
                .is_some_and(|(now, before)| now.inode == before.inode && now.bytes >= end.bytes())
        };
        let from = self.end.filter(goes_on);
        let was_empty = self.epochs == 0;
        if from.is_none() {
            self.epochs = 0;
        }
        let rows: rows::Rows<Cells> = match stamp {
            Some(_) => rows::read_on(path, &columns(), from),
            None => rows::nothing_of(path),
        };
        self.end = Some(rows.end);
        let records = in_order(rows.rows, self.epochs);
        self.epochs += records.len();
        match from {
            None if was_empty && records.is_empty() => Growth::None,
            None if was_empty => Growth::By(records),
            None => Growth::Anew(records),
            Some(_) if records.is_empty() => Growth::None,
            Some(_) => Growth::By(records),
        }
    }
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
    fn only_what_is_new_is_read_of_epochs_that_grow() {
        const LIMIT: u64 = 1 << 20;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("epochs.csv");
        let table = |epochs: &[usize]| {
            let records: Vec<EpochRecord> = epochs.iter().copied().map(record).collect();
            rows::table(&path, records.iter().map(Row))
        };
        let mut followed = Followed::default();
        assert_eq!(followed.look(&path, LIMIT), Growth::None);
        let append = |end, epoch| {
            let record = record(epoch);
            rows::append(&path, end, [Row(&record)], super::super::Lasting::Process).unwrap()
        };
        let end = append(None, 1);
        assert_eq!(followed.look(&path, LIMIT), Growth::By(vec![record(1)]));
        assert_eq!(followed.look(&path, LIMIT), Growth::None);
        let end = append(Some(end), 2);
        append(Some(end), 3);
        assert_eq!(followed.look(&path, LIMIT), Growth::By(vec![record(2), record(3)]));
        // Half of a row, and then the other half.
        let four = table(&[1, 2, 3, 4]);
        std::fs::write(&path, &four[..four.len() - 9]).unwrap();
        assert_eq!(followed.look(&path, LIMIT), Growth::None);
        std::fs::write(&path, &four).unwrap();
        assert_eq!(followed.look(&path, LIMIT), Growth::By(vec![record(4)]));
        // The trial starts again.
        super::super::write_whole(&path, &table(&[1])).unwrap();
        assert_eq!(followed.look(&path, LIMIT), Growth::Anew(vec![record(1)]));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(followed.look(&path, LIMIT), Growth::Anew(vec![]));
        // Too much to be read.
        std::fs::write(&path, &four).unwrap();
        assert_eq!(followed.look(&path, 10), Growth::None);
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
