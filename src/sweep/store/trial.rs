//! The folder of one trial.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::basis::record::{EpochRecord, Outcome, Status};
use crate::model::network::Weights;
use crate::plan::Plan;
use crate::results::layout::{CONFUSION, PLAN, PREDICTIONS};
use crate::results::table::csv_bytes;
use crate::results::timings::{self, Timing};
use crate::sweep::platform::Platform;
use crate::train::checkpoint::Checkpoint;
use crate::train::stopping::best_epoch;

use super::epochs::Row;
use super::file::{append, remove_unfinished, write_as};
use super::{
    BatchLoss, Lasting, Lock, Station, StoreError, epochs, holder, lock, machines, rows, trouble,
    write_whole,
};

/// The folder of one trial.
#[derive(Clone, Debug)]
pub struct TrialStore {
    folder: PathBuf,
    /// How far this process has written the files that rows are added to.
    ends: Arc<Mutex<BTreeMap<&'static str, u64>>>,
}

/// What a trial consists of, beside its outcome.
const LASTING: [&str; 7] = [
    "best.safetensors",
    "last.safetensors",
    PLAN,
    "epochs.csv",
    "batches.csv",
    PREDICTIONS,
    CONFUSION,
];

/// The word of a checkpoint that holds the hash of the rows of its epochs.
const ROWS: &str = "epochs-blake3";

/// The last line of a file that is sealed: the hash of everything before it.
const SEAL: &str = "# blake3 ";

/// `text` with its hash behind it.
fn sealed(text: &str) -> String {
    format!("{text}{SEAL}{}\n", blake3::hash(text.as_bytes()).to_hex())
}

/// What was [`sealed`]; none if a bit of it is another one.
fn unsealed(text: &str) -> Option<&str> {
    let (body, hash) = text.rsplit_once(SEAL)?;
    (hash.trim_end() == blake3::hash(body.as_bytes()).to_hex().as_str()).then_some(body)
}

/// The hash of the rows of `records`.
fn rows_hash(records: &[EpochRecord]) -> String {
    let rows = csv_bytes(records.iter().map(Row));
    blake3::hash(&rows).to_hex()[..16].to_owned()
}

/// Whose work a trial is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A process works on it over which this one watches; if nobody holds the lock, it died over it.
    Works(String),
    /// It failed in this run.
    Failed(String),
}

/// Where a trial goes on.
pub struct Resume {
    /// The finished epochs.
    pub records: Vec<EpochRecord>,
    /// The last checkpoint: at the end of the last of them, or in the epoch behind it.
    pub last: Checkpoint,
    /// The weights of the best epoch; none before the first has ended, and if those of a later one
    /// have taken their place.
    pub best: Option<Weights>,
}

/// An outcome as it is stored.
#[derive(Serialize, Deserialize)]
struct StoredOutcome {
    epochs_blake3: String,
    outcome: Outcome,
}

