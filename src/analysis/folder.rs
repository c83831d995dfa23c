//! A results folder without its experiment: what `trials.csv` says of the trials, and what else is there.

use std::fs;
use std::path::{Path, PathBuf};

use crate::results::layout;
use crate::results::table::TableError;
use crate::results::trials::{Row, Trials};
use crate::sweep::store::{DAMAGED, TrialStore, UNFINISHED};

/// The results folder of one experiment.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
    /// Its trials.
    pub trials: Trials,
    /// Epochs of the trials, where they are not swept.
    epochs: Option<usize>,
}

/// What no trial of the experiment needs.
pub struct Superfluous {
    /// A folder or a file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// What it is.
    pub what: &'static str,
    /// Whether there are results in it, which an earlier table has named.
    pub has_results: bool,
}

impl Folder {
    /// Reads the table of trials of the folder `root`.
    ///
    /// # Errors
    /// If there is none, or it is damaged or a table of something else.
    pub fn read(root: &Path) -> Result<Folder, TableError> {
        let trials = Trials::read(root)?;
        let experiment = || -> Option<toml::Table> {
            toml::from_str(&fs::read_to_string(root.join(layout::EXPERIMENT)).ok()?).ok()
        };
        // Variants may have epochs of their own.
        let has_variants = trials.axes.iter().any(|axis| axis == "variant");
        let epochs = experiment()
            .filter(|_| !has_variants)
            .and_then(|table| table.get("train")?.get("epochs")?.as_integer())
            .and_then(|epochs| usize::try_from(epochs).ok());
        Ok(Folder { root: root.to_owned(), trials, epochs })
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of a trial.
    pub fn trial(&self, digest: &str) -> TrialStore {
        TrialStore::at(layout::trial(&self.root, digest))
    }

    /// How many epochs the trial of `row` is to be trained for; none if nothing says so.
    pub fn epochs(&self, row: &Row) -> Option<usize> {
        let axis = self.trials.axes.iter().position(|axis| axis == "train.epochs");
        let swept = axis.and_then(|axis| row.values.get(axis)).and_then(|value| value.parse().ok());
        swept.or(self.epochs)
    }

    /// The folder of the trial of `row`. One that was trained for fewer epochs than another of the same plan has
    /// a folder of its own.
    pub fn trial_of(&self, row: &Row) -> TrialStore {
        let shorter = self
            .epochs(row)
            .map(|epochs| layout::shorter_trial(&self.root, &row.digest, epochs))
            .filter(|folder| folder.is_dir());
        shorter.map_or_else(|| self.trial(&row.digest), TrialStore::at)
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
            let trial = TrialStore::at(path.clone());
            if path.is_dir() && !is_known && !trial.is_locked() {
                let bytes = size(&path);
                let has_results = !trial.epochs().is_empty();
                let what = match has_results {
                    true => "a trial with results, of no row in trials.csv any more",
                    false => "a trial without results, of no row in trials.csv",
                };
                found.push(Superfluous { path, bytes, what, has_results });
            }
        }
        let of_trials = trials.iter().filter(|path| path.is_dir()).flat_map(|path| entries(path));
        for path in entries(&self.root).into_iter().chain(of_trials).chain(trials.iter().cloned()) {
            let name = path.to_string_lossy();
            let what = match path.is_file() {
                true if name.ends_with(UNFINISHED) => "a file that was never finished",
                true if name.ends_with(DAMAGED) => "a damaged file that was set aside",
                _ => continue,
            };
            let bytes = size(&path);
            found.push(Superfluous { path, bytes, what, has_results: false });
        }
        found
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
