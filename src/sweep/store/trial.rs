//! The folder of one trial.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::basis::record::{EpochRecord, Outcome, Status};
use crate::basis::regular;
use crate::model::network::Weights;
use crate::plan::Plan;
use crate::results::layout::{
    BATCHES, BEST, CONFUSION, EPOCHS, LAST, MACHINES, OUTCOME, PLAN, PREDICTIONS, SCORES,
};
use crate::results::seal::{self, sealed, unsealed};
use crate::results::table::csv_bytes;
use crate::results::timings::{self, Timing};
use crate::sweep::platform::Platform;
use crate::train::checkpoint::{self, Checkpoint};
use crate::train::stopping::best_epoch;

use super::damage::{DAMAGED, Damage};
use super::epochs::Row;
use super::file::{remove_unfinished, sync_folder, write_as};
use super::rows::{End, Rows, append};
use super::{
    BatchLoss, Followed, Growth, Lasting, Lock, Station, StoreError, epochs, holder, lock,
    machines, rows, trouble, write_whole,
};

/// The folder of one trial.
#[derive(Clone, Debug)]
pub struct TrialStore {
    folder: PathBuf,
    /// How far this process has written the files that rows are added to.
    ends: Arc<Mutex<BTreeMap<&'static str, End>>>,
}

/// What a trial consists of, beside its outcome.
const LASTING: [&str; 8] = [BEST, LAST, PLAN, EPOCHS, BATCHES, PREDICTIONS, CONFUSION, SCORES];

/// The word of a checkpoint that holds the hash of the rows of its epochs.
const ROWS: &str = "epochs-blake3";

/// The word of a checkpoint that holds the check of the last batch whose loss is stored.
const LOSSES: &str = "batches-blake3";

/// What is wrong with a text whose seal does not fit.
const NOT_AS_WRITTEN: &str = "is damaged: its hash does not match";

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

/// An outcome as it is stored: with the hashes of everything that it was made of, or that was made with it.
#[derive(Serialize, Deserialize)]
struct StoredOutcome {
    epochs_blake3: String,
    /// The hashes of what these files hold.
    #[serde(default)]
    files: BTreeMap<String, String>,
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

    pub(super) fn file(&self, name: &str) -> PathBuf {
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
        let name = regular::read_to_string(&self.file("holder")).ok()?;
        holder::host_of(&name).map(str::to_owned)
    }

    /// Makes sure that the trial is this process's before it writes there.
    fn check_hold(&self) -> Result<(), StoreError> {
        let path = self.file("holder");
        holder::check(&path).map_err(trouble("write to", &self.folder))
    }

    /// Does `write` in a trial that is this process's. Another one that takes the trial in the meantime removes what
    /// was not finished: then that is the reason why it failed.
    pub(super) fn held<T>(
        &self,
        write: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.check_hold()?;
        write().or_else(|error| self.check_hold().and(Err(error)))
    }

    /// Adds rows to the file `name`.
    fn append<R: Serialize>(
        &self,
        name: &'static str,
        rows: impl IntoIterator<Item = R>,
        lasting: Lasting,
    ) -> Result<End, StoreError> {
        let path = self.file(name);
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        let end = ends.get(name).copied();
        let at =
            self.held(|| append(&path, end, rows, lasting).map_err(trouble("write", &path)))?;
        ends.insert(name, at);
        Ok(at)
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
        let text = regular::read_to_string(&self.file("mark")).ok()?;
        let (word, run) = text.split_once(' ')?;
        match word {
            "works" => Some(Mark::Works(run.to_owned())),
            "failed" => Some(Mark::Failed(run.to_owned())),
            _ => None,
        }
    }

    /// Leaves a mark, or takes it away.
    pub fn set_mark(&self, mark: Option<&Mark>) -> Result<(), StoreError> {
        let path = self.file("mark");
        let text = match mark {
            None => {
                self.check_hold()?;
                // There may be none.
                let _ = fs::remove_file(&path);
                return Ok(());
            }
            Some(Mark::Works(run)) => format!("works {run}"),
            Some(Mark::Failed(run)) => format!("failed {run}"),
        };
        let write = || {
            let options = &mut File::options();
            regular::open_as(&path, options.write(true).create(true).truncate(true))
                .and_then(|mut file| file.write_all(text.as_bytes()))
        };
        self.held(|| write().map_err(trouble("write", &path)))
    }

