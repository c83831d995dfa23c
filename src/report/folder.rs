//! A results folder without its experiment: what `trials.csv` says of the trials, and how far each
//! has got on the disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::basis::record::{EpochRecord, Status};
use crate::results::layout;
use crate::results::table::TableError;
use crate::results::trials::Trials;
use crate::sweep::store::{TrialStore, UNFINISHED, host};

use super::grid::grid;

/// The results folder of one experiment.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
    /// Its trials.
    pub trials: Trials,
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
    /// Reads the table of trials of the folder `root`.
    ///
    /// # Errors
    /// If there is none, or it is damaged or a table of something else.
    pub fn read(root: &Path) -> Result<Folder, TableError> {
        Ok(Folder { root: root.to_owned(), trials: Trials::read(root)? })
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of a trial.
    pub fn trial(&self, digest: &str) -> TrialStore {
        TrialStore::at(layout::trial(&self.root, digest))
    }

    /// How far the trials have got, as text for a terminal of `width` columns.
    pub fn status(&self, width: usize) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let header = ["", "settings", "epoch", "best", "status"].map(str::to_owned).to_vec();
        let mut table = grid(header, 2..4, width);
        for row in &self.trials.rows {
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
                self.trials.settings(row),
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
        let trials = self.trials.rows.len();
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
        let trials = entries(&layout::trials(&self.root));
        for path in trials.iter().cloned() {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            let name = name.unwrap_or_default();
            // A shorter run of a trial has a folder of its own behind the same digest.
            let is_known = self.trials.rows.iter().any(|row| name.starts_with(&row.digest));
            if path.is_dir() && !is_known && !TrialStore::at(path.clone()).is_locked() {
                let bytes = size(&path);
                found.push(Superfluous { path, bytes, what: "a trial of no row in trials.csv" });
            }
        }
        for path in entries(&self.root).into_iter().chain(trials) {
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
