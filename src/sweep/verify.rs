//! Whether a results folder is as it was written: every file against its hash, the tables against the trials.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use rayon::prelude::*;

use crate::basis::record::{EpochRecord, Outcome, Status};
use crate::basis::regular;
use crate::results::folders::Folders;
use crate::results::hashes::Stored;
use crate::results::layout::{
    self, ADVICE, ENVIRONMENT, EXPERIMENT, FROZEN, HASHES, MODEL_CARD, REPORT,
};
use crate::results::manifest::{MANIFEST, SIGNATURE};
use crate::results::seal;
use crate::results::table::{Damage as Handling, TableError, score_cells};
use crate::results::trials::{Row, Trials};
use crate::results::{decisions, metrics, timings, trials};

use super::store::{Damage, HASHES_LOCK, Images, STOPPED, TrialStore, Verified, foreign};

/// What a results folder may hold beside the folders of trials and of jobs.
const KNOWN: [&str; 15] = [
    trials::FILE,
    metrics::FILE,
    timings::FILE,
    decisions::FILE,
    ADVICE,
    EXPERIMENT,
    ENVIRONMENT,
    FROZEN,
    HASHES,
    HASHES_LOCK,
    MANIFEST,
    SIGNATURE,
    REPORT,
    MODEL_CARD,
    STOPPED,
];

/// What was found in a results folder.
#[derive(Clone, Debug, Default)]
pub struct Verification {
    /// Folders of trials that were looked into.
    pub trials: usize,
    /// Files that were looked into.
    pub files: usize,
    /// What is damaged, missing, or of another moment than the rest: each with what to do.
    pub damaged: Vec<(Damage, String)>,
    /// What the program does not read.
    pub foreign: Vec<Damage>,
}

/// What makes the tables of a folder anew.
const RUN: &str = "`wick run` with the experiment writes it again from the trials";

/// Looks into every file of the results folder `root`.
///
/// # Errors
/// If it is no results folder.
pub fn verify(root: &Path) -> Result<Verification, TableError> {
    let mut found = Verification::default();
    found.tables(root);
    let table = match Trials::read(root) {
        Err(TableError::NoTable(root)) if !root.join(HASHES).exists() => {
            return Err(TableError::NoTable(root));
        }
        // What is wrong with it was found already.
        table => table.ok(),
    };
    found.trials(root, table.as_ref());
    if let Some(table) = &table {
        found.compare(root, table);
    }
    Ok(found)
}

impl Verification {
    fn add(&mut self, path: &Path, what: impl std::fmt::Display, way_out: &str) {
        if !self.damaged.iter().any(|(damage, _)| damage.path == path) {
            self.damaged.push((Damage::at(path, what), way_out.to_owned()));
        }
    }

    /// A file that cannot be read, for this reason.
    fn add_unreadable(&mut self, path: &Path, error: &io::Error, way_out: &str) {
        match error.kind() {
            io::ErrorKind::NotFound => self.add(path, "is missing", way_out),
            _ => self.add(path, format!("cannot be read: {error}"), way_out),
        }
    }

