//! A results folder without its experiment: what `trials.csv` says of the trials, and what else is there.

use std::fs;
use std::path::{Path, PathBuf};

use crate::results::folders::Folders;
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
    /// Which folder each of them has.
    pub folders: Folders,
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
    /// If there is none, or it is damaged or a table of something else, or the experiment is not as it was written.
    pub fn read(root: &Path) -> Result<Folder, TableError> {
        let trials = Trials::read(root)?;
        let folders = Folders::read(root, &trials.axes)?;
        Ok(Folder { root: root.to_owned(), trials, folders })
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the trial of `row`.
    pub fn trial(&self, row: &Row) -> TrialStore {
        TrialStore::at(self.folders.folder(row))
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
                    true => "a trial with results that trials.csv no longer lists",
                    false => "a trial without results that trials.csv does not list",
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
