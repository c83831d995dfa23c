//! `metrics.csv`: what was measured in each epoch of each trial.

use std::path::Path;

use crate::basis::record::EpochRecord;

use super::table::{Damage, Table, TableError, bytes, cell, score_cells};

/// The table's name.
pub const FILE: &str = "metrics.csv";

/// The columns of an epoch's numbers.
pub const NUMBERS: [&str; 14] = [
    "steps",
    "lr",
    "train_loss",
    "train_accuracy",
    "train_top_k",
    "train_precision",
    "train_recall",
    "train_f1",
    "val_loss",
    "val_accuracy",
    "val_top_k",
    "val_precision",
    "val_recall",
    "val_f1",
];

/// A row: an epoch of a trial.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The number of the trial.
    pub trial: usize,
    /// Its digest.
    pub digest: String,
    /// Counted from 1.
    pub epoch: usize,
    /// In the order of [`NUMBERS`]; none where a cell is empty.
    pub numbers: [Option<f64>; NUMBERS.len()],
}

/// All columns.
pub fn columns() -> impl Iterator<Item = &'static str> {
    ["trial", "digest", "epoch"].into_iter().chain(NUMBERS)
}

impl Row {
    /// The row of `record`, an epoch of the trial with this number and digest.
    pub fn of(trial: usize, digest: &str, record: &EpochRecord) -> Row {
        let [train, validation] =
            [Some(&record.train), record.validation.as_ref()].map(score_cells);
        // A whole number below 2⁵³, like any count of steps, is written as it is.
        let leading = [Some(record.steps as f64), Some(record.lr)];
        let mut all = leading.into_iter().chain(train).chain(validation);
        let numbers = NUMBERS.map(|_| all.next().flatten());
        Row { trial, digest: digest.to_owned(), epoch: record.epoch, numbers }
    }

    /// As it is written, in the order of [`columns`].
    pub fn cells(self) -> Vec<String> {
        let Row { trial, digest, epoch, numbers } = self;
        let leading = [trial.to_string(), digest, epoch.to_string()];
        leading.into_iter().chain(numbers.map(cell)).collect()
    }
}

/// The table as CSV.
pub fn csv(rows: impl Iterator<Item = Row>) -> Vec<u8> {
    bytes(columns(), rows.map(Row::cells))
}

/// Calls `row` with each row of the table in the results folder `root`.
///
/// # Errors
/// If damage is refused and there is some, or `row` says what is wrong.
pub fn read(
    root: &Path,
    damage: Damage,
    mut row: impl FnMut(Row) -> Result<(), String>,
) -> Result<(), TableError> {
    let table = Table::open(root, FILE, damage)?;
    let places = columns().map(|name| table.place(name)).collect::<Result<Vec<_>, _>>()?;
    table.each(|cells| {
        let mut numbers = [None; NUMBERS.len()];
        for (number, place) in numbers.iter_mut().zip(&places[3..]) {
            *number = cells.number(*place)?;
        }
        let [trial, epoch] = [cells.whole(places[0])?, cells.whole(places[2])?];
        row(Row { trial, digest: cells.text(places[1]), epoch, numbers })
    })
}