    /// Files whose hashes stand in `hashes.toml`.
    fn tables(&mut self, root: &Path) {
        let stored = Stored::read(root);
        match &stored {
            Stored::Missing => self.add(&root.join(HASHES), "is missing", RUN),
            Stored::Damaged => self.add(&root.join(HASHES), "is damaged", RUN),
            Stored::Known(hashes) => {
                for name in hashes.names() {
                    let path = root.join(name);
                    let bytes = match regular::read(&path) {
                        Ok(bytes) => bytes,
                        Err(error) => {
                            self.add_unreadable(&path, &error, RUN);
                            continue;
                        }
                    };
                    let hash = seal::hash(&bytes);
                    if !stored.allows(name, &hash) {
                        self.add(&path, "is damaged, or was changed after it was written", RUN);
                    } else if !hashes.is_latest(name, &hash) {
                        self.add(&path, "is out of date", RUN);
                    }
                }
            }
        }
        for path in entries(root) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && ["trials", "slurm"].contains(&&*name) {
                continue;
            }
            match KNOWN.contains(&&*name) {
                true => self.files += 1,
                false => self.foreign.push(Damage::at(&path, foreign(&name))),
            }
        }
    }

    fn trials(&mut self, root: &Path, table: Option<&Trials>) {
        let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) =
            entries(&layout::trials(root)).into_iter().partition(|path| path.is_dir());
        for path in files {
            self.files += 1;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !Images::is_file(&name) {
                self.foreign.push(Damage::at(&path, foreign(&name)));
            } else if let Err(damage) = Images::verify(&path) {
                let way_out = "remove it and run the experiment again: it is written again, but changes of the \
                               images before that cannot be detected any more";
                self.add(&damage.path, &damage.what, way_out);
            }
        }
        let digest = |path: &Path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.split('-').next().unwrap_or_default().to_owned()
        };
        let known = |digest: &str| {
            table.is_none_or(|table| table.rows.iter().any(|row| row.digest == digest))
        };
        let verified: Vec<Verified> = folders
            .par_iter()
            .map(|path| TrialStore::at(path.clone()).verify(&digest(path)))
            .collect();
        for (path, verified) in folders.iter().zip(verified) {
            self.trials += 1;
            self.files += verified.files;
            for damage in verified.damaged {
                let way_out = damage.way_out();
                self.damaged.push((damage, way_out));
            }
            self.foreign.extend(verified.foreign);
            if !known(&digest(path)) {
                let what =
                    "is the folder of a trial that is not in trials.csv: `wick clean` removes it";
                self.foreign.push(Damage::at(path, what));
            }
        }
        let has_folder = |digest: &str| folders.iter().any(|path| self::is_of(path, digest));
        if folders.is_empty() {
            return;
        }
        let missing: Vec<PathBuf> = table
            .into_iter()
            .flat_map(|table| &table.rows)
            .filter(|row| row.status != Status::Unfinished.name() && !has_folder(&row.digest))
            .map(|row| layout::trial(root, &row.digest))
            .collect();
        for path in missing {
            self.add(&path, "is missing", "run the experiment again, which trains the trial again");
        }
    }

    /// What the tables say against what the trials themselves say.
    fn compare(&mut self, root: &Path, table: &Trials) {
        let path = root.join(trials::FILE);
        // What is wrong with the experiment was found already.
        let folders = Folders::read(root, &table.axes)
            .unwrap_or_else(|_| Folders::of(root, &table.axes, &toml::Table::new()));
        let mut records: BTreeMap<&str, Vec<EpochRecord>> = BTreeMap::new();
        for row in &table.rows {
            let folder = folders.folder(row);
            if !folder.is_dir() {
                continue;
            }
            let store = TrialStore::at(folder);
            let own = store.epochs();
            if let Some(outcome) = store.outcome_of(&own) {
                if row.status == Status::Completed.name() && !agree(row, &outcome) {
                    let what = format!("contradicts the outcome of trial {}", row.number);
                    self.add(&path, what, RUN);
                }
            } else if row.status == Status::Completed.name() {
                let way_out = "run the experiment again, which writes it again";
                self.add(
                    &store.folder().join(layout::OUTCOME),
                    "is missing or out of date",
                    way_out,
                );
            }
            records.insert(&row.digest, own);
        }
        let path = root.join(metrics::FILE);
        let mut differs = None;
        // Damage of the table itself was found already.
        let _ = metrics::read(root, Handling::Tolerated, |row| {
            let own = records.get(&*row.digest).and_then(|own| own.get(row.epoch.wrapping_sub(1)));
            let expected = own.map(|record| metrics::Row::of(row.trial, &row.digest, record));
            if expected.is_some_and(|expected| !same(&expected, &row)) {
                differs.get_or_insert(row.trial);
            }
            Ok(())
        });
        if let Some(trial) = differs {
            self.add(&path, format!("contradicts the epochs.csv of trial {trial}"), RUN);
        }
    }
}

/// Whether both rows hold the same; NaN is the same as NaN.
fn same(one: &metrics::Row, other: &metrics::Row) -> bool {
    let bits = |row: &metrics::Row| row.numbers.map(|number| number.map(f64::to_bits));
    bits(one) == bits(other)
}

/// Whether the row of a completed trial says what its outcome says.
fn agree(row: &Row, outcome: &Outcome) -> bool {
    // A longer trial may serve for a shorter one, which then has a reason of its own to stop.
    let finite = |cells: [Option<f64>; 6]| cells.map(|cell| cell.filter(|it| it.is_finite()));
    outcome.status == Status::Completed
        && row.best_epoch == outcome.best_epoch
        && row.validation == finite(score_cells(outcome.validation.as_ref()))
        && row.test == finite(score_cells(outcome.test.as_ref()))
}

/// Whether the folder at `path` is one of the trial `digest`.
fn is_of(path: &Path, digest: &str) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.split('-').next() == Some(digest)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths
}
