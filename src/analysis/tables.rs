//! The tables of a results folder as answers need them. Only that of the trials has to be there, and be whole.

use std::collections::BTreeMap;
use std::ops::{Deref, Range};
use std::path::Path;

use crate::basis::record::{Outcome, Scores};
use crate::results::hashes::settled;
use crate::results::table::{Damage, ScoreCells, TableError, score_cells};
use crate::results::trials::{Row, Trials};
use crate::results::{metrics, timings};

use super::curves::CURVES;
use super::measure::Measure;

/// A trial as the tables know it: its row, and what the other tables add.
#[derive(Clone, Debug)]
pub struct Trial {
    row: Row,
    /// Scores at the best epoch on training images.
    train: ScoreCells,
    /// Wall time of its epochs and of everything beside them; none if nothing was timed.
    pub seconds: Option<f64>,
    /// The first of its epochs that it was trained for itself: those before were taken over from a trial that begins
    /// alike. None if nothing was timed.
    pub trained_from: Option<usize>,
    /// Its rows among all epochs.
    pub(super) epochs: Range<usize>,
}

impl Deref for Trial {
    type Target = Row;

    fn deref(&self) -> &Row {
        &self.row
    }
}

impl Trial {
    /// The six scores at the best epoch on a part of the images: 0 training, 1 validation, 2 test. Also of
    /// a trial that was not completed.
    pub fn scores_on(&self, part: usize) -> ScoreCells {
        [self.train, self.validation, self.test][part]
    }

    /// The value of `measure` at the best epoch, also of a trial that was not completed.
    pub fn at_best(&self, measure: Measure) -> Option<f64> {
        self.scores_on(measure.part)[measure.score]
    }

    /// Takes notice that it has ended since the table was written.
    pub(super) fn end(&mut self, outcome: &Outcome) {
        self.row.status = outcome.status.name().to_owned();
        self.row.reason = outcome.reason.clone();
        self.row.best_epoch = outcome.best_epoch;
        self.train = score_cells(outcome.train.as_ref());
        self.row.validation = score_cells(outcome.validation.as_ref());
        self.row.test = score_cells(outcome.test.as_ref());
    }

    /// The value of `measure` at the best epoch; none unless it was completed.
    pub fn value(&self, measure: Measure) -> Option<f64> {
        self.at_best(measure).filter(|_| self.is_completed())
    }
}

/// All tables together.
pub(super) struct Tables {
    pub(super) axes: Vec<String>,
    pub(super) trials: Vec<Trial>,
    pub(super) epochs: Vec<[f64; 4]>,
}

/// The cell of the column `name`, if it holds a finite number.
fn number(row: &metrics::Row, name: &str) -> Option<f64> {
    let place = metrics::NUMBERS.iter().position(|number| *number == name)?;
    row.numbers[place].filter(|number| number.is_finite())
}

/// Reads the tables of the folder `root`.
pub(super) fn read(root: &Path) -> Result<Tables, TableError> {
    settled(root, || read_once(root))
}

fn read_once(root: &Path) -> Result<Tables, TableError> {
    let Trials { axes, rows } = Trials::read(root)?;
    let trial =
        |row| Trial { row, train: [None; 6], seconds: None, trained_from: None, epochs: 0..0 };
    let mut trials: Vec<Trial> = rows.into_iter().map(trial).collect();
    let places: BTreeMap<usize, usize> =
        trials.iter().enumerate().map(|(place, trial)| (trial.number, place)).collect();
    let mut epochs: Vec<[f64; 4]> = Vec::new();
    let mut current: Option<usize> = None;
    metrics::read(root, Damage::Tolerated, |row| {
        let Some(place) = places.get(&row.trial) else { return Ok(()) };
        let trial = &mut trials[*place];
        if current != Some(*place) {
            current = Some(*place);
            trial.epochs = epochs.len()..epochs.len();
        }
        if row.epoch == trial.epochs.len() + 1 {
            epochs.push(CURVES.map(|name| number(&row, name).unwrap_or(f64::NAN)));
            trial.epochs.end = epochs.len();
            if row.epoch == trial.best_epoch {
                trial.train = Scores::NAMES.map(|score| number(&row, &format!("train_{score}")));
            }
        }
        Ok(())
    })?;
    timings::read(root, Damage::Tolerated, |trial, epoch, seconds| {
        if let Some(place) = places.get(&trial).filter(|_| seconds.is_finite()) {
            let trial = &mut trials[*place];
            *trial.seconds.get_or_insert(0.0) += seconds;
            if epoch > 0 {
                let first = trial.trained_from.unwrap_or(epoch);
                trial.trained_from = Some(first.min(epoch));
            }
        }
        Ok(())
    })?;
    Ok(Tables { axes, trials, epochs })
}
