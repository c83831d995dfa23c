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
//! Nothing that is read back is trusted for being there: checkpoints hold the hash of their tensors,
//! the last one and the outcome that of the rows of `epochs.csv`, the outcome its own.

mod gradual;
mod holder;
mod lock;
mod losses;
mod machines;
mod rows;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::basis::record::{EpochRecord, Outcome, Status};
use crate::model::network::Weights;
use crate::plan::resolve::Plan;
use crate::plan::sweep::Trial;
use crate::plan::train::TrainPlan;
use crate::train::checkpoint::Checkpoint;
use crate::train::stopping::best_epoch;

use super::machine::Machine;
use super::slots::Slot;

use rows::Row;

pub use gradual::Gradual;
pub use holder::host;
pub use lock::Lock;
pub use losses::BatchLoss;
pub use machines::Station;

/// What went wrong with a file.
#[derive(Debug, thiserror::Error)]
#[error("failed to {action} {}: {cause}", path.display())]
pub struct StoreError {
    action: &'static str,
    path: PathBuf,
    cause: io::Error,
}

impl StoreError {
    /// Whether another process has taken the trial: this one has nothing more to do with it.
    pub fn is_taken_over(&self) -> bool {
        self.cause.get_ref().is_some_and(|cause| cause.is::<holder::TakenOver>())
    }
}

pub(super) fn trouble(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |cause| StoreError { action, path, cause }
}

/// Writes a file so that it is there as a whole or not at all.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    write_as(path, bytes, Lasting::Power)
}

/// What a file outlives as soon as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting {
    /// The death of the process. After a loss of power it may be torn, which its hash tells.
    Process,
    /// A loss of power: the disk has it, which takes some milliseconds.
    Power,
}

/// Where `path` is written before it is whole. A name of its own for each writer: two may write the
/// same file.
fn beside(path: &Path) -> PathBuf {
    static WRITES: AtomicU64 = AtomicU64::new(0);
    let mut beside = path.as_os_str().to_owned();
    let number = WRITES.fetch_add(1, Ordering::Relaxed);
    beside.push(format!(".{}-{number}{UNFINISHED}", holder::name()));
    PathBuf::from(beside)
}

fn write_as(path: &Path, bytes: &[u8], lasting: Lasting) -> Result<(), StoreError> {
    let beside = beside(path);
    let write = || {
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        if lasting == Lasting::Power {
            file.sync_data()?;
        }
        match fs::rename(&beside, path) {
            // Over a network the answer to the first request may be lost, and the second finds that
            // it was done.
            Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::read(path) {
                Ok(there) if there == bytes => Ok(()),
                _ => Err(error),
            },
            renamed => renamed,
        }
    };
    write().map_err(|cause| {
        // What is left of it would only take room on a disk that may be full.
        let _ = fs::remove_file(&beside);
        StoreError { action: "write", path: path.to_owned(), cause }
    })
}

/// Adds rows at the end, below a header if there is nothing yet. `end` is where this process has
/// written to last, if it has: rows behind it are another one's. It is moved on.
fn append<R: Serialize>(
    path: &Path,
    end: &mut Option<u64>,
    rows: impl IntoIterator<Item = R>,
    lasting: Lasting,
) -> io::Result<()> {
    let mut file = File::options().create(true).write(true).truncate(false).open(path)?;
    let there = file.metadata()?.len();
    if end.is_some_and(|end| end != there) {
        return Err(io::Error::other(holder::TakenOver("one that wrote here".to_owned())));
    }
    file.seek(SeekFrom::Start(there))?;
    let mut writer = csv::WriterBuilder::new().has_headers(there == 0).from_writer(Vec::new());
    for row in rows {
        writer.serialize(row)?;
    }
    let rows = writer.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
    file.write_all(&rows)?;
    *end = Some(there + rows.len() as u64);
    if lasting == Lasting::Power { file.sync_data() } else { Ok(()) }
}

/// Removes files from `folder` that were never finished. Nobody else may write there.
fn remove_unfinished(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(UNFINISHED)) {
        // They only take room; if they cannot be removed, nothing else is wrong.
        let _ = fs::remove_file(entry.path());
    }
}

