//! One trial from its plan to its outcome.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::basis::record::{EpochRecord, Outcome, Status};
use crate::data::{self, Dataset, News, Views};
use crate::kernels::device::Device;
use crate::measures::label_predictions::thresholds;
use crate::model;
use crate::model::network::Weights;
use crate::model::whitening::{self, Patches};
use crate::plan::Plan;
use crate::plan::data::{DataPlan, Normalise};
use crate::plan::distill::DistillPlan;
use crate::plan::run::{OnFailure, RunPlan};
use crate::plan::sweep::Trial;
use crate::results::timings::Timing;
use crate::train::card::Card;
use crate::train::stopping::best_epoch;
use crate::train::teacher::Teacher;
use crate::train::trainer::{End, TrainError, Trainer, TrialData};
use crate::transfer::features::Features;

use super::clock::Stopwatch;
use super::predictions::{write_confusion, write_predictions, write_scores};
use super::recorder::{Callback, Recorder};
use super::slots::Slot;
use super::stages::{Leader, Stages};
use super::store::{Common, ImagesError, Lasting, Resume, Store, StoreError, TrialStore};
use super::survey::read_teacher;

/// How a trial was left.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// With an outcome; that of a completed trial is not stored before it is [settled](settle).
    With(Box<Outcome>),
    /// At a rung: whether it goes on is decided by trials that are not there yet.
    Paused,
    /// Interrupted; it goes on next time.
    Interrupted,
}

/// What a trial needs from its surroundings.
pub struct Surroundings<'a> {
    /// Where it is stored.
    pub store: &'a Store,
    /// Decoded images, shared by all trials.
    pub images: &'a data::Cache,
    /// Augmented epochs, shared by the trials that see the same.
    pub epochs: &'a Arc<data::Epochs>,
    /// What frozen layers have made of images, shared by the trials that ask for the same.
    pub features: &'a Arc<Features>,
    /// Set when everything shall stop.
    pub interrupt: &'a AtomicBool,
    /// Set when everything shall stop because something went wrong.
    pub halt: &'a AtomicBool,
    /// Threads of the trial.
    pub threads: usize,
    /// How often there is a checkpoint, what becomes of failures, how long a trial may take.
    pub how: RunPlan,
    /// Is told what was wrong with the stored files of a trial.
    pub tell: &'a (dyn Fn(&Trial, &str) + Sync),
    /// Until which epoch a trial with these records may train; none if others have to get there
    /// first, or if it is not to go on.
    pub goal: &'a (dyn Fn(&Trial, &[EpochRecord]) -> Option<usize> + Sync),
    /// What it has in common with other trials; none: it is trained alone.
    pub(super) stages: Option<&'a Stages<'a>>,
    /// Is told when epochs are kept that others begin with.
    pub(super) kept: &'a (dyn Fn() + Sync),
}

/// Why an attempt at a trial came to nothing.
pub(super) enum Trouble {
    /// The trial failed: the reason, and whether it would fail again in the same way.
    Failed { reason: String, comes_again: bool },
    /// Its results cannot be stored, which is not the trial's fault.
    Store(StoreError),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Trouble {
        Trouble::Store(error)
    }
}

impl From<TrainError> for Trouble {
    fn from(error: TrainError) -> Trouble {
        // Whoever listens ends a trial when its time is up.
        let comes_again = matches!(error, TrainError::NotFinite { .. } | TrainError::Observer(_));
        Trouble::Failed { reason: error.to_string(), comes_again }
    }
}

fn failed(error: impl Display) -> Trouble {
    Trouble::Failed { reason: error.to_string(), comes_again: false }
}

