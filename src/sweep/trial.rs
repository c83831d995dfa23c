//! One trial from its plan to its outcome.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use crate::basis::record::{EpochRecord, Outcome, Status};
use crate::data::{self, Dataset};
use crate::kernels::device::Device;
use crate::model;
use crate::model::network::Weights;
use crate::plan::data::BoxPlan;
use crate::plan::run::{CheckpointEvery, OnFailure, RunPlan};
use crate::plan::sweep::Trial;
use crate::train::checkpoint::Checkpoint;
use crate::train::metrics::prediction;
use crate::train::stopping::best_epoch;
use crate::train::trainer::{End, Event, Observer, TrainError, Trainer, TrialData};
use crate::transfer::features::Features;

use super::clock::Stopwatch;
use super::fault;
use super::slots::Slot;
use super::store::{BatchLoss, Images, Lasting, Resume, Store, StoreError, Timing, TrialStore};

/// How a trial was left.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// With an outcome, which is stored.
    With(Box<Outcome>),
    /// At a rung: whether it goes on is decided by trials that are not there yet.
    Paused,
    /// Interrupted; it goes on next time.
    Interrupted,
}

/// What happens in a trial, for those who watch.
pub type Watch<'a> = dyn Fn(&Event) + Sync + 'a;

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
    /// Until which epoch a trial with these records may train; none if others have to get there
    /// first, or if it is not to go on.
    pub goal: &'a (dyn Fn(&Trial, &[EpochRecord]) -> Option<usize> + Sync),
}

