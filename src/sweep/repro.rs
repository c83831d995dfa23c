//! Re-execution: the same trial again, in a folder of its own, compared with what was stored.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::basis::device::Device;
use crate::basis::record::{EpochRecord, Outcome, Status};
use crate::data;
use crate::plan::run::RunPlan;
use crate::plan::sweep::Trial;
use crate::train::checkpoint::Checkpoint;
use crate::train::trainer::Event;
use crate::transfer::features::Features;

use super::recorder::Callback;
use super::slots::Slot;
use super::store::{BatchLoss, Store, TrialStore};
use super::trial::{self, Ended, Surroundings};

/// What a re-execution came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Repro {
    /// The same bits: so many epochs, batches and tensors were compared.
    Identical {
        /// Rows of `epochs.csv`.
        epochs: usize,
        /// Losses of batches.
        batches: usize,
        /// Tensors of both checkpoints.
        tensors: usize,
    },
    /// Something differs; the words say what, the first difference first.
    Differs(Vec<String>),
    /// There is nothing to compare with, or it could not be executed: why.
    Impossible(String),
    /// It was interrupted.
    Interrupted,
}

/// What a re-execution needs.
pub struct Again<'a> {
    /// Where the trials were stored.
    pub home: &'a Store,
    /// Decoded images, shared by all trials.
    pub images: &'a data::Cache,
    /// A folder for what is computed again.
    pub scratch: &'a Path,
    /// Threads of the trial.
    pub threads: usize,
    /// Set when everything shall stop.
    pub interrupt: &'a AtomicBool,
}

/// Bytes for the features of frozen layers. What others have stored is not looked at.
const FEATURES: u64 = 4 << 30;

/// Executes the stored `trial` again, as far as it got, and compares.
pub fn repro(trial: &Trial, stored: &TrialStore, again: &Again, callback: &Callback) -> Repro {
    let records = stored.epochs();
    let is_failed = stored.outcome().is_some_and(|outcome| outcome.status == Status::Failed);
    if records.is_empty() && !is_failed {
        return Repro::Impossible("it has no finished epoch".to_owned());
    }
    let device = device(stored);
    if !device.is_built_in() {
        return Repro::Impossible(format!("it ran on {device}, which this build cannot use"));
    }
    let pool = match rayon::ThreadPoolBuilder::new().num_threads(again.threads).build() {
        Ok(pool) => pool,
        Err(error) => return Repro::Impossible(error.to_string()),
    };
    let store = Store::at(again.scratch, &trial.digest);
    if let Err(error) = store.prepare() {
        return Repro::Impossible(error.to_string());
    }
    // What the same trial has left there before would only be taken up.
    let fresh = store.trial(trial);
    let epochs = Arc::new(data::Epochs::new(0, [&trial.plan], super::clock::seconds));
    let around = Surroundings {
        store: &store,
        images: again.images,
        epochs: &epochs,
        features: &Arc::new(Features::new(None, FEATURES)),
        interrupt: again.interrupt,
        halt: &AtomicBool::new(false),
        threads: again.threads,
        how: RunPlan::default(),
        goal: &|_, _| None,
    };
    let until = if is_failed { trial.plan.train.epochs } else { records.len() };
    let inside = |event: &Event| callback(event);
    let begun = fresh.lock().and_then(|_lock| {
        fresh.forget()?;
        let ran = pool.install(|| trial::run(trial, until, Slot::on(device), &around, &inside))?;
        trial::settle(trial, &store, ran)
    });
    match begun {
        Ok(Ended::Interrupted) => Repro::Interrupted,
        Ok(Ended::With(_) | Ended::Paused) => {
            let mut differences: Vec<String> = images(again.home, &store);
            differences.extend(compare(stored, &fresh));
            if !differences.is_empty() {
                return Repro::Differs(differences);
            }
            let tensors = ["last", "best"].map(|name| {
                stored.checkpoint(name).map_or(0, |checkpoint| checkpoint.tensors.len())
            });
            let batches = stored.losses().len();
            Repro::Identical { epochs: records.len(), batches, tensors: tensors.iter().sum() }
        }
        Err(error) => Repro::Impossible(error.to_string()),
    }
}

/// What the trial ran on in the end: another kind of device rounds in another way.
fn device(stored: &TrialStore) -> Device {
    let last = stored.timings().pop().and_then(|timing| timing.device.parse().ok());
    last.unwrap_or(Device::Cpu)
}

