//! `metrics.csv`: what was measured in each epoch of each trial.

use std::path::Path;

use crate::basis::record::EpochRecord;

use super::table::{
    Damage, ScoreCells, Table, TableError, bytes, cell, score_cells, score_columns,
};

/// The table's name.
pub const FILE: &str = "metrics.csv";

/// A row: an epoch of a trial. A cell that is empty is none.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The number of the trial.
    pub trial: usize,
    /// Its digest.
    pub digest: String,
    /// Counted from 1.
    pub epoch: usize,
    /// Optimiser steps so far.
    pub steps: Option<f64>,
    /// The learning rate of the epoch's last step.
    pub lr: Option<f64>,
    /// Scores on the training batches.
    pub train: ScoreCells,
    /// Scores on the validation set.
    pub validation: ScoreCells,
}

/// The columns.
pub fn columns() -> Vec<String> {
    let leading = ["trial", "digest", "epoch", "steps", "lr"].map(str::to_owned);
    leading.into_iter().chain(score_columns("train")).chain(score_columns("val")).collect()
}

impl Row {
    /// The row of `record`, an epoch of the trial with this number and digest.
    pub fn of(trial: usize, digest: &str, record: &EpochRecord) -> Row {
        Row {
            trial,
            digest: digest.to_owned(),
            epoch: record.epoch,
            // A whole number below 2⁵³, like any count of steps, is written as it is.
            steps: Some(record.steps as f64),
            lr: Some(record.lr),
            train: score_cells(Some(&record.train)),
            validation: score_cells(record.validation.as_ref()),
        }
    }

    fn cells(self) -> Vec<String> {
        let mut cells = vec![self.trial.to_string(), self.digest, self.epoch.to_string()];
        let numbers = [self.steps, self.lr].into_iter().chain(self.train).chain(self.validation);
        cells.extend(numbers.map(cell));
        cells
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
    let table = Table::open(root.join(FILE), damage)?;
    let [trial, digest, epoch] =
        [table.place("trial")?, table.place("digest")?, table.place("epoch")?];
    let [steps, lr] = [table.place("steps")?, table.place("lr")?];
    let [train, validation] = [table.scores("train")?, table.scores("val")?];
    table.each(|cells| {
        row(Row {
            trial: cells.whole(trial)?,
            digest: cells.text(digest),
            epoch: cells.whole(epoch)?,
            steps: cells.number(steps)?,
            lr: cells.number(lr)?,
            train: cells.scores(train)?,
            validation: cells.scores(validation)?,
        })
    })
}
