//! Re-execution: the same trial again, in a folder of its own, compared with what was stored.

mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::basis::device::Device;
use crate::basis::record::{EpochRecord, Outcome, Status};
use crate::basis::regular;
use crate::data;
use crate::plan::Plan;
use crate::plan::memory::trial_bytes;
use crate::plan::run::RunPlan;
use crate::plan::sweep::Trial;
use crate::results::layout::{CONFUSION, OUTCOME, PREDICTIONS, SCORES};
use crate::train::checkpoint::Checkpoint;
use crate::train::trainer::Event;
use crate::transfer::features::Features;

use super::memory::installed;
use super::recorder::Callback;
use super::slots::Slot;
use super::store::{BatchLoss, Damage, Store, TrialStore};
use super::trial::{self, Ended, Surroundings};

pub use tables::Tables;

/// What a re-execution came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Repro {
    /// The same bits, in all that was stored.
    Identical(Compared),
    /// The same bits in so much; the words say what is not there any more to compare with.
    Partly(Compared, Vec<String>),
    /// Something differs; the words say what, the first difference first.
    Differs(Vec<String>),
    /// There is nothing to compare with, or it could not be executed: why.
    Impossible(String),
    /// It was interrupted.
    Interrupted,
}

/// How much was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Rows of `epochs.csv`.
    pub epochs: usize,
    /// Losses of batches.
    pub batches: usize,
    /// Tensors of both checkpoints.
    pub tensors: usize,
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
        let damage = stored.resume(&trial.plan).err().or_else(|| stored.damaged_outcome());
        let nothing = || "it has no finished epoch".to_owned();
        return Repro::Impossible(damage.map_or_else(nothing, |damage| damage.to_string()));
    }
    let until = (!is_failed).then_some(records.len());
    let fresh = match execute(trial, until, device(stored), again, callback) {
        Ok(fresh) => fresh,
        Err(ended) => return ended,
    };
    let differences = images(again.home, &Store::at(again.scratch, &trial.digest));
    let mut comparison = Comparison { differences, ..Comparison::default() };
    comparison.compare(&trial.plan, stored, &fresh);
    let Comparison { differences, unknown, compared } = comparison;
    match (differences.is_empty(), unknown.is_empty()) {
        (true, true) => Repro::Identical(compared),
        (true, false) => Repro::Partly(compared, unknown),
        (false, _) => Repro::Differs([differences, unknown].concat()),
    }
}