    /// Removes everything that a trial has come to, before it starts again.
    pub fn forget(&self) -> Result<(), StoreError> {
        self.check_hold()?;
        // Without the last checkpoint nothing can go on from the others, should this be cut short.
        let names = [LAST, OUTCOME, EPOCHS, BATCHES, BEST];
        for name in names {
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

    /// Keeps a damaged file of the trial under another name, before a new one takes its place.
    pub fn set_aside(&self, damage: &Damage) -> Result<(), StoreError> {
        self.check_hold()?;
        let mut aside = damage.path.as_os_str().to_owned();
        aside.push(DAMAGED);
        match fs::rename(&damage.path, aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(trouble("rename", &damage.path)(error))
            }
            _ => Ok(()),
        }
    }

    /// Writes the plan, and removes what writers have left that were killed, and a failure: the
    /// trial is tried again.
    pub fn begin(&self, plan: &Plan) -> Result<(), StoreError> {
        self.check_hold()?;
        remove_unfinished(&self.folder);
        if self.outcome().is_some_and(|known| known.status == Status::Failed) {
            let path = self.file(OUTCOME);
            fs::remove_file(&path).map_err(trouble("remove", &path))?;
        }
        let text = toml::to_string(plan).expect("a plan is plain data");
        self.held(|| write_as(&self.file(PLAN), sealed(&text).as_bytes(), Lasting::Process))
    }

    /// The plan that ran.
    ///
    /// # Errors
    /// If there is none, or it is damaged, or another version of the program wrote it.
    pub fn plan(&self) -> Result<Plan, StoreError> {
        let path = self.file(PLAN);
        let text = regular::read_to_string(&path).map_err(trouble("read", &path))?;
        let read = || match unsealed(&text) {
            Some(text) => toml::from_str(text).map_err(io::Error::other),
            None => Err(io::Error::other(NOT_AS_WRITTEN)),
        };
        read().map_err(trouble("read", &path))
    }

    /// The outcome, if the trial has ended, its rows are those it ended with, and its best weights
    /// are there. (Whether these are whole shows when they are used: reading those of all trials
    /// takes too long.)
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome_of(&self.epochs())
    }

