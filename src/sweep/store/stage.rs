//! The store of stages: what trials have come to at the end of epochs that others begin with, beside the folders of
//! experiments.
//!
//! ```text
//! results/.stages/<digest>.safetensors     the state after these epochs, their records and losses
//!                 <digest>.lock            held by the process that trains until there
//! ```
//!
//! A file is whole and holds the hash of all that is in it, or it is none. All of them may be deleted at any time: then
//! somebody trains these epochs again.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::basis::record::{EpochRecord, Metric};
use crate::basis::regular;
use crate::model::network::Weights;
use crate::plan::stage::StageDigest;
use crate::sweep::clock::touch;
use crate::train::checkpoint::Checkpoint;

use super::file::{UNFINISHED, write_as};
use super::{BatchLoss, Lasting, Lock, Station, StoreError, machines, trouble};

/// What a trial has come to at the end of some of its epochs, without what is its own alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Common {
    /// The finished epochs.
    pub records: Vec<EpochRecord>,
    /// The loss of every batch.
    pub losses: Vec<BatchLoss>,
    /// Where these epochs were trained.
    pub stations: Vec<Station>,
    /// The hash of the images.
    pub images: String,
    /// Where to go on.
    pub last: Checkpoint,
    /// The weights of the best epoch by each metric that somebody wants to know the best epoch by.
    pub best: Vec<(Metric, Checkpoint)>,
}

/// The words of a file, as TOML.
#[derive(Serialize, Deserialize)]
struct Words {
    digest: String,
    images: String,
    /// Batches of an epoch.
    batches: usize,
    /// The loss of each batch, in order: 16 hexadecimal digits of the bits of a number of 64 bits.
    losses: String,
    best: Vec<Best>,
    stations: Vec<machines::Row>,
    records: Vec<EpochRecord>,
}

/// Which weights are the best by a metric.
#[derive(Serialize, Deserialize)]
struct Best {
    metric: Metric,
    words: BTreeMap<String, String>,
}

/// The word of a checkpoint that holds [`Words`].
const WORD: &str = "stage";

/// Names of the best weights begin with this and their epoch, where it is not the last one.
const BEST: &str = "|best|";

/// The ending of the name of a file.
const ENDING: &str = ".safetensors";

impl Common {
    /// Nothing, if the losses are not those of all batches.
    fn to_bytes(&self, digest: &StageDigest) -> Option<Vec<u8>> {
        let epochs = self.records.len();
        let batches = self.losses.len().checked_div(epochs)?;
        let mut losses = String::with_capacity(16 * self.losses.len());
        let places = (1..=epochs).flat_map(|epoch| (1..=batches).map(move |batch| (epoch, batch)));
        for (place, loss) in places.zip(&self.losses) {
            if (loss.epoch, loss.batch) != place {
                return None;
            }
            losses.push_str(&format!("{:016x}", loss.loss.to_bits()));
        }
        if batches * epochs != self.losses.len() {
            return None;
        }
        let mut checkpoint = self.last.clone();
        let mut best = Vec::new();
        for (metric, weights) in &self.best {
            let epoch = weights.number("epoch");
            if epoch != epochs as u64 {
                let named = |name: &String| format!("{BEST}{epoch}|{name}");
                let tensors =
                    weights.tensors.iter().map(|(name, tensor)| (named(name), tensor.clone()));
                checkpoint.tensors.extend(tensors);
            }
            best.push(Best { metric: *metric, words: weights.words.clone() });
        }
        let words = Words {
            digest: digest.to_hex().to_string(),
            images: self.images.clone(),
            batches,
            losses,
            best,
            stations: self.stations.iter().cloned().map(machines::Row::from).collect(),
            records: self.records.clone(),
        };
        checkpoint.words.insert(WORD.to_owned(), toml::to_string(&words).ok()?);
        checkpoint.to_bytes().ok()
    }

    /// What [`to_bytes`](Self::to_bytes) gave for `digest`; none if it is damaged or something else.
    fn from_bytes(bytes: &[u8], digest: &StageDigest) -> Option<Common> {
        let Checkpoint { tensors, mut words } = Checkpoint::from_bytes(bytes).ok()?;
        let Words { digest: named, images, batches, losses, best, stations, records } =
            toml::from_str(&words.remove(WORD)?).ok()?;
        if named != digest.to_hex().as_str()
            || records.len().checked_mul(batches).and_then(|all| all.checked_mul(16))
                != Some(losses.len())
        {
            return None;
        }
        let places =
            (1..=records.len()).flat_map(|epoch| (1..=batches).map(move |batch| (epoch, batch)));
        let losses = places
            .enumerate()
            .map(|(index, (epoch, batch))| {
                let digits = losses.get(16 * index..16 * (index + 1))?;
                let loss = f64::from_bits(u64::from_str_radix(digits, 16).ok()?);
                Some(BatchLoss { epoch, batch, loss })
            })
            .collect::<Option<Vec<_>>>()?;
        let (beside, tensors) = tensors.into_iter().partition(|(name, _)| name.starts_with(BEST));
        let last = Checkpoint { tensors, words };
        if last.number("epoch") != records.len() as u64 {
            return None;
        }
        let best = best.into_iter().map(|Best { metric, words }| {
            let mut weights = Checkpoint { words, ..Checkpoint::default() };
            let epoch = weights.number("epoch");
            weights.tensors = match epoch == records.len() as u64 {
                true => last.weights(),
                false => named_of(&beside, epoch),
            };
            (metric, weights)
        });
        let best = best.collect();
        let stations = stations.into_iter().map(Station::from).collect();
        Some(Common { records, losses, stations, images, best, last })
    }
}

