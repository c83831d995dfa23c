//! The board on which stands what is to be done: workers take trials from it, in this process and in
//! others that work on the same folder.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;

use crate::basis::record::{EpochRecord, Status};
use crate::plan::memory::trial_bytes;
use crate::plan::prune::{Progress, Verdict, judge};
use crate::plan::sweep::{Experiment, Trial};

use super::clock::Stopwatch;
use super::runner::{LOOK, Runner, SweepEvent};
use super::standing::Known;
use super::store::{Lock, Mark, Store, StoreError};
use super::trial::{self, Ended};

/// A trial that a worker has taken.
pub(super) struct Job<'a> {
    pub(super) trial: &'a Trial,
    /// The epoch until which it may train for the time being.
    pub(super) until: usize,
    index: usize,
    _lock: Lock,
}

/// Where a trial stands in this run.
enum Place {
    /// It may be taken.
    Open,
    /// A worker of this process has it.
    Taken(Stopwatch),
    /// There is nothing to do for it in this run.
    Settled,
}

struct State {
    places: Vec<Place>,
    progress: Vec<Progress>,
    /// Bytes that are not taken; none: there is no limit.
    free: Option<u64>,
    trouble: Option<StoreError>,
}

/// What is to be done, and who does it.
pub(super) struct Board<'a> {
    experiment: &'a Experiment,
    store: &'a Store,
    run: &'a str,
    interrupt: &'a AtomicBool,
    halt: &'a AtomicBool,
    order: Vec<usize>,
    state: Mutex<State>,
    changed: Condvar,
}

/// Beyond its time limit a trial that still works stops by itself at its next batch; only one that
/// does not is hung.
fn is_hung(seconds: f64, limit: f64) -> bool {
    seconds > 1.1 * limit + 2.0
}

/// What a worker that looks for a trial finds.
enum Found<'a> {
    Job(Job<'a>),
    /// Nothing now, but there may be something when others have got on.
    Later,
    Nothing,
}