    /// As [`outcome_of`](Self::outcome_of).
    ///
    /// # Errors
    /// If there is an outcome that cannot be read.
    pub fn try_outcome_of(&self, records: &[EpochRecord]) -> Result<Option<Outcome>, StoreError> {
        let path = self.file(OUTCOME);
        let bytes = match regular::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(trouble("read", &path))?,
        };
        let mut unreadable = None;
        let best = || match regular::open(&self.file(BEST)) {
            Ok(mut file) => checkpoint::identity(&mut file),
            Err(error) => {
                unreadable = Some(error).filter(|it| it.kind() != io::ErrorKind::NotFound);
                None
            }
        };
        let stored = self.written_outcome(bytes, records, best);
        match unreadable {
            Some(error) => Err(trouble("read", &self.file(BEST))(error)),
            None => Ok(stored.ok().flatten().map(|stored| stored.outcome)),
        }
    }

    /// The outcome, where `records` are the trial's rows.
    pub fn outcome_of(&self, records: &[EpochRecord]) -> Option<Outcome> {
        self.stored_outcome(records).ok()?.map(|stored| stored.outcome)
    }

    /// The outcome as it is stored, where `records` are the trial's rows; none if there is none, or it is one of
    /// fewer rows: the trial was trained for longer since.
    fn stored_outcome(&self, records: &[EpochRecord]) -> Result<Option<StoredOutcome>, Damage> {
        match regular::read(&self.file(OUTCOME)) {
            Ok(bytes) => self.written_outcome(bytes, records, || self.identity(BEST)),
            Err(_) => Ok(None),
        }
    }

    /// As [`stored_outcome`](Self::stored_outcome), of a file of these bytes; `best` is what identifies the best weights.
    fn written_outcome(
        &self,
        bytes: Vec<u8>,
        records: &[EpochRecord],
        best: impl FnOnce() -> Option<String>,
    ) -> Result<Option<StoredOutcome>, Damage> {
        let path = self.file(OUTCOME);
        let text = String::from_utf8(bytes).unwrap_or_default();
        let stored: Option<StoredOutcome> =
            unsealed(&text).and_then(|text| toml::from_str(text).ok());
        let Some(stored) = stored else { return Err(Damage::at(&path, NOT_AS_WRITTEN)) };
        if stored.epochs_blake3 != rows_hash(records) {
            return Ok(None);
        }
        if let Some(hash) = stored.files.get(BEST)
            && best().as_ref() != Some(hash)
        {
            let path = self.file(BEST);
            let what = match path.exists() {
                true => format!("is not the one that its trial ended with (see {OUTCOME})"),
                false => "is missing".to_owned(),
            };
            return Err(Damage::at(&path, what));
        }
        Ok(Some(stored))
    }

    /// What is wrong with the outcome, or with the best weights that it names.
    pub fn damaged_outcome(&self) -> Option<Damage> {
        self.stored_outcome(&self.epochs()).err()
    }

    /// The hash that the checkpoint in the file `name` says of what it holds.
    fn identity(&self, name: &str) -> Option<String> {
        checkpoint::identity(&mut regular::open(&self.file(name)).ok()?)
    }

    /// Whether the file `name`, which the trial's outcome names with its hash, is as it was then. A trial without an
    /// outcome says nothing against it.
    pub fn vouch(&self, name: &str) -> Result<(), Damage> {
        let path = self.file(name);
        let Some(stored) = self.stored_outcome(&self.epochs())? else { return Ok(()) };
        let Some(hash) = stored.files.get(name) else { return Ok(()) };
        let found = match name.ends_with(".safetensors") {
            true => self.identity(name),
            false => regular::read(&path).ok().map(|bytes| seal::hash(&bytes)),
        };
        match found {
            Some(found) if found == *hash => Ok(()),
            _ => Err(Damage::at(
                &path,
                format!("is not the one that its trial ended with (see {OUTCOME})"),
            )),
        }
    }

    /// As [`epochs`](Self::epochs).
    ///
    /// # Errors
    /// If there are epochs that cannot be read.
    pub fn try_epochs(&self) -> Result<Vec<EpochRecord>, StoreError> {
        let path = self.file(EPOCHS);
        epochs::try_records(&path).map_err(trouble("read", &path))
    }

    /// Whether there is what training leaves with its first epoch: the plan, and weights.
    pub fn is_begun(&self) -> bool {
        [PLAN, BEST].iter().all(|name| self.file(name).exists())
    }

    /// The finished epochs, in order; rows behind a damaged one do not count.
    pub fn epochs(&self) -> Vec<EpochRecord> {
        epochs::records(&self.file(EPOCHS)).0
    }

    /// What is new of the epochs since the last look with `followed`. A table with more than `limit` bytes is not read.
    pub fn follow(&self, followed: &mut Followed, limit: u64) -> Growth {
        followed.look(&self.file(EPOCHS), limit)
    }

    /// Where to go on; none if there is nothing.
    ///
    /// # Errors
    /// If a file is damaged, without which the trial starts again.
    pub fn resume(&self, plan: &Plan) -> Result<Option<Resume>, Damage> {
        let mut records = self.epochs();
        let last = match self.checkpoint("last")? {
            Some(last) => last,
            // Rows are stored before the first checkpoint is.
            None => match self.stored_outcome(&records) {
                Ok(Some(_)) => {
                    return Err(Damage::at(&self.file(LAST), "is missing"));
                }
                _ => return Ok(None),
            },
        };
        let epoch = last.number("epoch") as usize;
        if epoch > plan.train.epochs {
            return Ok(None);
        }
        let rows = |what: String| Damage::at(&self.file(EPOCHS), what);
        if records.len() < epoch {
            let whole = records.len();
            return Err(rows(format!(
                "is damaged or torn: {whole} of its rows are intact, but {epoch} epochs were finished"
            )));
        }
        records.truncate(epoch);
        if last.words.get(ROWS) != Some(&rows_hash(&records)) {
            return Err(rows("has other rows than when last.safetensors was written".to_owned()));
        }
        let best = match best_epoch(&records, plan.train.best) {
            None => None,
            Some(index) => self.resume_best(&records, index, plan)?,
        };
        Ok(Some(Resume { records, last, best }))
    }

    /// The best weights of a trial with `records`, of which that at `index` is the best; none if those of a later
    /// epoch have taken their place.
    fn resume_best(
        &self,
        records: &[EpochRecord],
        index: usize,
        plan: &Plan,
    ) -> Result<Option<Weights>, Damage> {
        let path = self.file(BEST);
        let Some(best) = self.checkpoint("best")? else {
            return Err(Damage::at(&path, "is missing"));
        };
        let of = best.number("epoch") as usize;
        // A kill may have come between the best weights of a later epoch and its last ones.
        // Training gets there again.
        if records.len() < of && of <= plan.train.epochs {
            return Ok(None);
        }
        if of != index + 1 || best.words.get(ROWS) != Some(&rows_hash(&records[..of])) {
            let expected = index + 1;
            return Err(Damage::at(
                &path,
                format!(
                    "has the weights of epoch {of}, but the best epoch is {expected}: it is out of date"
                ),
            ));
        }
        Ok(Some(best.tensors))
    }

    /// The checkpoint called `last` or `best`; none if there is none.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn checkpoint(&self, name: &str) -> Result<Option<Checkpoint>, Damage> {
        let path = self.file(&format!("{name}.safetensors"));
        let damage = |error: &dyn std::fmt::Display| Damage::at(&path, format!("is {error}"));
        match regular::read(&path) {
            Ok(bytes) => Checkpoint::from_bytes(&bytes).map(Some).map_err(|error| damage(&error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(damage(&format!("cannot be read: {error}"))),
        }
    }

    /// Adds the row of an epoch.
    pub fn add_epoch(&self, record: &EpochRecord, lasting: Lasting) -> Result<(), StoreError> {
        self.append(EPOCHS, [Row(record)], lasting).map(drop)
    }

    /// Keeps the rows of `records` and no others: what a killed process has written behind its last
    /// checkpoint will be written again.
    pub fn keep_epochs(&self, records: &[EpochRecord]) -> Result<(), StoreError> {
        self.write_rows(EPOCHS, records.iter().map(Row))
    }

    /// Has the disk take what was written to outlive the process only.
    pub fn settle(&self) -> Result<(), StoreError> {
        // The first one takes the time: a file system that keeps a journal writes all of them with it.
        for name in LASTING {
            let path = self.file(name);
            match regular::open(&path) {
                Ok(file) => file.sync_all().map_err(trouble("write", &path))?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(trouble("open", &path)(error)),
            }
        }
        // That of the trial, and those that hold it.
        let inside = self.file(OUTCOME);
        for path in inside.ancestors().take(3) {
            sync_folder(path).map_err(trouble("sync", path))?;
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
        if let Some(mut best) = best {
            let epoch = best.number("epoch") as usize;
            best.words.insert(ROWS.to_owned(), rows_hash(&records[..epoch.min(records.len())]));
            self.write_checkpoint("best", best, lasting)?;
        }
        let end = self.append(BATCHES, losses, lasting)?;
        last.words.insert(LOSSES.to_owned(), end.check().to_string());
        last.words.insert(ROWS.to_owned(), rows_hash(records));
        self.write_checkpoint("last", last, lasting)
    }

    /// Becomes that of a trial that has come to `records` and `losses` at `stations`, with the `best` weights, and goes
    /// on from `last`.
    pub fn take_up(
        &self,
        records: &[EpochRecord],
        losses: &[BatchLoss],
        stations: &[Station],
        best: Option<Checkpoint>,
        last: Checkpoint,
    ) -> Result<(), StoreError> {
        self.forget()?;
        self.write_rows(MACHINES, stations.iter().cloned().map(machines::Row::from))?;
        self.keep_epochs(records)?;
        self.write_checkpoints(records, best, last, losses, Lasting::Process)
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
        let path = self.file(&format!("{name}.safetensors"));
        let bytes = checkpoint
            .to_bytes()
            .map_err(|error| trouble("write", &path)(io::Error::other(error)))?;
        self.held(|| write_as(&path, &bytes, lasting))
    }

    /// The loss of every batch, as far as the table is whole.
    pub fn losses(&self) -> Vec<BatchLoss> {
        rows::read(&self.file(BATCHES)).rows
    }

    /// Keeps the losses that were stored with the checkpoint `last`: what a killed process has written behind
    /// them will be written again.
    ///
    /// # Errors
    /// Inside, what is wrong with the table: then those before the damage are kept.
    pub fn keep_losses(&self, last: &Checkpoint) -> Result<Result<(), Damage>, StoreError> {
        let path = self.file(BATCHES);
        let known: Rows<BatchLoss> = rows::read(&path);
        let end = last.words.get(LOSSES);
        let place = known.checks.iter().rposition(|check| end == Some(&check.to_string()));
        let count = place.map_or(0, |place| place + 1);
        let is_there = count > 0 || end == Some(&rows::nothing(&path).to_string());
        if is_there {
            self.write_rows(BATCHES, &known.rows[..count])?;
            return Ok(Ok(()));
        }
        let what = "is damaged or torn: the losses of some batches are lost";
        let damage = Damage::at(&path, what);
        self.set_aside(&damage)?;
        self.write_rows(BATCHES, &known.rows)?;
        Ok(Err(damage))
    }

    /// Writes a table of rows that others are added to.
    fn write_rows<R: Serialize>(
        &self,
        name: &str,
        rows: impl IntoIterator<Item = R>,
    ) -> Result<(), StoreError> {
        self.forget_end(name);
        let path = self.file(name);
        self.held(|| write_as(&path, &rows::table(&path, rows), Lasting::Process))
    }

    /// Writes rows with their header; [`settle`](Self::settle) has the disk take them.
    pub fn write_csv<R: Serialize>(
        &self,
        name: &str,
        rows: impl IntoIterator<Item = R>,
    ) -> Result<(), StoreError> {
        self.forget_end(name);
        self.held(|| write_as(&self.file(name), &csv_bytes(rows), Lasting::Process))
    }

    /// Ends the trial.
    pub fn finish(&self, outcome: &Outcome) -> Result<(), StoreError> {
        let epochs_blake3 = rows_hash(&self.try_epochs()?);
        let mut files = BTreeMap::new();
        if outcome.status == Status::Completed && outcome.best_epoch > 0 {
            files.extend(self.identity(BEST).map(|hash| (BEST.to_owned(), hash)));
            for name in [BATCHES, PREDICTIONS, CONFUSION, SCORES] {
                if let Ok(bytes) = regular::read(&self.file(name)) {
                    files.insert(name.to_owned(), seal::hash(&bytes));
                }
            }
        }
        let stored = StoredOutcome { epochs_blake3, files, outcome: outcome.clone() };
        let text = toml::to_string(&stored).expect("an outcome is plain data");
        self.held(|| write_whole(&self.file(OUTCOME), sealed(&text).as_bytes()))
    }

    /// Adds lines about the clock.
    pub fn time(&self, lines: &[Timing]) -> Result<(), StoreError> {
        self.append(timings::FILE, lines, Lasting::Process).map(drop)
    }

    /// Notes where the trial goes on behind its finished `epochs`, if it is not where it was.
    pub fn arrive(&self, epochs: usize, threads: usize) -> Result<(), StoreError> {
        let station = Station { epoch: epochs, threads, machine: Platform::here().clone() };
        let last = self.stations().pop();
        if last.is_some_and(|last| Station { epoch: epochs, ..last } == station) {
            return Ok(());
        }
        self.append(MACHINES, [machines::Row::from(station)], Lasting::Process).map(drop)
    }

    /// Where the trial ran, in order.
    pub fn stations(&self) -> Vec<Station> {
        machines::read(&self.file(MACHINES))
    }

    /// What the clock said, one line for each time an epoch was computed.
    pub fn timings(&self) -> Vec<Timing> {
        rows::read(&self.file(timings::FILE)).rows
    }
}
