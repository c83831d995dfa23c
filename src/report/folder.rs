//! A results folder without its experiment: what `trials.csv` says of the trials, and how far each
//! has got on the disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::basis::record::{EpochRecord, Status};
use crate::sweep::store::{TrialStore, UNFINISHED, host};

use super::grid::grid;

/// A trial as its row in `trials.csv` names it.
#[derive(Clone, Debug)]
pub struct Row {
    /// Counted from 1.
    pub number: usize,
    /// Identity of its plan.
    pub digest: String,
    /// Its swept values, seed and fold, in words.
    pub settings: String,
    /// What the row says of its end.
    pub status: String,
    /// Why.
    pub reason: String,
}

/// Why a folder cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// No table.
    #[error("{} holds no trials.csv: it is not the results folder of an experiment", .0.display())]
    NoTable(PathBuf),
    /// A table of something else.
    #[error("{}: {reason}", path.display())]
    Table {
        /// The table.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// The results folder of one experiment.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
    /// The trials in plan order.
    pub rows: Vec<Row>,
}

/// What no trial of the experiment needs.
pub struct Superfluous {
    /// A folder or a file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// What it is.
    pub what: &'static str,
}

impl Folder {
    /// Reads the table of the folder `root`.
    pub fn read(root: &Path) -> Result<Folder, FolderError> {
        let path = root.join("trials.csv");
        let Ok(bytes) = fs::read(&path) else { return Err(FolderError::NoTable(root.to_owned())) };
        let wrong = |reason: String| FolderError::Table { path: path.clone(), reason };
        let mut reader = csv::Reader::from_reader(&bytes[..]);
        let header = reader.headers().map_err(|error| wrong(error.to_string()))?.clone();
        let place = |name: &str| {
            let place = header.iter().position(|column| column == name);
            place.ok_or_else(|| wrong(format!("there is no column \"{name}\"")))
        };
        let [number, digest, status, reason] =
            [place("trial")?, place("digest")?, place("status")?, place("reason")?];
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| wrong(error.to_string()))?;
            let cell = |place: usize| record.get(place).unwrap_or_default().to_owned();
            let settings: Vec<String> = (digest + 1..status)
                .filter(|place| !cell(*place).is_empty())
                .map(|place| format!("{} = {}", &header[place], cell(place)))
                .collect();
            rows.push(Row {
                number: cell(number).parse().map_err(|_| wrong("a row has no number".into()))?,
                digest: cell(digest),
                settings: settings.join(", "),
                status: cell(status),
                reason: cell(reason),
            });
        }
        Ok(Folder { root: root.to_owned(), rows })
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of a trial.
    pub fn trial(&self, digest: &str) -> TrialStore {
        TrialStore::at(self.root.join("trials").join(digest))
    }

    /// How far the trials have got, as text for a terminal of `width` columns.
    pub fn status(&self, width: usize) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let header = ["", "settings", "epoch", "best", "status"].map(str::to_owned).to_vec();
        let mut table = grid(header, 2..4, width);
        for row in &self.rows {
            let store = self.trial(&row.digest);
            let records = store.epochs();
            let plan = store.plan().ok();
            let (word, more) = match store.outcome() {
                _ if store.is_locked() => ("running", place(&store)),
                _ if row.status == Status::Pruned.name() => ("pruned", row.reason.clone()),
                Some(outcome) => (outcome.status.name(), outcome.reason),
                None if records.is_empty() => ("to run", String::new()),
                None => ("interrupted", String::new()),
            };
            *counts.entry(word).or_insert(0) += 1;
            let epochs = match &plan {
                Some(plan) => format!("{}/{}", records.len(), plan.train.epochs),
                None => String::new(),
            };
            let best = plan.as_ref().and_then(|plan| {
                let metric = plan.train.best;
                let values = records.iter().filter_map(|record: &EpochRecord| metric.of(record));
                let best = values.reduce(|a, b| if metric.improves(b, a, 0.0) { b } else { a })?;
                Some(format!("{} {best:.4}", metric.name()))
            });
            let words = if more.is_empty() { word.to_owned() } else { format!("{word}: {more}") };
            table.add_row(vec![
                row.number.to_string(),
                row.settings.clone(),
                epochs,
                best.unwrap_or_default(),
                words,
            ]);
        }
        let order = ["completed", "pruned", "failed", "running", "interrupted", "to run"];
        let counts: Vec<String> = order
            .into_iter()
            .filter_map(|word| Some(format!("{} {word}", counts.get(word)?)))
            .collect();
        let trials = self.rows.len();
        format!("{}\n{trials} trials: {}\n", table.trim_fmt(), counts.join(", "))
    }

    /// What no trial in the table refers to: folders of trials, and files that were never finished.
    pub fn superfluous(&self) -> Vec<Superfluous> {
        let mut found = Vec::new();
        let entries = |folder: &Path| {
            let mut paths: Vec<PathBuf> = fs::read_dir(folder)
                .into_iter()
                .flatten()
                .filter_map(|entry| Some(entry.ok()?.path()))
                .collect();
            paths.sort();
            paths
        };
        for path in entries(&self.root.join("trials")) {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            let name = name.unwrap_or_default();
            // A shorter run of a trial has a folder of its own behind the same digest.
            let is_known = self.rows.iter().any(|row| name.starts_with(&row.digest));
            if path.is_dir() && !is_known && !TrialStore::at(path.clone()).is_locked() {
                let bytes = size(&path);
                found.push(Superfluous { path, bytes, what: "a trial of no row in trials.csv" });
            }
        }
        for path in entries(&self.root).into_iter().chain(entries(&self.root.join("trials"))) {
            if path.is_file() && path.to_string_lossy().ends_with(UNFINISHED) {
                let bytes = size(&path);
                found.push(Superfluous { path, bytes, what: "a file that was never finished" });
            }
        }
        found
    }
}

/// Where a trial runs, if that is another machine.
fn place(store: &TrialStore) -> String {
    match store.host() {
        Some(there) if there != host() => format!("on {there}"),
        _ => String::new(),
    }
}

/// Bytes of a file, or of the files in a folder.
fn size(path: &Path) -> u64 {
    if path.is_dir() {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        return entries.map(|entry| size(&entry.path())).sum();
    }
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}