/// Trains a trial until the epoch `until`, or as much further as it may go, in its slot and in the
/// current thread pool. A failure or a panic is an outcome too.
///
/// # Errors
/// If something cannot be stored: then the trial is left as it is, to go on another time.
pub fn run(
    trial: &Trial,
    until: usize,
    slot: Slot,
    around: &Surroundings,
    callback: &Callback,
) -> Result<Ended, StoreError> {
    let store = around.store.trial(trial);
    let retries = match around.how.on_failure {
        OnFailure::Retry(times) => times,
        OnFailure::Skip | OnFailure::Stop => 0,
    };
    let mut attempts = 0;
    loop {
        let epochs = around.epochs.of(&trial.plan);
        let attempt = || {
            catch_unwind(AssertUnwindSafe(|| {
                attempt(trial, until, slot, &store, around, epochs, callback)
            }))
        };
        let (reason, comes_again) = match attempt() {
            Ok(Ok(ended)) => return Ok(ended),
            // It goes on elsewhere.
            Ok(Err(Trouble::Store(error))) if error.is_taken_over() => {
                return Ok(Ended::Interrupted);
            }
            Ok(Err(Trouble::Store(error))) => return Err(error),
            Ok(Err(Trouble::Failed { reason, comes_again })) => (reason, comes_again),
            Err(panic) => {
                (format!("a panic, which is a bug: {}", panic_text(panic.as_ref())), false)
            }
        };
        attempts += 1;
        if !comes_again && attempts <= retries && !around.is_stopping() {
            continue;
        }
        let reason = match attempts {
            1 => reason,
            times => format!("{reason} (in {times} attempts)"),
        };
        return fail(trial, &store, reason).map(|outcome| Ended::With(Box::new(outcome)));
    }
}

/// Stores that `trial` has failed.
pub fn fail(trial: &Trial, store: &TrialStore, reason: String) -> Result<Outcome, StoreError> {
    let outcome = outcome(trial, &store.epochs(), Status::Failed, reason);
    store.finish(&outcome)?;
    Ok(outcome)
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}

fn outcome(trial: &Trial, records: &[EpochRecord], status: Status, reason: String) -> Outcome {
    let best = best_epoch(records, trial.plan.train.best);
    let best = best.and_then(|index| records.get(index));
    Outcome {
        status,
        reason,
        epochs: trial.plan.train.epochs,
        best_epoch: best.map_or(0, |record| record.epoch),
        train: best.map(|record| record.train),
        validation: best.and_then(|record| record.validation),
        test: None,
    }
}

impl Surroundings<'_> {
    pub(super) fn is_stopping(&self) -> bool {
        self.interrupt.load(Ordering::Relaxed) || self.halt.load(Ordering::Relaxed)
    }
}

