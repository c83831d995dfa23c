//! What a trial leaves while it trains.

use std::sync::Arc;

use crate::basis::record::EpochRecord;
use crate::data::{self, Dataset};
use crate::plan::data::DataPlan;
use crate::plan::run::CheckpointEvery;
use crate::results::timings::Timing;
use crate::train::checkpoint::Checkpoint;
use crate::train::trainer::{Event, Observer, Trainer};

use super::clock::Stopwatch;
use super::fault;
use super::slots::Slot;
use super::stages::Leader;
use super::store::{BatchLoss, Lasting, StoreError, TrialStore};
use super::trial::{Surroundings, Trouble, check_images};

/// Is called with what happens in a trial.
pub type Callback<'a> = dyn Fn(&Event) + Sync + 'a;

/// Stores epochs as they end, keeps the time and passes events on.
pub(super) struct Recorder<'a> {
    /// The trial's number.
    trial: usize,
    views: Arc<data::Views>,
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
    callback: &'a Callback<'a>,
    epoch: Stopwatch,
    /// Seconds of the epochs so far.
    pub(super) in_epochs: f64,
    /// Training images of an epoch.
    pub(super) images: usize,
    /// Seconds of earlier attempts at this trial.
    pub(super) spent: f64,
    /// Since this attempt began.
    pub(super) beside: Stopwatch,
    /// Since the disk has had everything.
    settled: Stopwatch,
    /// What could not be stored.
    pub(super) trouble: Option<StoreError>,
    /// Images that were not compared with those of earlier trials yet, since not all were looked at.
    pub(super) unchecked: Option<(&'a DataPlan, Arc<Dataset>)>,
    /// What others may go on from; none if nobody does.
    pub(super) leader: Option<Leader<'a>>,
}

/// Seconds of work that are worth the milliseconds that a disk takes to have them for good.
const WORTH_A_SYNC: f64 = 0.2;

impl<'a> Recorder<'a> {
    /// For the trial of this number, which `trainer` is to train now.
    pub(super) fn new(
        trial: usize,
        trainer: &Trainer,
        store: &'a TrialStore,
        slot: Slot,
        around: &'a Surroundings<'a>,
        callback: &'a Callback<'a>,
    ) -> Recorder<'a> {
        Recorder {
            trial,
            views: trainer.views().clone(),
            store,
            records: trainer.records().to_vec(),
            losses: Vec::new(),
            timings: Vec::new(),
            waiting: None,
            slot,
            around,
            callback,
            epoch: Stopwatch::start(),
            in_epochs: 0.0,
            images: 0,
            spent: 0.0,
            beside: Stopwatch::start(),
            settled: Stopwatch::start(),
            trouble: None,
            unchecked: None,
            leader: None,
        }
    }

    /// Takes notice that the trial may train until the epoch `until`.
    pub(super) fn goes_until(&mut self, until: usize) {
        if let Some(leader) = &mut self.leader {
            leader.until = until;
        }
    }

    /// Lets others go on from the last finished epoch, where this trial goes no further.
    pub(super) fn leave_behind(&mut self) {
        let Some(leader) = &self.leader else { return };
        if !leader.is_left_behind(&self.records) || self.store_waiting(Lasting::Process).is_err() {
            return;
        }
        let Ok(Some(last)) = self.store.checkpoint("last") else { return };
        let is_at_end = last.number("epoch") as usize == self.records.len()
            && !last.words.contains_key("batch");
        if let Some(leader) = self.leader.as_ref().filter(|_| is_at_end) {
            leader.keep(self.store, &self.records, &last);
        }
    }

    /// Keeps what others want to go on from, and lets them.
    fn lead(&mut self, last: &Checkpoint) -> Result<(), StoreError> {
        let Some(leader) = &mut self.leader else { return Ok(()) };
        let is_wanted = leader.epoch_ended(&self.records, last);
        if is_wanted {
            // What is kept has the losses of all batches.
            self.store_waiting(Lasting::Process)?;
        }
        if let Some(leader) = &self.leader {
            if is_wanted {
                leader.keep(self.store, &self.records, last);
            }
            leader.passed(self.records.len());
            if is_wanted {
                (self.around.kept)();
            }
        }
        Ok(())
    }

    /// The best weights, if they are not stored yet.
    pub(super) fn waiting_best(&mut self) -> Option<&mut Checkpoint> {
        self.waiting.as_mut().and_then(|(_, best)| best.as_mut())
    }

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
        self.lead(last)?;
        let seconds = self.epoch.seconds();
        let work = self.views.epochs().take_work();
        let timing = Timing {
            epoch: record.epoch,
            seconds,
            images_per_second: self.images as f64 / seconds,
            augmented: work.augmented,
            shared: work.shared,
            augment_seconds: work.seconds,
            ..Timing::on(self.slot.device, self.slot.number, self.around.threads)
        };
        self.timings.push(timing);
        self.in_epochs += seconds;
        self.epoch = Stopwatch::start();
        Ok(())
    }

    /// Stores what waits.
    pub(super) fn store_waiting(&mut self, lasting: Lasting) -> Result<(), StoreError> {
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
        let is_batch = matches!(event, Event::Batch { .. });
        if !is_batch && let Some((plan, dataset)) = self.unchecked.take() {
            // A checkpoint names the images, so that all have been looked at.
            match check_images(plan, &dataset, self.around) {
                Ok(()) => {}
                Err(Trouble::Failed { reason, .. }) => return Err(reason),
                Err(Trouble::Store(error)) => {
                    self.trouble = Some(error);
                    return Err("failed to store results".to_owned());
                }
            }
        }
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
        (self.callback)(event);
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
    Checkpoint { tensors: last.weights(), words: last.words.clone() }
}