/// Whether `outcome` is that of a trial of `epochs` epochs, with nothing left to do.
pub fn is_final(outcome: &Outcome, epochs: usize) -> bool {
    // One that stopped by its own rule would stop there again.
    outcome.status == Status::Completed && (outcome.epochs >= epochs || !outcome.reason.is_empty())
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
        let trials = self.root.join("trials");
        fs::create_dir_all(&trials).map_err(trouble("make the folder", &trials))?;
        let probe = self.root.join(format!(".probe-{}", holder::name()));
        write_whole(&probe, b"")?;
        fs::remove_file(&probe).map_err(trouble("remove", &probe))
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

    /// The folder of a trial, and the epochs that are finished there.
    pub fn locate(&self, trial: &Trial) -> (TrialStore, Vec<EpochRecord>) {
        let TrainPlan { epochs, best, .. } = trial.plan.train;
        let own = TrialStore::at(self.root.join("trials").join(&trial.digest));
        let records = own.epochs();
        let serves = || {
            let best = best_epoch(&records, best).is_some_and(|index| index < epochs);
            best && own.outcome_of(&records).is_some_and(|outcome| is_final(&outcome, epochs))
        };
        if records.len() > epochs && !serves() {
            let name = format!("{}-{epochs}-epochs", trial.digest);
            let shorter = TrialStore::at(self.root.join("trials").join(name));
            let records = shorter.epochs();
            return (shorter, records);
        }
        (own, records)
    }

    /// Compares the images called `key` with those of earlier trials, and remembers them if there
    /// are none: whether they are the same.
    pub fn check_images(&self, key: &str, images: &Images) -> Result<bool, StoreError> {
        let name = &blake3::hash(key.as_bytes()).to_hex()[..16];
        let path = self.root.join("trials").join(format!("images-{name}.toml"));
        match read_images(&path) {
            Some(known) => Ok(known.fingerprint == images.fingerprint),
            None => {
                let text = toml::to_string(images).expect("images are plain data");
                write_whole(&path, text.as_bytes()).map(|()| true)
            }
        }
    }

    /// Tells all processes of the run `run` that no trial is to be started any more.
    pub fn stop(&self, run: &str) -> Result<(), StoreError> {
        write_as(&self.root.join("stopped"), run.as_bytes(), Lasting::Process)
    }

    /// Whether that was told.
    pub fn is_stopped(&self, run: &str) -> bool {
        fs::read_to_string(self.root.join("stopped")).is_ok_and(|stopped| stopped == run)
    }

    /// The sets of images that trials were run on, in the order of their files' names.
    pub fn images(&self) -> Vec<(PathBuf, Images)> {
        let Ok(entries) = fs::read_dir(self.root.join("trials")) else { return Vec::new() };
        let mut paths: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.is_file())
            .collect();
        paths.sort();
        paths.into_iter().filter_map(|path| Some((path.clone(), read_images(&path)?))).collect()
    }
}

fn read_images(path: &Path) -> Option<Images> {
    toml::from_str(&fs::read_to_string(path).ok()?).ok()
}

/// A set of images as trials found it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Images {
    /// Equal for equal images.
    pub fingerprint: String,
    /// How many there are.
    pub images: usize,
    /// Images that the source declares for testing and that were left out because another source
    /// is the test set.
    pub set_aside: usize,
    /// Files that were left out, each with its reason.
    pub skipped: Vec<String>,
}

/// The folder of one trial.
#[derive(Clone, Debug)]
pub struct TrialStore {
    folder: PathBuf,
    /// How far this process has written the files that rows are added to.
    ends: Arc<Mutex<BTreeMap<&'static str, u64>>>,
}

/// The ending of the names under which files are written before they are whole.
pub const UNFINISHED: &str = ".new";

/// What a trial consists of, beside its outcome.
const LASTING: [&str; 7] = [
    "best.safetensors",
    "last.safetensors",
    "plan.toml",
    "epochs.csv",
    "batches.csv",
    "predictions.csv",
    "confusion.csv",
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
    let rows = csv_bytes(records.iter().map(Row::from)).unwrap_or_default();
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
        write_as(&self.file("plan.toml"), text.as_bytes(), Lasting::Process)
    }

    /// The plan that ran.
    ///
    /// # Errors
    /// If there is none, or another version of the program wrote it.
    pub fn plan(&self) -> Result<Plan, StoreError> {
        let path = self.file("plan.toml");
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
        rows::records(&fs::read(self.file("epochs.csv")).unwrap_or_default())
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
        self.append("epochs.csv", [Row::from(record)], lasting)
    }

    /// Keeps the rows of `records` and no others: what a killed process has written behind its last
    /// checkpoint will be written again.
    pub fn keep_epochs(&self, records: &[EpochRecord]) -> Result<(), StoreError> {
        self.write_csv("epochs.csv", records.iter().map(Row::from))
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
        losses::read(&self.file("batches.csv"))
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
        let path = self.file(name);
        let bytes = csv_bytes(rows).map_err(trouble("write", &path))?;
        write_as(&path, &bytes, Lasting::Process)
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
        self.append("timings.csv", lines, Lasting::Process)
    }

    /// Notes where the trial goes on behind its finished `epochs`, if it is not where it was.
    pub fn arrive(&self, epochs: usize, threads: usize) -> Result<(), StoreError> {
        let station = Station { epoch: epochs, threads, machine: Machine::here().clone() };
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
        // Rows are longer than a header that an earlier version wrote.
        csv::ReaderBuilder::new()
            .flexible(true)
            .from_path(self.file("timings.csv"))
            .map(|mut reader| reader.deserialize().map_while(Result::ok).collect())
            .unwrap_or_default()
    }
}

/// Rows with their header as CSV.
pub fn csv_bytes<R: Serialize>(rows: impl IntoIterator<Item = R>) -> io::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row)?;
    }
    writer.into_inner().map_err(|error| io::Error::other(error.to_string()))
}

/// A line of `timings.csv`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Counted from 1; 0 is everything beside the epochs: data, evaluation, files.
    pub epoch: usize,
    /// Wall time.
    pub seconds: f64,
    /// Training images over wall time.
    pub images_per_second: f64,
    /// Threads of the trial.
    pub threads: usize,
    /// Images that the trial augmented.
    #[serde(default)]
    pub augmented: u64,
    /// Images that another trial of the sweep had augmented.
    #[serde(default)]
    pub shared: u64,
    /// Time for the former, summed over threads.
    #[serde(default)]
    pub augment_seconds: f64,
    /// The device that the trial ran on; empty in rows of an earlier version.
    #[serde(default)]
    pub device: String,
    /// The slot there.
    #[serde(default)]
    pub slot: usize,
}

impl Timing {
    /// Nothing yet, for a trial in this slot with so many threads.
    pub(super) fn in_slot(slot: Slot, threads: usize) -> Timing {
        let Slot { device, number } = slot;
        Timing { threads, device: device.to_string(), slot: number, ..Timing::default() }
    }
}
