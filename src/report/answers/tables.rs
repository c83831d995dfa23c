//! `trials.csv`, `metrics.csv` and `timings.csv` of a results folder.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::Path;

use csv::{ByteRecord, StringRecord};

use crate::basis::record::{Scores, Status};
use crate::report::folder::FolderError;

use super::{CURVES, Measure};

/// A trial as the tables know it.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Counted from 1.
    pub number: usize,
    /// Identity of its plan.
    pub digest: String,
    /// The swept values, one for each axis.
    pub values: Vec<String>,
    /// Its seed, as written.
    pub seed: String,
    /// Its fold, counted from 1; empty without a cross-validation.
    pub fold: String,
    /// How it ended.
    pub status: String,
    /// Why.
    pub reason: String,
    /// The epoch with the best value of its metric; 0 if there is none.
    pub best_epoch: usize,
    /// Parameters of its network.
    pub parameters: Option<f64>,
    /// Those of them that learn.
    pub trainable: Option<f64>,
    /// Multiplications with addition for one image.
    pub flops: Option<f64>,
    /// Wall time of its epochs and of everything beside them; none if nothing was timed.
    pub seconds: Option<f64>,
    /// Scores at the best epoch on training, validation and test images.
    pub(super) scores: [[Option<f64>; 6]; 3],
    /// Its rows among all epochs.
    pub(super) epochs: Range<usize>,
}

impl Trial {
    /// Whether it trained to its end.
    pub fn is_completed(&self) -> bool {
        self.status == Status::Completed.name()
    }

    /// The six scores at the best epoch on a part of the images: 0 training, 1 validation, 2 test. Also of
    /// a trial that was not completed.
    pub(in crate::report) fn scores_on(&self, part: usize) -> [Option<f64>; 6] {
        self.scores[part]
    }

    /// The value of `measure` at the best epoch; none unless it was completed.
    pub fn value(&self, measure: Measure) -> Option<f64> {
        self.scores[measure.part][measure.score].filter(|_| self.is_completed())
    }
}

/// All tables together.
pub(super) struct Table {
    pub(super) axes: Vec<String>,
    pub(super) trials: Vec<Trial>,
    pub(super) epochs: Vec<[f64; 4]>,
}

/// The columns of a table by their names, the last of those that share one: an axis may be called like
/// a column behind it.
struct Columns(StringRecord);

impl Columns {
    fn place(&self, name: &str) -> Option<usize> {
        let places = self.0.iter().enumerate().filter(|(_, column)| *column == name);
        places.map(|(place, _)| place).last()
    }

    fn scores(&self, part: &str) -> [Option<usize>; 6] {
        Scores::NAMES.map(|score| self.place(&format!("{part}_{score}")))
    }
}