/// In what the images differ that the trial was run on.
fn images(home: &Store, again: &Store) -> Vec<String> {
    let then = home.images();
    let known = |name: Option<&OsStr>| {
        then.iter().find(|(path, _)| path.file_name() == name).map(|(_, images)| images)
    };
    again
        .images()
        .iter()
        .filter_map(|(path, now)| Some((known(path.file_name())?, now)))
        .filter(|(then, now)| then.fingerprint != now.fingerprint)
        .map(|(then, now)| {
            format!(
                "the images: {} with the hash {}, now {} with {}",
                then.images, then.fingerprint, now.images, now.fingerprint
            )
        })
        .collect()
}

/// In what two folders of one trial differ, the first difference first.
fn compare(stored: &TrialStore, again: &TrialStore) -> Vec<String> {
    let mut differences = Vec::new();
    let (losses, losses_again) = (stored.losses(), again.losses());
    differences.extend(first_batch(&losses, &losses_again));
    let (records, records_again) = (stored.epochs(), again.epochs());
    differences.extend(first_epoch(&records, &records_again));
    for name in ["last", "best"] {
        match (stored.checkpoint(name), again.checkpoint(name)) {
            (Some(stored), Some(again)) => {
                differences.extend(first_tensor(name, &stored, &again));
            }
            (None, None) => {}
            (None, Some(_)) => {
                differences.push(format!("the stored {name}.safetensors is missing or damaged"));
            }
            (Some(_), None) => differences.push(format!("no {name}.safetensors was written again")),
        }
    }
    if let (Some(stored), Some(again)) = (stored.outcome(), again.outcome()) {
        differences.extend(outcomes(&stored, &again));
    }
    differences
}

fn first_batch(stored: &[BatchLoss], again: &[BatchLoss]) -> Option<String> {
    let (old, new) = stored
        .iter()
        .zip(again)
        .find(|(old, new)| old.loss.to_bits() != new.loss.to_bits() || old.batch != new.batch)?;
    let BatchLoss { epoch, batch, loss } = old;
    Some(format!("epoch {epoch}, batch {batch}: the loss was {loss} and is {}", new.loss))
}

fn first_epoch(stored: &[EpochRecord], again: &[EpochRecord]) -> Option<String> {
    if let Some((old, new)) = stored.iter().zip(again).find(|(old, new)| old != new) {
        let parts = [
            ("the learning rate", old.lr != new.lr),
            ("the scores on training batches", old.train != new.train),
            ("the scores on validation images", old.validation != new.validation),
            ("the number of steps", old.steps != new.steps),
        ];
        let parts: Vec<&str> =
            parts.into_iter().filter(|(_, differ)| *differ).map(|(name, _)| name).collect();
        return Some(format!("epoch {}: {}", old.epoch, parts.join(", ")));
    }
    let (old, new) = (stored.len(), again.len());
    (old != new).then(|| format!("there were {old} epochs and are {new}"))
}

fn first_tensor(name: &str, stored: &Checkpoint, again: &Checkpoint) -> Option<String> {
    let names: BTreeSet<&String> = stored.tensors.keys().chain(again.tensors.keys()).collect();
    let bits = |checkpoint: &Checkpoint, name: &str| -> Option<Vec<u32>> {
        let (_, values) = checkpoint.tensors.get(name)?;
        Some(values.iter().map(|value| value.to_bits()).collect())
    };
    let all = names.len();
    let differ: Vec<&String> =
        names.into_iter().filter(|name| bits(stored, name) != bits(again, name)).collect();
    let first = differ.first()?;
    let epoch = stored.number("epoch");
    let count = differ.len();
    Some(format!("{name}.safetensors (epoch {epoch}): {count} of {all} tensors, first {first}"))
}

fn outcomes(stored: &Outcome, again: &Outcome) -> Option<String> {
    let parts = [
        ("status", stored.status != again.status),
        ("reason", stored.reason != again.reason),
        ("best epoch", stored.best_epoch != again.best_epoch),
        ("scores on validation images", stored.validation != again.validation),
        ("scores on test images", stored.test != again.test),
    ];
    let parts: Vec<&str> =
        parts.into_iter().filter(|(_, differ)| *differ).map(|(name, _)| name).collect();
    (!parts.is_empty()).then(|| format!("the outcome: {}", parts.join(", ")))
}