impl<'a> Board<'a> {
    /// Everything that is not done.
    pub(super) fn new(runner: &Runner<'a>, halt: &'a AtomicBool) -> Result<Board<'a>, StoreError> {
        let Runner { experiment, store, run, interrupt, .. } = *runner;
        let order = runner.order.clone().unwrap_or_else(|| (0..experiment.trials.len()).collect());
        let mut state = State {
            places: experiment.trials.iter().map(|_| Place::Settled).collect(),
            progress: Vec::new(),
            free: runner.memory,
            trouble: None,
        };
        let known: Vec<(Progress, bool)> =
            experiment.trials.par_iter().map(|trial| standing_of(trial, store, run)).collect();
        let is_open: Vec<bool> = known.iter().map(|(_, is_open)| *is_open).collect();
        state.progress = known.into_iter().map(|(progress, _)| progress).collect();
        for index in &order {
            if is_open[*index] {
                state.places[*index] = Place::Open;
            }
        }
        for (index, verdict) in verdicts(experiment, &state.progress).into_iter().enumerate() {
            if matches!(verdict, Verdict::Pruned { .. }) {
                state.places[index] = Place::Settled;
            }
        }
        let (state, changed) = (Mutex::new(state), Condvar::new());
        Ok(Board { experiment, store, run, interrupt, halt, order, state, changed })
    }

    /// The trials that may be taken.
    pub(super) fn open(&self) -> impl Iterator<Item = &'a Trial> {
        let state = self.state();
        let is_open = |index: &usize| matches!(state.places[*index], Place::Open);
        let open: Vec<usize> = self.order.iter().copied().filter(is_open).collect();
        open.into_iter().map(|index| &self.experiment.trials[index])
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whoever panics while he holds the lock panics before he changes anything.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopping(&self) -> bool {
        self.interrupt.load(Ordering::Relaxed) || self.halt.load(Ordering::Relaxed)
    }

    /// The next trial; none when nothing is left to do, now or later.
    pub(super) fn take(&self, watch: &(dyn Fn(&SweepEvent) + Sync)) -> Option<Job<'a>> {
        let mut state = self.state();
        loop {
            if self.is_stopping() {
                return None;
            }
            match self.find(&mut state, watch) {
                Err(error) => {
                    state.trouble.get_or_insert(error);
                    self.halt.store(true, Ordering::Relaxed);
                    return None;
                }
                Ok(Found::Job(job)) => return Some(job),
                Ok(Found::Nothing) => return None,
                Ok(Found::Later) => {}
            }
            let waited = self.changed.wait_timeout(state, LOOK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn find(
        &self,
        state: &mut State,
        watch: &(dyn Fn(&SweepEvent) + Sync),
    ) -> Result<Found<'a>, StoreError> {
        'again: loop {
            let verdicts = verdicts(self.experiment, &state.progress);
            // A trial that is taken may come back, paused, and be free to go on.
            let mut is_later = state.places.iter().any(|place| matches!(place, Place::Taken(_)));
            for index in self.order.iter().copied() {
                if !matches!(state.places[index], Place::Open) {
                    continue;
                }
                let trial = &self.experiment.trials[index];
                let until = match &verdicts[index] {
                    Verdict::Pruned { epoch, reason } => {
                        state.places[index] = Place::Settled;
                        watch(&SweepEvent::Pruned(trial, *epoch, reason));
                        continue;
                    }
                    Verdict::Waits { .. } => continue,
                    Verdict::Runs { until } => *until,
                };
                let bytes = trial_bytes(&trial.plan);
                if state.free.is_some_and(|free| bytes > free) {
                    continue;
                }
                let store = self.store.trial(trial);
                let Some(lock) = store.lock()? else {
                    is_later = true;
                    continue;
                };
                // Another process may have got on with it.
                if self.refresh(state, index) {
                    continue 'again;
                }
                store.set_mark(Some(&Mark::Works(self.run.to_owned())))?;
                state.places[index] = Place::Taken(Stopwatch::start());
                state.free = state.free.map(|free| free.saturating_sub(bytes));
                return Ok(Found::Job(Job { trial, until, index, _lock: lock }));
            }
            // What waits may wait for trials of another process.
            let mut is_news = false;
            for index in self.order.iter().copied() {
                is_news |= matches!(state.places[index], Place::Open) && self.refresh(state, index);
            }
            if !is_news {
                return Ok(if is_later { Found::Later } else { Found::Nothing });
            }
        }
    }

    /// Reads again what the store knows of an open trial: whether that is news.
    fn refresh(&self, state: &mut State, index: usize) -> bool {
        let (progress, is_open) = standing_of(&self.experiment.trials[index], self.store, self.run);
        let is_news = !is_open || progress != state.progress[index];
        state.progress[index] = progress;
        if !is_open {
            state.places[index] = Place::Settled;
        }
        is_news
    }

    /// Until which epoch a trial may train that has come to a rung with `records`.
    pub(super) fn goal(&self, trial: &Trial, records: &[EpochRecord]) -> Option<usize> {
        let mut state = self.state();
        let index = trial.number - 1;
        state.progress[index] = Progress { records: records.to_vec(), ended: None };
        // What was waiting for it may go on.
        self.changed.notify_all();
        match verdicts(self.experiment, &state.progress).get(index) {
            Some(Verdict::Runs { until }) if *until > records.len() => Some(*until),
            _ => None,
        }
    }

    /// Takes notice of how a trial was left: whether it has failed.
    pub(super) fn ended(&self, job: &Job, ended: &Ended) -> Result<bool, StoreError> {
        let store = self.store.trial(job.trial);
        let mut state = self.state();
        let Ended::With(outcome) = ended else {
            store.set_mark(None)?;
            state.progress[job.index] = standing_of(job.trial, self.store, self.run).0;
            return Ok(false);
        };
        let has_failed = outcome.status == Status::Failed;
        store.set_mark(has_failed.then(|| Mark::Failed(self.run.to_owned())).as_ref())?;
        state.progress[job.index] = Known::of(job.trial, self.store).progress();
        state.places[job.index] = Place::Settled;
        Ok(has_failed)
    }

    /// Puts a trial back, with what could not be stored of it.
    pub(super) fn leave(&self, job: Job, trouble: Option<StoreError>) {
        let mut state = self.state();
        state.free = state.free.map(|free| free + trial_bytes(&job.trial.plan));
        if matches!(state.places[job.index], Place::Taken(_)) {
            state.places[job.index] = Place::Open;
        }
        if let Some(trouble) = trouble {
            state.trouble.get_or_insert(trouble);
            self.halt.store(true, Ordering::Relaxed);
        }
        drop(job);
        self.changed.notify_all();
    }

    /// Stores those trials as failed that show no sign of life behind their time limit: whether there
    /// are any.
    pub(super) fn fail_hung(&self, limit: f64) -> bool {
        let state = self.state();
        let mut is_any = false;
        for (place, trial) in state.places.iter().zip(&self.experiment.trials) {
            let Place::Taken(since) = place else { continue };
            if is_hung(since.seconds(), limit) {
                let store = self.store.trial(trial);
                let reason = format!("no sign of life behind its time limit of {limit} s");
                // If even that cannot be stored, the trial is met again.
                let _ = trial::fail(trial, &store, reason);
                let _ = store.set_mark(Some(&Mark::Failed(self.run.to_owned())));
                is_any = true;
            }
        }
        is_any
    }

    /// What could not be stored.
    pub(super) fn into_trouble(self) -> Option<StoreError> {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).trouble
    }
}

/// What is known of a trial, and whether there is something to do for it in the run `run`. One that
/// failed in an earlier run is tried again.
fn standing_of(trial: &Trial, store: &Store, run: &str) -> (Progress, bool) {
    let known = Known::of(trial, store);
    match known.status() {
        Status::Failed if known.store.mark() != Some(Mark::Failed(run.to_owned())) => {
            (Progress { ended: None, ..known.progress() }, true)
        }
        Status::Unfinished => (known.progress(), true),
        _ => (known.progress(), false),
    }
}

/// What each trial may do.
fn verdicts(experiment: &Experiment, progress: &[Progress]) -> Vec<Verdict> {
    if experiment.prune.is_some() {
        return judge(experiment.prune.as_ref(), &experiment.trials, progress).0;
    }
    let until = |trial: &Trial| Verdict::Runs { until: trial.plan.train.epochs };
    experiment.trials.iter().map(until).collect()
}

#[cfg(test)]
mod tests {
    use super::is_hung;

    #[test]
    fn a_trial_is_hung_when_it_does_not_stop_by_itself() {
        assert!(!is_hung(61.0, 60.0), "it may be in the middle of a batch");
        assert!(is_hung(69.0, 60.0));
        assert!(!is_hung(1.9, 0.0));
    }
}
