//! A sweep whose events are made up, for tests of what is shown.

use std::sync::LazyLock;

use crate::basis::device::Device;
use crate::basis::record::{EpochRecord, Outcome, Scores, Status};
use crate::config::layering::preset;
use crate::data::Cache;
use crate::plan::prune::Nothing;
use crate::plan::sweep::{Experiment, Trial, expand};
use crate::sweep::runner::SweepEvent;
use crate::sweep::slots::Slot;
use crate::sweep::survey::Files;
use crate::sweep::trial::Ended;
use crate::train::checkpoint::Checkpoint;
use crate::train::trainer::Event;

/// Four trials of two epochs: two rates of dropout times two learning rates. `sets` are laid over it.
pub(super) fn experiment(sets: &[&str]) -> Experiment {
    let grid = "sweep.grid={ \"model.defaults.dropout\" = [0.0, 0.25], \
                \"train.optimizer.adam.lr\" = [1e-3, 0.1] }";
    let all = ["name=made-up", "data.source=digits", "train.epochs=2", grid];
    let sets: Vec<String> = all.iter().chain(sets).map(|set| (*set).to_owned()).collect();
    let images = Cache::new(1);
    let root = preset("demo", &sets).unwrap_or_else(|found| panic!("{}", found.render(false)));
    expand(&root, &Files::new(&images, std::path::Path::new("results")), &Nothing)
        .unwrap_or_else(|found| panic!("{}", found.render(false)))
}

/// The start of a trial on the processor.
pub(super) fn started(trial: &Trial) -> SweepEvent<'_> {
    SweepEvent::Started(trial, Slot::on(Device::Cpu))
}

/// The end of batch `batch` of four, with ten images.
pub(super) fn batch(epoch: usize, batch: usize) -> Event<'static> {
    Event::Batch { epoch, batch, batches: 4, images: 10, loss: 0.5 }
}

/// The end of an epoch.
pub(super) fn epoch(record: &EpochRecord) -> Event<'_> {
    static LAST: LazyLock<Checkpoint> = LazyLock::new(Checkpoint::default);
    Event::Epoch { record, is_best: true, last: &LAST }
}

/// An epoch of training loss `loss`, with validation if there is an accuracy.
pub(super) fn record(epoch: usize, loss: f64, accuracy: Option<f64>) -> EpochRecord {
    let train = scores(loss, 0.5);
    let validation = accuracy.map(|accuracy| scores(loss, accuracy));
    EpochRecord { epoch, steps: 4 * epoch as u64, lr: 1e-3, train, validation }
}

/// An end with epoch 1 as the best.
pub(super) fn completed(accuracy: Option<f64>) -> Ended {
    let EpochRecord { train, validation, .. } = record(1, 0.5, accuracy);
    Ended::With(Box::new(Outcome {
        status: Status::Completed,
        reason: String::new(),
        epochs: 2,
        best_epoch: 1,
        train: Some(train),
        validation,
        test: None,
    }))
}

/// An end before the first epoch's.
pub(super) fn failed(reason: &str) -> Ended {
    Ended::With(Box::new(Outcome {
        status: Status::Failed,
        reason: reason.to_owned(),
        epochs: 2,
        best_epoch: 0,
        train: None,
        validation: None,
        test: None,
    }))
}

fn scores(loss: f64, accuracy: f64) -> Scores {
    Scores { loss, accuracy, top_k: 1.0, precision: 0.5, recall: 0.5, f1: 0.5 }
}