fn attempt(
    trial: &Trial,
    mut until: usize,
    slot: Slot,
    store: &TrialStore,
    around: &Surroundings,
    epochs: data::TrialEpochs,
    callback: &Callback,
) -> Result<Ended, Trouble> {
    let beside = Stopwatch::start();
    if let Some(damage) = store.damaged_outcome() {
        (around.tell)(trial, &format!("{damage}: it is computed again"));
        store.set_aside(&damage)?;
    }
    store.begin(&trial.plan)?;
    let resume = match store.resume(&trial.plan) {
        Ok(resume) => resume,
        Err(damage) => {
            (around.tell)(trial, &format!("{damage}: the trial starts again"));
            store.set_aside(&damage)?;
            None
        }
    };
    if resume.is_none() {
        store.forget()?;
    }
    store.arrive(resume.as_ref().map_or(0, |resume| resume.records.len()), around.threads)?;
    let data = data(trial, around)?;
    let mut start = match &trial.plan.model.weights {
        Some(file) => model::weights::read(file, &trial.plan.model).map_err(failed)?.0,
        None => Weights::new(),
    };
    let features = around.features.clone();
    if slot.device.kind() != trial.plan.device {
        return Err(failed(format!(
            "it is planned for another kind of device than {}, which rounds differently",
            slot.device
        )));
    }
    let device = Device::open(slot.device).map_err(failed)?;
    whiten(&trial.plan, &data, around, &mut start)?;
    let teacher = teacher(&trial.plan, &device).map_err(failed)?;
    let plan = &trial.plan;
    let mut trainer = Trainer::new(plan, &device, data.clone(), epochs, features, start, teacher)?;
    if around.how.gradient_checkpointing {
        trainer.checkpoint_gradients();
    }
    let own = resume.as_ref().map_or(0, |resume| resume.records.len());
    let common = around.stages.and_then(|stages| stages.find(plan, own, until, &data.dataset));
    let mut known_best = Vec::new();
    let spent = match &resume {
        None => 0.0,
        Some(_) => store.timings().iter().map(|timing| timing.seconds).sum(),
    };
    if let Some(common) = common {
        // What another trial has come to is what this one would have come to.
        let Common { records, losses, stations, images: _, last, best } = common;
        let last = trainer.as_own(&last)?;
        let own_best = best.iter().find(|(metric, _)| *metric == plan.train.best);
        let own_best = own_best.map(|(_, best)| trainer.as_own(best)).transpose()?;
        let weights = own_best.as_ref().map(|best| best.tensors.clone());
        store.take_up(&records, &losses, &stations, own_best, last.clone())?;
        store.arrive(records.len(), around.threads)?;
        trainer.resume(records, &last, weights)?;
        known_best = best;
    } else if let Some(Resume { records, last, best }) = resume {
        store.keep_epochs(&records)?;
        if let Err(damage) = store.keep_losses(&last)? {
            let way_out = "remove the folder of the trial to have them again";
            (around.tell)(trial, &format!("{damage}: {way_out}"));
        }
        let is_known = best.is_some();
        trainer.resume(records, &last, best)?;
        let shares = around.stages.is_some_and(|stages| !stages.is_alone(trial.number - 1));
        if shares && is_known {
            let best = store.checkpoint("best").ok().flatten();
            known_best.extend(best.map(|best| (plan.train.best, best.without_card())));
        }
    }
    let leader = around.stages.and_then(|stages| {
        let (index, dataset) = (trial.number - 1, data.dataset.clone());
        Leader::new(stages, index, until, trainer.records(), known_best, dataset)
    });
    let mut recorder = Recorder::new(trial.number, &trainer, store, slot, around, callback);
    recorder.unchecked =
        (!data.dataset.is_known()).then(|| (&*trial.plan.data, data.dataset.clone()));
    recorder.images = data.split.train.len();
    recorder.spent = spent;
    recorder.beside = beside;
    recorder.leader = leader;
    let mut starts_again = false;
    let end = loop {
        let end = trainer.run_until(until, &mut recorder);
        if let Some(trouble) = recorder.trouble.take() {
            return Err(Trouble::Store(trouble));
        }
        if end.is_err() {
            recorder.leave_behind();
        }
        let end = end?;
        if let Some((plan, dataset)) = recorder.unchecked.take() {
            check_images(plan, &dataset, around)?;
        }
        match end {
            End::Paused => match (around.goal)(trial, trainer.records()) {
                Some(further) => {
                    until = further;
                    let has_come = trainer.records().len();
                    let is_ahead =
                        |stages: &&Stages| stages.is_ahead(trial.number - 1, has_come, until);
                    if around.stages.as_ref().is_some_and(is_ahead) {
                        // Somebody else has trained the next epochs in the meantime.
                        starts_again = true;
                        break End::Paused;
                    }
                    recorder.goes_until(until);
                }
                None => break End::Paused,
            },
            end => break end,
        }
    };
    let mut is_whole = !trainer.leaves_out();
    if let (End::Completed(_), Some(best)) = (&end, recorder.waiting_best()) {
        // Written once if it has not been written yet.
        best.tensors = trainer.whole(&best.tensors)?;
        is_whole = true;
    }
    recorder.store_waiting(Lasting::Process)?;
    let in_epochs = recorder.in_epochs;
    drop(recorder);
    if starts_again {
        drop(trainer);
        let epochs = around.epochs.of(&trial.plan);
        return attempt(trial, until, slot, store, around, epochs, callback);
    }
    let write_time = || {
        let seconds = beside.seconds() - in_epochs;
        store.time(&[Timing { seconds, ..Timing::on(slot.device, slot.number, around.threads) }])
    };
    let reason = match end {
        End::Completed(reason) => reason,
        End::Paused => {
            around.epochs.expect(&trial.plan);
            store.settle()?;
            write_time()?;
            return Ok(Ended::Paused);
        }
        End::Interrupted => {
            store.settle()?;
            return Ok(Ended::Interrupted);
        }
    };
    let records = trainer.records().to_vec();
    if trainer.best().is_none() && !records.is_empty() {
        // The best weights on the disk are those of an epoch that this trial no longer comes to.
        store.forget()?;
        let epochs = around.epochs.of(&trial.plan);
        return attempt(trial, until, slot, store, around, epochs, callback);
    }
    let mut outcome = outcome(trial, &records, Status::Completed, reason);
    let mut best = trainer.best().cloned();
    let mut thresholds = None;
    if trial.plan.train.epochs == 0 {
        // Nothing was to be learnt: the network is looked at as it is.
        let network = trainer.network_alone()?;
        store.replace_best(network.clone())?;
        outcome.validation = trainer.validate(&network.tensors)?;
        is_whole = true;
        best = Some(network.tensors);
    }
    if let Some(best) = best {
        // Without test images the validation images tell what the confusion looks like.
        let (set, images) = match &data.split.test[..] {
            [] => ("validation", &data.split.validation),
            _ => ("test", &data.split.test),
        };
        if !images.is_empty() {
            let evaluation = trainer.evaluate(&best, images)?;
            if set == "test" {
                outcome.test = evaluation.scores;
            }
            let (dataset, probabilities) = (&data.dataset, &evaluation.probabilities);
            thresholds = thresholds_on_validation(&mut trainer, &data, &best)?;
            // On the images that they were chosen on they say too much.
            let at = thresholds.as_deref().filter(|_| set == "test");
            write_predictions(store, dataset, images, probabilities, set)?;
            write_confusion(store, dataset, &evaluation.confusion)?;
            let known = evaluation.scores.as_ref();
            write_scores(store, dataset, images, known, probabilities, at, set)?;
        }
    }
    if !is_whole {
        complete_best(&mut trainer, store)?;
    }
    if let Some(thresholds) = thresholds {
        keep_thresholds(store, thresholds)?;
    }
    write_time()?;
    Ok(Ended::With(Box::new(outcome)))
}