/// Why an attempt at a trial came to nothing.
enum Trouble {
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
    watch: &Watch,
) -> Result<Ended, StoreError> {
    let store = around.store.trial(trial);
    let retries = match around.how.on_failure {
        OnFailure::Retry(times) => times,
        OnFailure::Skip | OnFailure::Stop => 0,
    };
    let mut attempts = 0;
    loop {
        let share = around.epochs.of(&trial.plan);
        let attempt = || {
            catch_unwind(AssertUnwindSafe(|| {
                attempt(trial, until, slot, &store, around, share, watch)
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
    fn is_stopping(&self) -> bool {
        self.interrupt.load(Ordering::Relaxed) || self.halt.load(Ordering::Relaxed)
    }
}

fn attempt(
    trial: &Trial,
    mut until: usize,
    slot: Slot,
    store: &TrialStore,
    around: &Surroundings,
    share: data::Share,
    watch: &Watch,
) -> Result<Ended, Trouble> {
    let beside = Stopwatch::start();
    store.begin(&trial.plan)?;
    let resume = store.resume(&trial.plan);
    if resume.is_none() {
        store.forget()?;
    }
    store.arrive(resume.as_ref().map_or(0, |resume| resume.records.len()), around.threads)?;
    let data = data(trial, around)?;
    let images = data.split.train.len();
    let start = match &trial.plan.model.weights {
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
    let mut trainer = Trainer::new(&trial.plan, &device, data.clone(), share, features, &start)?;
    drop(start);
    let mut spent = 0.0;
    if let Some(Resume { records, last, best }) = resume {
        spent = store.timings().iter().map(|timing| timing.seconds).sum();
        store.keep_epochs(&records)?;
        store.keep_losses(records.len(), last.number("batch") as usize)?;
        trainer.resume(records, &last, best)?;
    }
    let views = trainer.views().clone();
    let mut recorder = Recorder {
        trial: trial.number,
        views: &views,
        store,
        records: trainer.records().to_vec(),
        losses: Vec::new(),
        timings: Vec::new(),
        waiting: None,
        slot,
        around,
        watch,
        epoch: Stopwatch::start(),
        in_epochs: 0.0,
        images,
        spent,
        beside,
        settled: Stopwatch::start(),
        trouble: None,
    };
    let end = loop {
        let end = trainer.run_until(until, &mut recorder);
        if let Some(trouble) = recorder.trouble.take() {
            return Err(Trouble::Store(trouble));
        }
        match end? {
            End::Paused => match (around.goal)(trial, trainer.records()) {
                Some(further) => until = further,
                None => break End::Paused,
            },
            end => break end,
        }
    };
    if let (End::Completed(_), Some((_, Some(best)))) = (&end, &mut recorder.waiting) {
        // Written once if it has not been written yet.
        best.tensors = trainer.whole(&best.tensors)?;
    }
    recorder.store_waiting(Lasting::Process)?;
    let in_epochs = recorder.in_epochs;
    drop(recorder);
    let write_time = || {
        let seconds = beside.seconds() - in_epochs;
        store.time(&[Timing { seconds, ..Timing::in_slot(slot, around.threads) }])
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
        let share = around.epochs.of(&trial.plan);
        return attempt(trial, until, slot, store, around, share, watch);
    }
    let mut outcome = outcome(trial, &records, Status::Completed, reason);
    if let Some(best) = trainer.best().cloned() {
        // Without test images the validation images tell what the confusion looks like.
        let (set, images) = match &data.split.test[..] {
            [] => ("validation", &data.split.validation),
            _ => ("test", &data.split.test),
        };
        let evaluation = trainer.evaluate(&best, images)?;
        if set == "test" {
            outcome.test = evaluation.scores;
        }
        if evaluation.scores.is_some() {
            write_predictions(store, &data.dataset, images, &evaluation.probabilities, set)?;
            write_confusion(store, &data.dataset, &evaluation.confusion)?;
        }
    }
    complete_best(&mut trainer, store)?;
    store.settle()?;
    write_time()?;
    store.finish(&outcome)?;
    Ok(Ended::With(Box::new(outcome)))
}

/// Puts what never changed into the best checkpoint, so that this one file is enough: while training
/// goes on it would be written again and again.
fn complete_best(trainer: &mut Trainer, store: &TrialStore) -> Result<(), Trouble> {
    if let Some(mut best) = store.checkpoint("best") {
        let whole = trainer.whole(&best.tensors)?;
        if whole.len() > best.tensors.len() {
            best.tensors = whole;
            store.replace_best(best)?;
        }
    }
    Ok(())
}

/// The images of a trial, their split and normalisation.
fn data(trial: &Trial, around: &Surroundings) -> Result<TrialData, Trouble> {
    let plan = &trial.plan.data;
    let dataset = around.images.get(plan).map_err(failed)?;
    let mut key =
        format!("{:?} {:?} {:?} {:?}", plan.source, plan.test, plan.image, plan.on_bad_image);
    if !plan.classes.is_empty() {
        key.push_str(&format!(" {:?}", plan.classes));
    }
    if plan.boxes != BoxPlan::default() {
        key.push_str(&format!(" {:?}", plan.boxes));
    }
    let images = Images {
        fingerprint: dataset.fingerprint().to_owned(),
        images: dataset.len(),
        set_aside: dataset.set_aside(),
        skipped: dataset.skipped().iter().map(ToString::to_string).collect(),
    };
    if !around.store.check_images(&key, &images)? {
        return Err(failed(format!(
            "the images are not those of earlier trials in {}: use another --results folder",
            around.store.root().display()
        )));
    }
    let split = data::split(&dataset, plan, trial.plan.seed).map_err(failed)?;
    let normalisation = data::normalisation(&dataset, &split.train, &plan.normalise);
    Ok(TrialData { dataset, split: Arc::new(split), normalisation })
}

#[derive(Serialize)]
struct Prediction<'a> {
    image: &'a str,
    set: &'a str,
    class: &'a str,
    predicted: &'a str,
    /// The probability of the predicted class.
    probability: f32,
    /// The probability of the true class.
    class_probability: f32,
}

fn write_predictions(
    store: &TrialStore,
    dataset: &Dataset,
    images: &[u32],
    probabilities: &[f32],
    set: &str,
) -> Result<(), StoreError> {
    let classes = dataset.classes();
    let rows = images.iter().zip(probabilities.chunks(classes.len())).map(|(image, row)| {
        let label = dataset.label(*image) as usize;
        let predicted = prediction(row);
        Prediction {
            image: &dataset.names()[*image as usize],
            set,
            class: &classes[label],
            predicted: &classes[predicted],
            probability: row[predicted],
            class_probability: row[label],
        }
    });
    store.write_csv("predictions.csv", rows)
}

fn write_confusion(
    store: &TrialStore,
    dataset: &Dataset,
    confusion: &[Vec<u64>],
) -> Result<(), StoreError> {
    let header = std::iter::once("class".to_owned()).chain(dataset.classes().iter().cloned());
    let rows = confusion.iter().zip(dataset.classes()).map(|(row, class)| {
        std::iter::once(class.clone()).chain(row.iter().map(u64::to_string)).collect::<Vec<_>>()
    });
    let table = std::iter::once(header.collect::<Vec<_>>()).chain(rows);
    store.write_csv("confusion.csv", table)
}

/// Stores epochs as they end, keeps the time and passes events on.
struct Recorder<'a> {
    /// The trial's number.
    trial: usize,
    views: &'a data::Views,
    store: &'a TrialStore,
    records: Vec<EpochRecord>,
    /// Those that are not stored yet.
    losses: Vec<BatchLoss>,
    /// Those that are not stored yet.
    timings: Vec<Timing>,
    /// The last checkpoint, if it is not stored yet, and the best weights since the stored one.
    waiting: Option<(Checkpoint, Option<Checkpoint>)>,
    slot: Slot,
    around: &'a Surroundings<'a>,
    watch: &'a Watch<'a>,
    epoch: Stopwatch,
    in_epochs: f64,
    images: usize,
    /// Seconds of earlier attempts at this trial.
    spent: f64,
    beside: Stopwatch,
    /// Since the disk has had everything.
    settled: Stopwatch,
    /// What could not be stored.
    trouble: Option<StoreError>,
}

/// Seconds of work that are worth the milliseconds that a disk takes to have them for good.
const WORTH_A_SYNC: f64 = 0.2;

impl Recorder<'_> {
    /// Epochs of a few milliseconds would wait for the disk most of the time.
    fn lasting(&mut self) -> Lasting {
        if self.settled.seconds() < WORTH_A_SYNC {
            return Lasting::Process;
        }
        self.settled = Stopwatch::start();
        Lasting::Power
    }

    /// The rows of an epoch are stored at once: whatever becomes of the trial, they count.
    /// Checkpoints wait until it is worth the while.
    fn epoch_ended(
        &mut self,
        record: &EpochRecord,
        is_best: bool,
        last: &Checkpoint,
    ) -> Result<(), StoreError> {
        self.records.push(*record);
        let lasting = self.lasting();
        self.store.add_epoch(record, lasting)?;
        let earlier = self.waiting.take().and_then(|(_, best)| best);
        let best = if is_best { Some(weights_of(last)) } else { earlier };
        self.waiting = Some((last.clone(), best));
        if lasting == Lasting::Power {
            self.store_waiting(lasting)?;
        }
        let seconds = self.epoch.seconds();
        let work = self.views.share().take_work();
        let timing = Timing {
            epoch: record.epoch,
            seconds,
            images_per_second: self.images as f64 / seconds,
            augmented: work.augmented,
            shared: work.shared,
            augment_seconds: work.seconds,
            ..Timing::in_slot(self.slot, self.around.threads)
        };
        self.timings.push(timing);
        self.in_epochs += seconds;
        self.epoch = Stopwatch::start();
        Ok(())
    }

    /// Stores what waits.
    fn store_waiting(&mut self, lasting: Lasting) -> Result<(), StoreError> {
        if let Some((last, best)) = self.waiting.take() {
            let losses = std::mem::take(&mut self.losses);
            self.store.write_checkpoints(&self.records, best, last, &losses, lasting)?;
        }
        let timings = std::mem::take(&mut self.timings);
        if timings.is_empty() { Ok(()) } else { self.store.time(&timings) }
    }
}

impl Observer for Recorder<'_> {
    fn notice(&mut self, event: &Event) -> Result<(), String> {
        let stored = match event {
            Event::Batch { epoch, batch, loss, .. } => {
                fault::strike(self.trial, *epoch);
                self.losses.push(BatchLoss { epoch: *epoch, batch: *batch, loss: *loss });
                Ok(())
            }
            Event::Checkpoint(last) => {
                let best = self.waiting.take().and_then(|(_, best)| best);
                self.waiting = Some(((*last).clone(), best));
                let lasting = self.lasting();
                self.store_waiting(lasting)
            }
            Event::Epoch { record, is_best, last } => self.epoch_ended(record, *is_best, last),
        };
        if let Err(error) = stored {
            self.trouble = Some(error);
            return Err("failed to store results".to_owned());
        }
        (self.watch)(event);
        let is_batch = matches!(event, Event::Batch { .. });
        match self.around.how.time_limit {
            Some(limit) if is_batch && self.spent + self.beside.seconds() > limit => {
                Err(format!("reached its time limit of {limit} s"))
            }
            _ => Ok(()),
        }
    }

    fn interrupts(&self) -> bool {
        self.around.is_stopping()
    }

    fn wants_checkpoint(&self, steps: u64) -> bool {
        match self.around.how.checkpoint_every {
            CheckpointEvery::Epoch => false,
            CheckpointEvery::Steps(every) => steps.is_multiple_of(every),
        }
    }
}

impl Drop for Recorder<'_> {
    /// A trial that fails, by a panic too, leaves what it has come to.
    fn drop(&mut self) {
        // Where there is no room for it, whatever failed is the reason that is told.
        let _ = self.store_waiting(Lasting::Process);
    }
}

/// A checkpoint without what only going on needs.
fn weights_of(last: &Checkpoint) -> Checkpoint {
    let mut best = last.clone();
    best.tensors.retain(|name, _| !name.starts_with("optimizer."));
    best
}
