//! One trial from its plan to its outcome.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use crate::basis::record::{EpochRecord, Outcome, Status};
use crate::data::{self, Dataset};
use crate::model;
use crate::plan::data::BoxPlan;
use crate::plan::sweep::Trial;
use crate::train::checkpoint::Checkpoint;
use crate::train::metrics::prediction;
use crate::train::stopping::best_epoch;
use crate::train::trainer::{End, Event, Observer, Trainer, TrialData};

use super::clock::Stopwatch;
use super::store::{Images, Store, Timing, TrialStore};

/// How a trial was left.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// With an outcome, which is stored.
    With(Box<Outcome>),
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
    /// Set when everything shall stop.
    pub interrupt: &'a AtomicBool,
    /// Threads of the trial.
    pub threads: usize,
}

/// Runs a trial in the current thread pool. A failure or a panic is an outcome too.
///
/// # Errors
/// Only if the outcome itself cannot be stored.
pub fn run(trial: &Trial, around: &Surroundings, watch: &Watch) -> Result<Ended, String> {
    let store = around.store.trial(&trial.digest, trial.plan.train.epochs);
    let share = around.epochs.of(&trial.plan);
    let attempt = catch_unwind(AssertUnwindSafe(|| attempt(trial, &store, around, share, watch)));
    let reason = match attempt {
        Ok(Ok(ended)) => return Ok(ended),
        Ok(Err(reason)) => reason,
        Err(panic) => format!("a panic, which is a bug: {}", panic_text(panic.as_ref())),
    };
    let records = store.epochs();
    let outcome = outcome(trial, &records, Status::Failed, reason);
    store.begin(&trial.plan).and_then(|()| store.finish(&outcome)).map_err(|error| {
        format!("trial {} failed ({}), and: {error}", trial.number, outcome.reason)
    })?;
    Ok(Ended::With(Box::new(outcome)))
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

fn attempt(
    trial: &Trial,
    store: &TrialStore,
    around: &Surroundings,
    share: data::Share,
    watch: &Watch,
) -> Result<Ended, String> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let beside = Stopwatch::start();
    store.begin(&trial.plan).map_err(|error| words(&error))?;
    let data = data(trial, around)?;
    let images = data.split.train.len();
    let mut trainer =
        Trainer::new(&trial.plan, data.clone(), share).map_err(|error| words(&error))?;
    if let Some(weights) = &trial.plan.model.weights {
        let weights = model::weights::read(weights, &trial.plan.model);
        let (weights, _) = weights.map_err(|error| words(&error))?;
        trainer.network().load_part(&weights).map_err(|error| words(&error))?;
    }
    // A trial that has ended in failure starts again; its files may be the cause.
    let has_failed = store.outcome().is_some_and(|known| known.status == Status::Failed);
    if let Some((records, last, best)) = store.resume().filter(|_| !has_failed) {
        trainer.resume(records, &last, best.tensors).map_err(|error| words(&error))?;
    }
    let views = trainer.views().clone();
    let mut recorder = Recorder {
        views: &views,
        store,
        records: trainer.records().to_vec(),
        interrupt: around.interrupt,
        watch,
        epoch: Stopwatch::start(),
        in_epochs: 0.0,
        images,
        threads: around.threads,
    };
    let end = trainer.run(&mut recorder).map_err(|error| words(&error))?;
    let in_epochs = recorder.in_epochs;
    let End::Completed(reason) = end else { return Ok(Ended::Interrupted) };
    let records = trainer.records().to_vec();
    let mut outcome = outcome(trial, &records, Status::Completed, reason);
    if let Some(best) = trainer.best().cloned() {
        // Without test images the validation images tell what the confusion looks like.
        let (set, images) = match &data.split.test[..] {
            [] => ("validation", &data.split.validation),
            _ => ("test", &data.split.test),
        };
        let evaluation = trainer.evaluate(&best, images).map_err(|error| words(&error))?;
        if set == "test" {
            outcome.test = evaluation.scores;
        }
        if evaluation.scores.is_some() {
            write_predictions(store, &data.dataset, images, &evaluation.probabilities, set)
                .and_then(|()| write_confusion(store, &data.dataset, &evaluation.confusion))?;
        }
    }
    let seconds = beside.seconds() - in_epochs;
    let timing = Timing { seconds, threads: around.threads, ..Timing::default() };
    store.time(&timing).and_then(|()| store.finish(&outcome)).map_err(|error| words(&error))?;
    Ok(Ended::With(Box::new(outcome)))
}