/// A finite number in a cell.
fn number(record: &ByteRecord, place: Option<usize>) -> Option<f64> {
    let text = std::str::from_utf8(record.get(place?)?).ok()?;
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Reads the tables of the folder `root`; only that of the trials has to be there.
pub(super) fn read(root: &Path) -> Result<Table, FolderError> {
    let path = root.join("trials.csv");
    let Ok(bytes) = fs::read(&path) else { return Err(FolderError::NoTable(root.to_owned())) };
    let wrong = |reason: String| FolderError::Table { path: path.clone(), reason };
    let mut reader = csv::Reader::from_reader(&bytes[..]);
    let columns = Columns(reader.headers().map_err(|error| wrong(error.to_string()))?.clone());
    let needed = |name: &str| {
        columns.place(name).ok_or_else(|| wrong(format!("there is no column \"{name}\"")))
    };
    let [seed, fold, status, reason, best] = [
        needed("seed")?,
        needed("fold")?,
        needed("status")?,
        needed("reason")?,
        needed("best_epoch")?,
    ];
    if columns.0.get(0) != Some("trial") || columns.0.get(1) != Some("digest") || seed < 2 {
        return Err(wrong("the first columns are not \"trial\" and \"digest\"".to_owned()));
    }
    let axes: Vec<String> = (2..seed).map(|column| columns.0[column].to_owned()).collect();
    let [validation, test] = ["val", "test"].map(|part| columns.scores(part));
    let [parameters, trainable, flops] =
        ["parameters", "trainable", "flops"].map(|name| columns.place(name));
    let mut trials = Vec::new();
    for record in reader.byte_records() {
        let record = record.map_err(|error| wrong(error.to_string()))?;
        let cell = |place: usize| {
            String::from_utf8_lossy(record.get(place).unwrap_or_default()).into_owned()
        };
        let scores = |places: [Option<usize>; 6]| places.map(|place| number(&record, place));
        trials.push(Trial {
            number: cell(0).parse().map_err(|_| wrong("a row has no number".to_owned()))?,
            digest: cell(1),
            values: (2..seed).map(cell).collect(),
            seed: cell(seed),
            fold: cell(fold),
            status: cell(status),
            reason: cell(reason),
            best_epoch: cell(best).parse().unwrap_or(0),
            parameters: number(&record, parameters),
            trainable: number(&record, trainable),
            flops: number(&record, flops),
            seconds: None,
            scores: [[None; 6], scores(validation), scores(test)],
            epochs: 0..0,
        });
    }
    let places: BTreeMap<usize, usize> =
        trials.iter().enumerate().map(|(place, trial)| (trial.number, place)).collect();
    let epochs = metrics(&root.join("metrics.csv"), &mut trials, &places);
    timings(&root.join("timings.csv"), &mut trials, &places);
    Ok(Table { axes, trials, epochs })
}

/// Calls `row` with the columns and each row of a table, up to the first that is damaged.
fn each_row(path: &Path, mut row: impl FnMut(&Columns, &ByteRecord)) {
    let Ok(mut reader) = csv::Reader::from_path(path) else { return };
    let Ok(header) = reader.headers() else { return };
    let columns = Columns(header.clone());
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).unwrap_or(false) {
        row(&columns, &record);
    }
}

/// Columns of `metrics.csv` that are read.
struct Metrics {
    curves: [Option<usize>; 4],
    train: [Option<usize>; 6],
}

/// The epochs of all trials, one after the other, and the training scores of the best ones.
fn metrics(path: &Path, trials: &mut [Trial], places: &BTreeMap<usize, usize>) -> Vec<[f64; 4]> {
    let mut epochs: Vec<[f64; 4]> = Vec::new();
    let mut of: Option<Metrics> = None;
    let mut current: Option<usize> = None;
    each_row(path, |columns, record| {
        let Metrics { curves, train } = of.get_or_insert_with(|| Metrics {
            curves: CURVES.map(|name| columns.place(name)),
            train: columns.scores("train"),
        });
        let whole = |place| number(record, Some(place)).map(|number| number as usize);
        let (Some(number_of), Some(epoch)) = (whole(0), whole(2)) else { return };
        let Some(place) = places.get(&number_of) else { return };
        let trial = &mut trials[*place];
        if current != Some(*place) {
            current = Some(*place);
            trial.epochs = epochs.len()..epochs.len();
        }
        if epoch != trial.epochs.len() + 1 {
            return;
        }
        epochs.push(curves.map(|place| number(record, place).unwrap_or(f64::NAN)));
        trial.epochs.end = epochs.len();
        if epoch == trial.best_epoch {
            trial.scores[0] = train.map(|place| number(record, place));
        }
    });
    epochs
}

/// The seconds of all trials.
fn timings(path: &Path, trials: &mut [Trial], places: &BTreeMap<usize, usize>) {
    each_row(path, |columns, record| {
        let seconds = number(record, columns.place("seconds"));
        let trial = number(record, Some(0)).and_then(|trial| places.get(&(trial as usize)));
        if let (Some(seconds), Some(place)) = (seconds, trial) {
            *trials[*place].seconds.get_or_insert(0.0) += seconds;
        }
    });
}