/// Adds to `start` the filters that whiten training images, if the network has such filters and they are not
/// there: images as at evaluation, so that nothing of it is left to chance.
fn whiten(
    plan: &Plan,
    data: &TrialData,
    around: &Surroundings,
    start: &mut Weights,
) -> Result<(), Trouble> {
    /// Images at a time.
    const BATCH: usize = 250;
    let Some((name, conv)) = whitening::whitens(&plan.model) else { return Ok(()) };
    let (Some(eps), &[channels, height, width]) = (conv.whitens, &plan.model.input[..]) else {
        return Ok(());
    };
    if start.contains_key(&name) {
        return Ok(());
    }
    // These views go before the trial does, which still needs what it shares.
    around.epochs.expect(plan);
    let epochs = around.epochs.of(plan);
    let views =
        Views::new(data.dataset.clone(), &data.normalisation, plan, epochs).map_err(failed)?;
    let mut patches = Patches::new([channels, height, width], conv.kernel);
    for images in whitening::looked_at(&data.split.train).chunks(BATCH) {
        patches.add(&views.evaluation(images).map_err(failed)?.pixels);
    }
    let shape = vec![conv.filters, channels, conv.kernel[0], conv.kernel[1]];
    start.insert(name, (shape, patches.filters(eps)));
    Ok(())
}

/// The teacher of a plan, if it has one.
pub(super) fn teacher(plan: &Plan, device: &Device) -> Result<Option<Teacher>, String> {
    let Some(DistillPlan { file, hash, .. }) = &plan.train.distill else { return Ok(None) };
    let (now, checkpoint) = read_teacher(file)?;
    if now != *hash {
        return Err(format!(
            "the teacher {} has changed since the trial was planned: its hash was {} and is {}; restore the \
             file, or run the experiment again",
            file.display(),
            &hash[..16],
            &now[..16],
        ));
    }
    Teacher::new(checkpoint, device)
        .map(Some)
        .map_err(|error| format!("{}: {error}", file.display()))
}

