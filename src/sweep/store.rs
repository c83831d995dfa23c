//! The results folder: every trial under its digest, every file written beside and renamed.
//!
//! ```text
//! results/<name>/trials/<digest>/plan.toml          what ran
//!                                lock               held by the process that works on it
//!                                holder             which one that is, or was
//!                                mark               whose work it is or was; absent if left in order
//!                                epochs.csv         one row per finished epoch
//!                                batches.csv        the loss of every batch
//!                                last.safetensors   where to go on
//!                                best.safetensors   the best epoch's weights
//!                                outcome.toml       written last: the trial has ended
//!                                timings.csv        what the clock said
//!                                machines.csv       where it ran: one row for each change of machine
//! ```
//!
//! The folder may be shared by machines. Then a lock may be lost without a word, and two processes may
//! believe that a trial is theirs; so nobody writes without looking at `holder`, files are written under
//! names that no other process has, and rows are put where they belong, not just at the end. As both
//! would write the same bytes, nothing is lost even where they come between each other.
//!
//! Nothing that is read back is trusted for being there: every file is sealed ([`seal`](crate::results::seal)).
//! Checkpoints hold the hash of their tensors and words, tables that of each row, texts their own. Files of one
//! trial name each other, so that each is known to be of the same moment: the checkpoints name the rows of
//! `epochs.csv` and `batches.csv` that they were stored with, the outcome those, `best.safetensors` and the tables
//! of predictions. A file that does not fit is kept as `NAME.damaged`, and what it held is computed again.

mod damage;
mod epochs;
mod experiment;
mod file;
mod gradual;
mod hashed;
mod holder;
mod images;
mod lineage;
mod lock;
mod losses;
mod machines;
mod rows;
mod stage;
#[cfg(test)]
mod tests;
mod trial;
mod verify;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::basis::record::{EpochRecord, Outcome, Status};
use crate::basis::regular;
use crate::plan::sweep::{Experiment, Trial};
use crate::plan::train::TrainPlan;
use crate::results::layout;
use crate::train::stopping::best_epoch;

use file::{sync_folder, write_as};

pub use damage::{DAMAGED, Damage};
pub use epochs::{Followed, Growth};
pub(in crate::sweep) use file::trouble;
pub use file::{Lasting, StoreError, UNFINISHED, write_whole};
pub use gradual::Gradual;
pub use hashed::LOCK as HASHES_LOCK;
pub use holder::host;
pub use images::{Images, ImagesError};
pub use lock::Lock;
pub use losses::BatchLoss;
pub use machines::Station;
pub use stage::{Claim, Common, StageStore};
pub use trial::{Mark, Resume, TrialStore};
pub use verify::{Verified, foreign};

/// Whether `outcome` is that of a trial of `epochs` epochs, with nothing left to do.
pub fn is_final(outcome: &Outcome, epochs: usize) -> bool {
    // One that stopped by its own rule would stop there again.
    outcome.status == Status::Completed && (outcome.epochs >= epochs || !outcome.reason.is_empty())
}

/// Names the run whose trials are not to be started any more.
pub const STOPPED: &str = "stopped";

/// From so many trials on their folders are looked at together.
const MANY: usize = 10_000;

/// Which trials have a folder.
pub struct Glance(Option<HashSet<String>>);

impl Glance {
    /// Whether the trial with this digest may have one.
    pub fn may_have(&self, digest: &str) -> bool {
        self.0.as_ref().is_none_or(|digests| digests.contains(digest))
    }
}

/// The folder of one experiment.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// The folder `name` under `results`, without touching the disk.
    pub fn at(results: &Path, name: &str) -> Store {
        Store { root: results.join(name) }
    }

    /// The folder `root` of an experiment, as it stands.
    pub fn of(root: &Path) -> Store {
        Store { root: root.to_owned() }
    }

    /// Makes the folder, and makes sure that it can be written to before anything is trained.
    pub fn prepare(&self) -> Result<(), StoreError> {
        let trials = layout::trials(&self.root);
        let is_new = !trials.exists();
        fs::create_dir_all(&trials).map_err(trouble("make the folder", &trials))?;
        let probe = self.root.join(format!(".probe-{}", holder::name()));
        write_whole(&probe, b"")?;
        fs::remove_file(&probe).map_err(trouble("remove", &probe))?;
        for folder in self.root.ancestors().take(if is_new { 2 } else { 0 }) {
            sync_folder(folder).map_err(trouble("sync the folder of", folder))?;
        }
        Ok(())
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of a trial.
    ///
    /// A folder whose trial was trained for longer serves as well if it has ended and its best epoch
    /// is one of the first; else the shorter trial gets a folder of its own, so that nothing is lost.
    pub fn trial(&self, trial: &Trial) -> TrialStore {
        self.locate(trial).0
    }

    /// The folder of the trial with this digest, unless it has one for fewer epochs.
    pub fn folder_of(&self, digest: &str) -> TrialStore {
        TrialStore::at(layout::trial(&self.root, digest))
    }

    /// The folder of a trial, and the epochs that are finished there, or why these cannot be read.
    pub fn locate(&self, trial: &Trial) -> (TrialStore, Result<Vec<EpochRecord>, StoreError>) {
        let TrainPlan { epochs, best, .. } = *trial.plan.train;
        let own = self.folder_of(&trial.digest);
        let records = match own.try_epochs() {
            Ok(records) => records,
            Err(error) => return (own, Err(error)),
        };
        let serves = || {
            let best = best_epoch(&records, best).is_some_and(|index| index < epochs);
            best && own.outcome_of(&records).is_some_and(|outcome| is_final(&outcome, epochs))
        };
        if records.len() > epochs && !serves() {
            let folder = layout::shorter_trial(&self.root, &trial.digest, epochs);
            let shorter = TrialStore::at(folder);
            let records = shorter.try_epochs();
            return (shorter, records);
        }
        (own, Ok(records))
    }

    /// Which trials of `experiment` have a folder, at a glance. One look at each is what is done of a few; of a million
    /// it takes long.
    pub fn glance(&self, experiment: &Experiment) -> Glance {
        if experiment.trials.len() < MANY {
            return Glance(None);
        }
        let entries = fs::read_dir(layout::trials(&self.root)).into_iter().flatten().flatten();
        // A folder for fewer epochs has more behind the digest.
        let digest = |name: &str| name.split('-').next().unwrap_or_default().to_owned();
        let digests = entries.map(|entry| digest(&entry.file_name().to_string_lossy()));
        Glance(Some(digests.collect()))
    }

    /// Tells all processes of the run `run` that no trial is to be started any more.
    pub fn stop(&self, run: &str) -> Result<(), StoreError> {
        write_as(&self.root.join(STOPPED), run.as_bytes(), Lasting::Process)
    }

    /// Whether that was told.
    pub fn is_stopped(&self, run: &str) -> bool {
        regular::read_to_string(&self.root.join(STOPPED)).is_ok_and(|stopped| stopped == run)
    }
}
