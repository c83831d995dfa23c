//! Every number that the tables of a results folder hold of its trials, epoch by epoch.

use std::collections::BTreeMap;
use std::path::Path;

use csv::{ByteRecord, StringRecord};

use crate::basis::record::Scores;
use crate::report::answers::{Answers, Trial};
use crate::report::folder::FolderError;

/// Numbers of an epoch: six scores on training and on validation images, the learning rate, steps, seconds.
pub(super) const MEASURES: usize = 15;

/// The place of seconds among them: they come from another table.
const SECONDS: usize = MEASURES - 1;

/// What a number is of: the part of the images and the name. What is of no images is called training.
pub(super) fn measures() -> [(&'static str, &'static str); MEASURES] {
    let score = |index: usize| Scores::NAMES[index % Scores::NAMES.len()];
    std::array::from_fn(|index| match index {
        0..6 => ("train", score(index)),
        6..12 => ("val", score(index)),
        12 => ("train", "lr"),
        13 => ("train", "steps"),
        _ => ("train", "seconds"),
    })
}

/// The column of `metrics.csv` that holds a number, or of `timings.csv`.
pub(super) fn column((part, name): (&str, &str)) -> String {
    if Scores::NAMES.contains(&name) { format!("{part}_{name}") } else { name.to_owned() }
}

/// A trial with all its epochs.
pub(super) struct Run<'a> {
    pub(super) trial: &'a Trial,
    pub(super) epochs: Vec<Epoch>,
    /// Seconds beside the epochs; none where nothing was timed.
    pub(super) beside: Option<f64>,
}

/// One epoch.
pub(super) struct Epoch {
    /// Counted from 1.
    pub(super) number: u64,
    /// In the order of [`measures`].
    pub(super) values: [Option<f64>; MEASURES],
}

impl Run<'_> {
    /// Seconds from the trial's start to the end of each of its epochs, and to its own end; zeros where
    /// nothing was timed.
    pub(super) fn clock(&self) -> (Vec<f64>, f64) {
        let mut now = 0.0;
        let ends = self.epochs.iter().map(|epoch| {
            now += epoch.values[SECONDS].unwrap_or(0.0);
            now
        });
        let ends = ends.collect();
        (ends, now + self.beside.unwrap_or(0.0))
    }

    /// What the trial came to at its best epoch, as `trials.csv` says it: name, number.
    pub(super) fn results(&self) -> impl Iterator<Item = (String, f64)> {
        let parts = [(1, "best_val"), (2, "test")];
        let scores = parts.into_iter().flat_map(|(part, called)| {
            let named = Scores::NAMES.iter().zip(self.trial.scores_on(part));
            named.filter_map(move |(name, score)| Some((format!("{called}_{name}"), score?)))
        });
        let costs = [("parameters", self.trial.parameters), ("flops", self.trial.flops)];
        scores.chain(costs.into_iter().filter_map(|(name, cost)| Some((name.to_owned(), cost?))))
    }
}

/// A table that is read row by row, and every mistake in it told.
struct Table {
    reader: csv::Reader<std::fs::File>,
    columns: StringRecord,
    wrong: Box<dyn Fn(String) -> FolderError>,
}

impl Table {
    fn open(path: &Path) -> Result<Table, FolderError> {
        let owned = path.to_owned();
        let wrong =
            Box::new(move |reason: String| FolderError::Table { path: owned.clone(), reason });
        let mut reader = csv::Reader::from_path(path).map_err(|error| wrong(error.to_string()))?;
        let columns = reader.headers().map_err(|error| wrong(error.to_string()))?.clone();
        Ok(Table { reader, columns, wrong })
    }

    fn place(&self, name: &str) -> Result<usize, FolderError> {
        let place = self.columns.iter().position(|column| column == name);
        place.ok_or_else(|| (self.wrong)(format!("there is no column \"{name}\"")))
    }

    /// Calls `row` with each row, and with its number in the file.
    fn each(
        mut self,
        mut row: impl FnMut(&ByteRecord) -> Result<(), String>,
    ) -> Result<(), FolderError> {
        let mut record = ByteRecord::new();
        loop {
            match self.reader.read_byte_record(&mut record) {
                Ok(false) => return Ok(()),
                Ok(true) => row(&record).map_err(|reason| {
                    let line = record.position().map_or(0, csv::Position::line);
                    (self.wrong)(format!("line {line}: {reason}"))
                })?,
                Err(error) => return Err((self.wrong)(error.to_string())),
            }
        }
    }
}

/// The number in a cell; what is not finite is a number too, an empty cell is none.
fn number(record: &ByteRecord, place: usize) -> Result<Option<f64>, String> {
    let text = String::from_utf8_lossy(record.get(place).unwrap_or_default());
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| format!("\"{text}\" is no number"))
}

fn whole(record: &ByteRecord, place: usize) -> Result<usize, String> {
    let text = String::from_utf8_lossy(record.get(place).unwrap_or_default());
    text.parse().map_err(|_| format!("\"{text}\" is not the number of a trial or an epoch"))
}

/// The trials of `answers` with all their epochs, in plan order.
pub(super) fn runs(answers: &Answers) -> Result<Vec<Run<'_>>, FolderError> {
    let mut runs: Vec<Run> = answers
        .trials
        .iter()
        .map(|trial| Run { trial, epochs: Vec::new(), beside: None })
        .collect();
    let places: BTreeMap<usize, usize> =
        answers.trials.iter().enumerate().map(|(place, trial)| (trial.number, place)).collect();
    let run = |number: usize| {
        let place = places.get(&number).copied();
        place.ok_or_else(|| format!("trials.csv knows no trial {number}"))
    };
    let table = Table::open(&answers.root.join("metrics.csv"))?;
    let [trial, epoch] = [table.place("trial")?, table.place("epoch")?];
    let columns: Vec<usize> = measures()[..SECONDS]
        .iter()
        .map(|measure| table.place(&column(*measure)))
        .collect::<Result<_, _>>()?;
    table.each(|record| {
        let mut values = [None; MEASURES];
        for (value, place) in values.iter_mut().zip(&columns) {
            *value = number(record, *place)?;
        }
        let epochs = &mut runs[run(whole(record, trial)?)?].epochs;
        let number = whole(record, epoch)?;
        if number != epochs.len() + 1 {
            return Err(format!("epoch {number} stands where epoch {} belongs", epochs.len() + 1));
        }
        epochs.push(Epoch { number: number as u64, values });
        Ok(())
    })?;
    let path = answers.root.join("timings.csv");
    // Results that are copied or compared go without it.
    if path.is_file() {
        let table = Table::open(&path)?;
        let [trial, epoch, seconds] =
            [table.place("trial")?, table.place("epoch")?, table.place("seconds")?];
        table.each(|record| {
            let run = &mut runs[run(whole(record, trial)?)?];
            let Some(seconds) = number(record, seconds)? else { return Ok(()) };
            // What was lost with a process and done again has been timed twice.
            let sum = match whole(record, epoch)?.checked_sub(1).map(|it| run.epochs.get_mut(it)) {
                None => &mut run.beside,
                Some(Some(epoch)) => &mut epoch.values[SECONDS],
                Some(None) => return Ok(()),
            };
            *sum = Some(sum.unwrap_or(0.0) + seconds);
            Ok(())
        })?;
    }
    Ok(runs)
}