/// Has the disk take what a trial that [ran](run) has left, and then its outcome.
///
/// # Errors
/// If something cannot be stored: then the trial goes on another time.
pub fn settle(trial: &Trial, store: &Store, ended: Ended) -> Result<Ended, StoreError> {
    let Ended::With(outcome) = &ended else { return Ok(ended) };
    if outcome.status == Status::Failed {
        // It is stored, and nothing is built on the rest.
        return Ok(ended);
    }
    let store = store.trial(trial);
    match store.settle().and_then(|()| store.finish(outcome)) {
        Err(error) if error.is_taken_over() => Ok(Ended::Interrupted),
        Err(error) => Err(error),
        Ok(()) => Ok(ended),
    }
}

/// Puts what never changed into the best checkpoint, so that this one file is enough: while training
/// goes on it would be written again and again.
fn complete_best(trainer: &mut Trainer, store: &TrialStore) -> Result<(), Trouble> {
    if let Ok(Some(mut best)) = store.checkpoint("best") {
        best.tensors = trainer.whole(&best.tensors)?;
        store.replace_best(best)?;
    }
    Ok(())
}

/// The threshold of each class that is best on the validation images, by the weights `best`; none where each image has
/// one label, or there are no such images.
fn thresholds_on_validation(
    trainer: &mut Trainer,
    data: &TrialData,
    best: &Weights,
) -> Result<Option<Vec<f64>>, Trouble> {
    let images = &data.split.validation;
    if !data.dataset.is_multi_label() || images.is_empty() {
        return Ok(None);
    }
    let probabilities = trainer.evaluate(best, images)?.probabilities;
    let classes = data.dataset.classes().len();
    let has = data.dataset.labels_at(images).flags(classes);
    Ok(Some(thresholds(&probabilities, classes, &has)))
}

/// Puts the thresholds of classes into the card of the best checkpoint.
fn keep_thresholds(store: &TrialStore, thresholds: Vec<f64>) -> Result<(), Trouble> {
    if let Ok(Some(mut best)) = store.checkpoint("best") {
        let card = Card { thresholds, ..Card::of(&best).map_err(failed)? };
        best.words.extend([card.word()]);
        store.replace_best(best)?;
    }
    Ok(())
}

/// The images of a trial, their split and normalisation.
fn data(trial: &Trial, around: &Surroundings) -> Result<TrialData, Trouble> {
    let plan = &trial.plan.data;
    let dataset = around.images.get(plan).map_err(failed)?;
    if !dataset.is_known() && plan.normalise == Normalise::Dataset {
        around.images.tell(News::Progress(
            "data.normalise = \"dataset\" reads every image before the first step; { mean = […], std = […] } and \
             { sample = 2000 } do not",
        ));
    }
    let split = data::split(&dataset, plan, trial.plan.seed).map_err(failed)?;
    let seed = trial.plan.seed;
    let normalisation = data::normalisation(&dataset, &split.train, &plan.normalise, seed);
    let normalisation = normalisation.map_err(failed)?;
    if dataset.is_known() {
        check_images(plan, &dataset, around)?;
    }
    Ok(TrialData { dataset, split: Arc::new(split), normalisation })
}

/// Compares images, every one of which has been looked at or is now, with those of earlier trials.
pub(super) fn check_images(
    plan: &DataPlan,
    dataset: &Dataset,
    around: &Surroundings,
) -> Result<(), Trouble> {
    match around.store.check_images(plan, dataset) {
        Ok(true) => Ok(()),
        Ok(false) => Err(failed(format!(
            "the images are not those of earlier trials in {}: use another --results folder",
            around.store.root().display()
        ))),
        Err(ImagesError::Store(error)) => Err(error.into()),
        Err(error) => Err(failed(error)),
    }
}