/// Executes `trial` again on `device` for `until` epochs, or until it fails, into a store of its own in the folder for
/// that; what there is to say instead, if it did not come to that.
fn execute(
    trial: &Trial,
    until: Option<usize>,
    device: Device,
    again: &Again,
    callback: &Callback,
) -> Result<TrialStore, Repro> {
    if !device.is_built_in() {
        let reason = format!("it ran on {device}, which this build cannot use");
        return Err(Repro::Impossible(reason));
    }
    let impossible = |error: &dyn std::fmt::Display| Repro::Impossible(error.to_string());
    let pool = rayon::ThreadPoolBuilder::new().num_threads(again.threads).build();
    let pool = pool.map_err(|error| impossible(&error))?;
    let store = Store::at(again.scratch, &trial.digest);
    store.prepare().map_err(|error| impossible(&error))?;
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
        // No number depends on it, and a trial that was trained with it may not fit without.
        how: RunPlan {
            gradient_checkpointing: installed()
                .is_some_and(|memory| trial_bytes(&trial.plan, false) > memory),
            ..RunPlan::default()
        },
        tell: &|_, _| {},
        goal: &|_, _| None,
        stages: None,
        kept: &|| {},
    };
    let inside = |event: &Event| callback(event);
    let to = until.unwrap_or(trial.plan.train.epochs);
    let begun = fresh.lock().and_then(|_lock| {
        fresh.forget()?;
        let ran = pool.install(|| trial::run(trial, to, Slot::on(device), &around, &inside))?;
        trial::settle(trial, &store, ran)
    });
    match begun {
        Ok(Ended::Interrupted) => Err(Repro::Interrupted),
        Ok(Ended::With(outcome)) if until.is_some() && outcome.status == Status::Failed => {
            Err(Repro::Impossible(format!("it fails when repeated: {}", outcome.reason)))
        }
        Ok(Ended::With(_) | Ended::Paused) => Ok(fresh),
        Err(error) => Err(impossible(&error)),
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

/// Two folders of one trial, side by side.
#[derive(Default)]
struct Comparison {
    /// In what they differ, the first difference first.
    differences: Vec<String>,
    /// What is not there to compare with.
    unknown: Vec<String>,
    compared: Compared,
}

impl Comparison {
    fn compare(&mut self, plan: &Plan, stored: &TrialStore, again: &TrialStore) {
        let not_compared = |damage: Damage| format!("not compared: {damage}");
        self.unknown.extend(stored.resume(plan).err().map(not_compared));
        self.unknown.extend(stored.damaged_outcome().map(not_compared));
        self.batches(&stored.losses(), &again.losses());
        let (records, records_again) = (stored.epochs(), again.epochs());
        self.differences.extend(first_epoch(&records, &records_again));
        self.compared.epochs = records.len();
        for name in ["last", "best"] {
            self.checkpoints(name, stored, again);
        }
        for name in [PREDICTIONS, CONFUSION, SCORES] {
            self.tables(name, stored, again);
        }
        match (stored.outcome(), again.outcome()) {
            (Some(stored), Some(again)) => self.differences.extend(outcomes(&stored, &again)),
            (None, Some(_)) => self.missing(OUTCOME),
            (_, None) => {}
        }
        // A damaged file is met more than once.
        self.unknown.dedup();
    }

    /// There is no whole file `name` to compare with, unless it was said already.
    fn missing(&mut self, name: &str) {
        if !self.unknown.iter().any(|words| words.contains(name)) {
            self.unknown.push(format!("not compared: {name}, which is missing or damaged"));
        }
    }

    /// The losses of the batches that were trained on again, each with that of the same batch.
    fn batches(&mut self, stored: &[BatchLoss], again: &[BatchLoss]) {
        let known: BTreeMap<(usize, usize), f64> =
            stored.iter().map(|row| ((row.epoch, row.batch), row.loss)).collect();
        let mut is_same = true;
        for BatchLoss { epoch, batch, loss } in again {
            let Some(old) = known.get(&(*epoch, *batch)) else { continue };
            self.compared.batches += 1;
            if old.to_bits() != loss.to_bits() && is_same {
                is_same = false;
                let words =
                    format!("epoch {epoch}, batch {batch}: the loss was {old} and is {loss}");
                self.differences.push(words);
            }
        }
        let missing = again.len() - self.compared.batches;
        if missing > 0 {
            let all = again.len();
            self.unknown.push(format!(
                "not compared: {missing} of {all} batches, whose losses are not in batches.csv"
            ));
        }
    }

    fn checkpoints(&mut self, name: &str, stored: &TrialStore, again: &TrialStore) {
        let file = format!("{name}.safetensors");
        match (stored.checkpoint(name), again.checkpoint(name)) {
            (Ok(Some(stored)), Ok(Some(again))) => {
                let [then, now] = [&stored, &again].map(|checkpoint| checkpoint.number("epoch"));
                if then != now {
                    let words =
                        format!("not compared: {file}, which is of epoch {then}, not {now}");
                    self.unknown.push(words);
                    return;
                }
                self.compared.tensors += stored.tensors.len();
                self.differences.extend(first_tensor(name, &stored, &again));
            }
            (Ok(Some(_)), _) => {
                self.differences.push(format!("the repeated trial wrote no {file}"))
            }
            (_, Ok(Some(_))) => self.missing(&file),
            _ => {}
        }
    }

    fn tables(&mut self, name: &str, stored: &TrialStore, again: &TrialStore) {
        let [then, now] =
            [stored, again].map(|store| regular::read(&store.folder().join(name)).ok());
        match (then, now, stored.vouch(name)) {
            (_, Some(_), Err(damage)) => self.unknown.push(format!("not compared: {damage}")),
            (Some(then), Some(now), Ok(())) if then != now => {
                self.differences.push(format!("{name} differs"));
            }
            // A trial of an earlier version has left none; one that is lost does not fit the outcome.
            (None, Some(_), Ok(())) if name == SCORES => {}
            (None, Some(_), Ok(())) => self.missing(name),
            _ => {}
        }
    }
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