impl TrialStore {
    /// The folder `folder` of a trial.
    pub fn at(folder: PathBuf) -> TrialStore {
        TrialStore { folder, ends: Arc::default() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The right to work on the trial; none if another process has it.
    pub fn lock(&self) -> Result<Option<Lock>, StoreError> {
        fs::create_dir_all(&self.folder).map_err(trouble("make the folder", &self.folder))?;
        let path = self.file("lock");
        let Some(lock) = Lock::take(&path).map_err(trouble("lock", &path))? else {
            return Ok(None);
        };
        write_as(&self.file("holder"), holder::name().as_bytes(), Lasting::Process)?;
        Ok(Some(lock))
    }

    /// The machine of the process that took the trial last.
    pub fn host(&self) -> Option<String> {
        let name = fs::read_to_string(self.file("holder")).ok()?;
        holder::host_of(&name).map(str::to_owned)
    }

    /// Makes sure that the trial is this process's before it writes there.
    fn check_hold(&self) -> Result<(), StoreError> {
        let path = self.file("holder");
        holder::check(&path).map_err(trouble("write to", &self.folder))
    }

    /// Adds rows to the file `name`.
    fn append<R: Serialize>(
        &self,
        name: &'static str,
        rows: impl IntoIterator<Item = R>,
        lasting: Lasting,
    ) -> Result<(), StoreError> {
        self.check_hold()?;
        let path = self.file(name);
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        let mut end = ends.get(name).copied();
        append(&path, &mut end, rows, lasting).map_err(trouble("write", &path))?;
        ends.extend(end.map(|end| (name, end)));
        Ok(())
    }

    /// Whatever was written to the file `name`, it is another one now.
    fn forget_end(&self, name: &str) {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// Whether a process works on the trial.
    pub fn is_locked(&self) -> bool {
        lock::is_held(&self.file("lock"))
    }

    /// What the last process to work on the trial has left of itself.
    pub fn mark(&self) -> Option<Mark> {
        let text = fs::read_to_string(self.file("mark")).ok()?;
        let (word, run) = text.split_once(' ')?;
        match word {
            "works" => Some(Mark::Works(run.to_owned())),
            "failed" => Some(Mark::Failed(run.to_owned())),
            _ => None,
        }
    }

    /// Leaves a mark, or takes it away.
    pub fn set_mark(&self, mark: Option<&Mark>) -> Result<(), StoreError> {
        self.check_hold()?;
        let path = self.file("mark");
        let text = match mark {
            None => {
                // There may be none.
                let _ = fs::remove_file(&path);
                return Ok(());
            }
            Some(Mark::Works(run)) => format!("works {run}"),
            Some(Mark::Failed(run)) => format!("failed {run}"),
        };
        fs::write(&path, text).map_err(trouble("write", &path))
    }

    /// Removes everything that a trial has come to, before it starts again.
    pub fn forget(&self) -> Result<(), StoreError> {
        self.check_hold()?;
        // Without the last checkpoint nothing can go on from the others, should this be cut short.
        let names = ["last.safetensors", "outcome.toml", "epochs.csv", "batches.csv"];
        for name in names.into_iter().chain(["best.safetensors"]) {
            let path = self.file(name);
            self.forget_end(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(trouble("remove", &path)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes the plan, and removes what writers have left that were killed, and a failure: the
    /// trial is tried again.
    pub fn begin(&self, plan: &Plan) -> Result<(), StoreError> {
        self.check_hold()?;
        remove_unfinished(&self.folder);
        if self.outcome().is_some_and(|known| known.status == Status::Failed) {
            let path = self.file("outcome.toml");
            fs::remove_file(&path).map_err(trouble("remove", &path))?;
        }
        let text = toml::to_string(plan).expect("a plan is plain data");
        write_as(&self.file(PLAN), text.as_bytes(), Lasting::Process)
    }

    /// The plan that ran.
    ///
    /// # Errors
    /// If there is none, or another version of the program wrote it.
    pub fn plan(&self) -> Result<Plan, StoreError> {
        let path = self.file(PLAN);
        let text = fs::read_to_string(&path).map_err(trouble("read", &path))?;
        toml::from_str(&text).map_err(|error| trouble("read", &path)(io::Error::other(error)))
    }

    /// The outcome, if the trial has ended, its rows are those it ended with, and its best weights
    /// are there. (Whether these are whole shows when they are used: reading those of all trials
    /// takes too long.)
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome_of(&self.epochs())
    }

    /// The outcome, where `records` are the trial's rows.
    pub fn outcome_of(&self, records: &[EpochRecord]) -> Option<Outcome> {
        let text = fs::read_to_string(self.file("outcome.toml")).ok()?;
        let stored: StoredOutcome = toml::from_str(unsealed(&text)?).ok()?;
        let outcome = &stored.outcome;
        let has_weights = outcome.status == Status::Completed && outcome.best_epoch > 0;
        if has_weights && !self.file("best.safetensors").exists() {
            return None;
        }
        (stored.epochs_blake3 == rows_hash(records)).then_some(stored.outcome)
    }

    /// The finished epochs, in order; rows behind a damaged one do not count.
    pub fn epochs(&self) -> Vec<EpochRecord> {
        epochs::records(&self.file("epochs.csv"))
    }

    /// Where to go on. None if there is nothing, or if a file is damaged: then the trial starts
    /// again.
    pub fn resume(&self, plan: &Plan) -> Option<Resume> {
        let last = self.checkpoint("last")?;
        let epoch = last.number("epoch") as usize;
        let mut records = self.epochs();
        if records.len() < epoch || epoch > plan.train.epochs {
            return None;
        }
        records.truncate(epoch);
        if last.words.get(ROWS) != Some(&rows_hash(&records)) {
            return None;
        }
        let best = match best_epoch(&records, plan.train.best) {
            None => None,
            Some(index) => {
                let best = self.checkpoint("best")?;
                let of = best.number("epoch") as usize;
                // A kill may have come between the best weights of a later epoch and its last ones.
                // Training gets there again.
                let is_later = epoch < of && of <= plan.train.epochs;
                if of != index + 1 && !is_later {
                    return None;
                }
                (!is_later).then_some(best.tensors)
            }
        };
        Some(Resume { records, last, best })
    }

    /// The checkpoint called `last` or `best`.
    pub fn checkpoint(&self, name: &str) -> Option<Checkpoint> {
        let bytes = fs::read(self.file(&format!("{name}.safetensors"))).ok()?;
        Checkpoint::from_bytes(&bytes).ok()
    }

    /// Adds the row of an epoch.
    pub fn add_epoch(&self, record: &EpochRecord, lasting: Lasting) -> Result<(), StoreError> {
        self.append("epochs.csv", [Row(record)], lasting)
    }

    /// Keeps the rows of `records` and no others: what a killed process has written behind its last
    /// checkpoint will be written again.
    pub fn keep_epochs(&self, records: &[EpochRecord]) -> Result<(), StoreError> {
        self.write_csv("epochs.csv", records.iter().map(Row))
    }

    /// Has the disk take what was written to outlive the process only.
    pub fn settle(&self) -> Result<(), StoreError> {
        // The first one takes the time: a file system that keeps a journal writes all of them with it.
        for name in LASTING {
            let path = self.file(name);
            match File::open(&path) {
                Ok(file) => file.sync_all().map_err(trouble("write", &path))?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(trouble("open", &path)(error)),
            }
        }
        Ok(())
    }

    /// Stores where to go on after `records`, whose rows are stored, with the best weights if they
    /// are others than before and the `losses` since it was last stored. The order matters: a kill
    /// between two files leaves a last checkpoint that has at least its own rows and losses, and
    /// best weights that training comes to again.
    pub fn write_checkpoints(
        &self,
        records: &[EpochRecord],
        best: Option<Checkpoint>,
        mut last: Checkpoint,
        losses: &[BatchLoss],
        lasting: Lasting,
    ) -> Result<(), StoreError> {
        if let Some(best) = best {
            self.write_checkpoint("best", best, lasting)?;
        }
        self.append("batches.csv", losses, lasting)?;
        last.words.insert(ROWS.to_owned(), rows_hash(records));
        self.write_checkpoint("last", last, lasting)
    }

    /// Writes the best checkpoint anew.
    pub fn replace_best(&self, best: Checkpoint) -> Result<(), StoreError> {
        self.write_checkpoint("best", best, Lasting::Process)
    }

    fn write_checkpoint(
        &self,
        name: &str,
        checkpoint: Checkpoint,
        lasting: Lasting,
    ) -> Result<(), StoreError> {
        self.check_hold()?;
        let path = self.file(&format!("{name}.safetensors"));
        let bytes = checkpoint
            .to_bytes()
            .map_err(|error| trouble("write", &path)(io::Error::other(error)))?;
        write_as(&path, &bytes, lasting)
    }

    /// The loss of every batch.
    pub fn losses(&self) -> Vec<BatchLoss> {
        rows::read(&self.file("batches.csv"))
    }

    /// Keeps the losses of the first `epochs` epochs and of the first `batches` of the next one: what
    /// a killed process has written behind its last checkpoint will be written again.
    pub fn keep_losses(&self, epochs: usize, batches: usize) -> Result<(), StoreError> {
        let known = self.losses();
        let kept: Vec<BatchLoss> = known
            .iter()
            .copied()
            .take_while(|row| (row.epoch, row.batch) <= (epochs + 1, batches))
            .collect();
        self.write_csv("batches.csv", kept)
    }

    /// Writes rows with their header; [`settle`](Self::settle) has the disk take them.
    pub fn write_csv<R: Serialize>(
        &self,
        name: &str,
        rows: impl IntoIterator<Item = R>,
    ) -> Result<(), StoreError> {
        self.check_hold()?;
        self.forget_end(name);
        write_as(&self.file(name), &csv_bytes(rows), Lasting::Process)
    }

    /// Ends the trial.
    pub fn finish(&self, outcome: &Outcome) -> Result<(), StoreError> {
        self.check_hold()?;
        let epochs_blake3 = rows_hash(&self.epochs());
        let stored = StoredOutcome { epochs_blake3, outcome: outcome.clone() };
        let text = toml::to_string(&stored).expect("an outcome is plain data");
        write_whole(&self.file("outcome.toml"), sealed(&text).as_bytes())
    }

    /// Adds lines about the clock.
    pub fn time(&self, lines: &[Timing]) -> Result<(), StoreError> {
        self.append(timings::FILE, lines, Lasting::Process)
    }

    /// Notes where the trial goes on behind its finished `epochs`, if it is not where it was.
    pub fn arrive(&self, epochs: usize, threads: usize) -> Result<(), StoreError> {
        let station = Station { epoch: epochs, threads, machine: Platform::here().clone() };
        let last = self.stations().pop();
        if last.is_some_and(|last| Station { epoch: epochs, ..last } == station) {
            return Ok(());
        }
        self.append("machines.csv", [machines::Row::from(station)], Lasting::Process)
    }

    /// Where the trial ran, in order.
    pub fn stations(&self) -> Vec<Station> {
        machines::read(&self.file("machines.csv"))
    }

    /// What the clock said, one line for each time an epoch was computed.
    pub fn timings(&self) -> Vec<Timing> {
        rows::read(&self.file(timings::FILE))
    }
}
