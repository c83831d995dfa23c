//! The results folder: every trial under its digest, every file written beside and renamed.
//!
//! ```text
//! results/<name>/trials/<digest>/plan.toml          what ran
//!                                epochs.csv         one row per finished epoch
//!                                last.safetensors   where to go on
//!                                best.safetensors   the best epoch's weights
//!                                outcome.toml       written last: the trial has ended
//!                                timings.csv        what the clock said
//! ```

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::basis::record::{EpochRecord, Outcome, Scores, Status};
use crate::plan::resolve::Plan;
use crate::train::checkpoint::Checkpoint;

/// What went wrong with a file.
#[derive(Debug, thiserror::Error)]
#[error("failed to {action} {}: {cause}", path.display())]
pub struct StoreError {
    action: &'static str,
    path: PathBuf,
    cause: io::Error,
}

fn trouble(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |cause| StoreError { action, path, cause }
}

/// Writes a file so that it is there as a whole or not at all.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    // A name of its own for each writer: two may write the same file.
    static WRITES: AtomicU64 = AtomicU64::new(0);
    let mut beside = path.as_os_str().to_owned();
    let number = WRITES.fetch_add(1, Ordering::Relaxed);
    beside.push(format!(".{}-{number}.new", std::process::id()));
    let beside = PathBuf::from(beside);
    let write = || {
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        fs::rename(&beside, path)
    };
    write().map_err(|cause| {
        // What is left of it would only take room on a disk that may be full.
        let _ = fs::remove_file(&beside);
        StoreError { action: "write", path: path.to_owned(), cause }
    })
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

    /// Makes the folder, and makes sure that it can be written to before anything is trained.
    pub fn prepare(&self) -> Result<(), StoreError> {
        let trials = self.root.join("trials");
        fs::create_dir_all(&trials).map_err(trouble("make the folder", &trials))?;
        let probe = self.root.join(".probe");
        write_whole(&probe, b"")?;
        fs::remove_file(&probe).map_err(trouble("remove", &probe))
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of a trial, for `epochs` epochs.
    ///
    /// A folder whose trial was trained for longer serves as well if its best epoch was among the
    /// first `epochs`; else the shorter trial gets a folder of its own, so that nothing is lost.
    pub fn trial(&self, digest: &str, epochs: usize) -> TrialStore {
        let own = TrialStore { folder: self.root.join("trials").join(digest) };
        match own.outcome() {
            Some(known) if known.epochs > epochs && known.best_epoch > epochs => {
                let name = format!("{digest}-{epochs}-epochs");
                TrialStore { folder: self.root.join("trials").join(name) }
            }
            _ => own,
        }
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
}

/// A row of a trial's `epochs.csv`: an [`EpochRecord`], flat.
#[derive(Serialize, Deserialize)]
struct Row {
    epoch: usize,
    steps: u64,
    lr: f64,
    train_loss: f64,
    train_accuracy: f64,
    train_top_k: f64,
    train_precision: f64,
    train_recall: f64,
    train_f1: f64,
    val_loss: Option<f64>,
    val_accuracy: Option<f64>,
    val_top_k: Option<f64>,
    val_precision: Option<f64>,
    val_recall: Option<f64>,
    val_f1: Option<f64>,
}

impl From<&EpochRecord> for Row {
    fn from(record: &EpochRecord) -> Row {
        let EpochRecord { epoch, steps, lr, train, validation } = *record;
        Row {
            epoch,
            steps,
            lr,
            train_loss: train.loss,
            train_accuracy: train.accuracy,
            train_top_k: train.top_k,
            train_precision: train.precision,
            train_recall: train.recall,
            train_f1: train.f1,
            val_loss: validation.map(|scores| scores.loss),
            val_accuracy: validation.map(|scores| scores.accuracy),
            val_top_k: validation.map(|scores| scores.top_k),
            val_precision: validation.map(|scores| scores.precision),
            val_recall: validation.map(|scores| scores.recall),
            val_f1: validation.map(|scores| scores.f1),
        }
    }
}

impl From<Row> for EpochRecord {
    fn from(row: Row) -> EpochRecord {
        let validation = || {
            Some(Scores {
                loss: row.val_loss?,
                accuracy: row.val_accuracy?,
                top_k: row.val_top_k?,
                precision: row.val_precision?,
                recall: row.val_recall?,
                f1: row.val_f1?,
            })
        };
        EpochRecord {
            epoch: row.epoch,
            steps: row.steps,
            lr: row.lr,
            train: Scores {
                loss: row.train_loss,
                accuracy: row.train_accuracy,
                top_k: row.train_top_k,
                precision: row.train_precision,
                recall: row.train_recall,
                f1: row.train_f1,
            },
            validation: validation(),
        }
    }
}

impl TrialStore {
    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Makes the folder and writes the plan.
    pub fn begin(&self, plan: &Plan) -> Result<(), StoreError> {
        fs::create_dir_all(&self.folder).map_err(trouble("make the folder", &self.folder))?;
        let text = toml::to_string(plan).expect("a plan is plain data");
        write_whole(&self.file("plan.toml"), text.as_bytes())
    }

    /// The outcome, if the trial has ended.
    pub fn outcome(&self) -> Option<Outcome> {
        let text = fs::read_to_string(self.file("outcome.toml")).ok()?;
        toml::from_str(&text).ok()
    }

    /// Whether nothing is left to do for a trial of `epochs` epochs.
    pub fn is_done(&self, epochs: usize) -> bool {
        self.outcome().is_some_and(|outcome| {
            // One that stopped by its own rule would stop there again.
            outcome.status == Status::Completed
                && (outcome.epochs >= epochs || !outcome.reason.is_empty())
        })
    }

    /// The finished epochs, in order; rows behind a damaged one do not count.
    pub fn epochs(&self) -> Vec<EpochRecord> {
        let Ok(mut reader) = csv::Reader::from_path(self.file("epochs.csv")) else {
            return Vec::new();
        };
        reader
            .deserialize::<Row>()
            .map_while(Result::ok)
            .map(EpochRecord::from)
            .enumerate()
            .take_while(|(index, record)| record.epoch == index + 1)
            .map(|(_, record)| record)
            .collect()
    }

    /// Where to go on: the epochs, the last checkpoint and the best epoch's. None if there is
    /// nothing, or if a file is damaged: then the trial starts again.
    pub fn resume(&self) -> Option<(Vec<EpochRecord>, Checkpoint, Checkpoint)> {
        let last = self.checkpoint("last")?;
        let best = self.checkpoint("best")?;
        let mut records = self.epochs();
        let epoch = last.number("epoch") as usize;
        if epoch == 0 || records.len() < epoch {
            return None;
        }
        records.truncate(epoch);
        Some((records, last, best))
    }

    /// The checkpoint called `last` or `best`.
    pub fn checkpoint(&self, name: &str) -> Option<Checkpoint> {
        let bytes = fs::read(self.file(&format!("{name}.safetensors"))).ok()?;
        Checkpoint::from_bytes(&bytes).ok()
    }

    /// Stores the end of an epoch. The order matters: a kill between two files leaves a last
    /// checkpoint that has at least its own rows, and a best one that will be written again.
    pub fn epoch_ended(
        &self,
        records: &[EpochRecord],
        best: Option<&Checkpoint>,
        last: &Checkpoint,
    ) -> Result<(), StoreError> {
        if let Some(best) = best {
            self.write_checkpoint("best", best)?;
        }
        let rows = records.iter().map(Row::from);
        self.write_csv("epochs.csv", rows)?;
        self.write_checkpoint("last", last)
    }

    fn write_checkpoint(&self, name: &str, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        let path = self.file(&format!("{name}.safetensors"));
        let bytes = checkpoint
            .to_bytes()
            .map_err(|error| trouble("write", &path)(io::Error::other(error)))?;
        write_whole(&path, &bytes)
    }

    /// Writes rows with their header.
    pub fn write_csv<R: Serialize>(
        &self,
        name: &str,
        rows: impl IntoIterator<Item = R>,
    ) -> Result<(), StoreError> {
        let path = self.file(name);
        write_whole(&path, &csv_bytes(rows).map_err(trouble("write", &path))?)
    }

    /// Ends the trial.
    pub fn finish(&self, outcome: &Outcome) -> Result<(), StoreError> {
        let text = toml::to_string(outcome).expect("an outcome is plain data");
        write_whole(&self.file("outcome.toml"), text.as_bytes())
    }

    /// Adds a line about the clock.
    pub fn time(&self, line: &Timing) -> Result<(), StoreError> {
        let path = self.file("timings.csv");
        let is_new = !path.exists();
        let write = || {
            let file = File::options().create(true).append(true).open(&path)?;
            let mut writer = csv::WriterBuilder::new().has_headers(is_new).from_writer(file);
            writer.serialize(line)?;
            writer.flush()
        };
        write().map_err(trouble("write", &path))
    }

    /// What the clock said, one line for each time an epoch was computed.
    pub fn timings(&self) -> Vec<Timing> {
        csv::Reader::from_path(self.file("timings.csv"))
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
}