/// The best weights of epoch `epoch` among those `beside` the last ones.
fn named_of(beside: &Weights, epoch: u64) -> Weights {
    let start = format!("{BEST}{epoch}|");
    let named = beside
        .iter()
        .filter_map(|(name, tensor)| Some((name.strip_prefix(&start)?.to_owned(), tensor.clone())));
    named.collect()
}

/// Where stages are kept.
#[derive(Clone, Debug)]
pub struct StageStore {
    folder: PathBuf,
    /// Bytes that all files may take.
    limit: u64,
}

impl StageStore {
    /// The folder `folder`, whose files take at most so many bytes. It is made when there is something to keep.
    pub fn at(folder: PathBuf, limit: u64) -> StageStore {
        StageStore { folder, limit }
    }

    fn file(&self, digest: &StageDigest) -> PathBuf {
        self.folder.join(format!("{}{ENDING}", digest.to_hex()))
    }

    /// The digests whose files are there.
    pub fn kept(&self) -> HashSet<StageDigest> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let digest = |name: &str| StageDigest::from_hex(name.strip_suffix(ENDING)?).ok();
        let digests = entries.filter_map(|entry| digest(&entry.file_name().to_string_lossy()));
        digests.collect()
    }

    /// What is kept under `digest`; none if it is missing, or damaged: then it is removed.
    pub fn read(&self, digest: &StageDigest) -> Option<Common> {
        let path = self.file(digest);
        let bytes = regular::read(&path).ok()?;
        let common = Common::from_bytes(&bytes, digest);
        match common {
            // What is used again gives way last.
            Some(_) => _ = regular::open(&path).and_then(|file| touch(&file)),
            None => _ = fs::remove_file(&path),
        }
        common
    }

    /// Keeps `common` under `digest`, if it is whole and finds room; those that were used last stay.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, digest: &StageDigest, common: &Common) -> Result<(), StoreError> {
        let Some(bytes) = common.to_bytes(digest) else { return Ok(()) };
        if bytes.len() as u64 > self.limit {
            return Ok(());
        }
        fs::create_dir_all(&self.folder).map_err(trouble("make the folder", &self.folder))?;
        let path = self.file(digest);
        self.make_room(bytes.len() as u64, &path);
        write_as(&path, &bytes, Lasting::Process)
    }

    /// Removes what was used longest ago, until so many `bytes` more have room.
    fn make_room(&self, bytes: u64, own: &Path) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut others: Vec<_> = entries
            .filter(|entry| {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                name.ends_with(ENDING) || name.ends_with(UNFINISHED)
            })
            .filter(|entry| entry.path() != own)
            .filter_map(|entry| {
                let metadata = entry.metadata().ok()?;
                Some((used(&metadata), entry.path(), metadata.len()))
            })
            .collect();
        others.sort();
        let mut taken: u64 = others.iter().map(|(.., bytes)| bytes).sum();
        for (_, path, size) in others {
            if taken + bytes <= self.limit {
                break;
            }
            if fs::remove_file(path).is_ok() {
                taken -= size;
            }
        }
    }

    /// The right to train until `digest`; none if another process has it. Whoever is in doubt has it: then the same
    /// epochs may be trained twice, and come to the same.
    pub fn claim(&self, digest: &StageDigest) -> Option<Claim> {
        let path = self.folder.join(format!("{}.lock", digest.to_hex()));
        let _ = fs::create_dir_all(&self.folder);
        match Lock::take(&path) {
            Ok(Some(lock)) => Some(Claim { path, lock: Some(lock) }),
            Ok(None) => None,
            Err(_) => Some(Claim { path, lock: None }),
        }
    }
}

/// The right to train some epochs, until it is dropped.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    lock: Option<Lock>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Who opened the file before this and locks it after this believes that it is alone, as does who makes
        // a new one: that costs time and changes nothing.
        if self.lock.is_some() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a date decides only which file gives way")]
fn used(metadata: &fs::Metadata) -> std::time::SystemTime {
    metadata.modified().unwrap_or(std::time::UNIX_EPOCH)
}