/// The images of a trial, their split and normalisation.
pub fn data(trial: &Trial, around: &Surroundings) -> Result<TrialData, String> {
    let plan = &trial.plan.data;
    let dataset = around.images.get(plan).map_err(|error| error.to_string())?;
    let mut key =
        format!("{:?} {:?} {:?} {:?}", plan.source, plan.test, plan.image, plan.on_bad_image);
    if plan.boxes != BoxPlan::default() {
        key.push_str(&format!(" {:?}", plan.boxes));
    }
    let images = Images {
        fingerprint: dataset.fingerprint().to_owned(),
        images: dataset.len(),
        set_aside: dataset.set_aside(),
        skipped: dataset.skipped().iter().map(ToString::to_string).collect(),
    };
    match around.store.check_images(&key, &images) {
        Ok(true) => {}
        Ok(false) => {
            return Err(format!(
                "the images are not those of earlier trials in {}: use another --results folder",
                around.store.root().display()
            ));
        }
        Err(error) => return Err(error.to_string()),
    }
    let split = data::split(&dataset, plan, trial.plan.seed).map_err(|error| error.to_string())?;
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
) -> Result<(), String> {
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
    store.write_csv("predictions.csv", rows).map_err(|error| error.to_string())
}

fn write_confusion(
    store: &TrialStore,
    dataset: &Dataset,
    confusion: &[Vec<u64>],
) -> Result<(), String> {
    let header = std::iter::once("class".to_owned()).chain(dataset.classes().iter().cloned());
    let rows = confusion.iter().zip(dataset.classes()).map(|(row, class)| {
        std::iter::once(class.clone()).chain(row.iter().map(u64::to_string)).collect::<Vec<_>>()
    });
    let table = std::iter::once(header.collect::<Vec<_>>()).chain(rows);
    store.write_csv("confusion.csv", table).map_err(|error| error.to_string())
}

/// Stores epochs as they end, keeps the time and passes events on.
struct Recorder<'a> {
    views: &'a data::Views,
    store: &'a TrialStore,
    records: Vec<EpochRecord>,
    interrupt: &'a AtomicBool,
    watch: &'a Watch<'a>,
    epoch: Stopwatch,
    in_epochs: f64,
    images: usize,
    threads: usize,
}

impl Observer for Recorder<'_> {
    fn notice(&mut self, event: &Event) -> Result<(), String> {
        if let Event::Epoch { record, is_best, last } = event {
            self.records.push(**record);
            let best = is_best.then(|| weights_of(last));
            self.store
                .epoch_ended(&self.records, best.as_ref(), last)
                .map_err(|error| error.to_string())?;
            let seconds = self.epoch.seconds();
            let work = self.views.share().take_work();
            let timing = Timing {
                epoch: record.epoch,
                seconds,
                images_per_second: self.images as f64 / seconds,
                threads: self.threads,
                augmented: work.augmented,
                shared: work.shared,
                augment_seconds: work.seconds,
            };
            self.store.time(&timing).map_err(|error| error.to_string())?;
            self.in_epochs += seconds;
            self.epoch = Stopwatch::start();
        }
        (self.watch)(event);
        Ok(())
    }

    fn interrupts(&self) -> bool {
        self.interrupt.load(Ordering::Relaxed)
    }
}

/// A checkpoint without the optimiser's buffers.
fn weights_of(last: &Checkpoint) -> Checkpoint {
    let mut best = last.clone();
    best.tensors.retain(|name, _| !name.starts_with("optimizer."));
    best
}
