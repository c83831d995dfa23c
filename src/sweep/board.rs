//! The board on which stands what is to be done: workers take trials from it, in this process and in
//! others that work on the same folder.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rayon::prelude::*;

use crate::basis::record::{EpochRecord, Status};
use crate::plan::memory::trial_bytes;
use crate::plan::prune::{Progress, Verdict};
use crate::plan::sweep::{Experiment, Trial};

use super::clock::Stopwatch;
use super::runner::{LOOK, Runner, SweepEvent};
use super::stages::Stages;
use super::standing::{Known, standing_of, verdicts};
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
    /// It is not for this run, but what it comes to may decide about those that are.
    Elsewhere,
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
    /// Seconds that workers have waited for trials of others.
    idle: f64,
    /// Whether no worker waits any more for epochs that somebody else trains.
    is_impatient: bool,
    trouble: Option<StoreError>,
}

/// What is to be done, and who does it.
pub(super) struct Board<'a> {
    experiment: &'a Experiment,
    store: &'a Store,
    run: &'a str,
    supervisor: &'a str,
    interrupt: &'a AtomicBool,
    halt: &'a AtomicBool,
    waits_for_others: bool,
    since: Stopwatch,
    order: Vec<usize>,
    /// What trials have in common; none: each is trained alone.
    stages: Option<&'a Stages<'a>>,
    state: Mutex<State>,
    changed: Condvar,
}

/// Beyond its time limit a trial that still works stops by itself at its next batch; only one that
/// does not is hung.
fn is_hung(seconds: f64, limit: f64) -> bool {
    seconds > 1.1 * limit + 2.0
}

/// Whoever has worked for less than this waits for others as long as this, in seconds.
const LEAST_PATIENCE: f64 = 10.0;

/// The longest time from one look around to the next: each reads many files, perhaps over a network.
const SELDOM: Duration = Duration::from_secs(2);

/// What a worker that looks for a trial finds.
enum Found<'a> {
    Job(Job<'a>),
    /// Nothing now, but there may be something when others have got on.
    Later,
    /// Nothing but trials whose next epochs another process is training.
    Ahead,
    /// Nothing, unless trials that are not for this run get on, at which somebody works.
    Elsewhere,
    Nothing,
}

impl<'a> Board<'a> {
    /// Everything that is not done.
    pub(super) fn new(
        runner: &Runner<'a>,
        stages: Option<&'a Stages<'a>>,
        halt: &'a AtomicBool,
    ) -> Result<Board<'a>, StoreError> {
        let Runner { experiment, store, run, supervisor, interrupt, waits_for_others, .. } =
            *runner;
        let order = runner.order.clone().unwrap_or_else(|| (0..experiment.trials.len()).collect());
        let mut state = State {
            places: experiment.trials.iter().map(|_| Place::Settled).collect(),
            progress: Vec::new(),
            free: runner.memory,
            idle: 0.0,
            is_impatient: false,
            trouble: None,
        };
        let known: Vec<(Progress, bool)> =
            experiment.trials.par_iter().map(|trial| standing_of(trial, store, run)).collect();
        let is_open: Vec<bool> = known.iter().map(|(_, is_open)| *is_open).collect();
        state.progress = known.into_iter().map(|(progress, _)| progress).collect();
        for (index, is_open) in is_open.iter().enumerate() {
            if *is_open {
                state.places[index] = Place::Elsewhere;
            }
        }
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
        if let Some(stages) = stages {
            for (index, place) in state.places.iter().enumerate() {
                let epochs = state.progress[index].records.len();
                stages.reach(index, (!matches!(place, Place::Settled)).then_some(epochs));
            }
        }
        Ok(Board {
            experiment,
            store,
            run,
            supervisor,
            interrupt,
            halt,
            waits_for_others,
            since: Stopwatch::start(),
            order,
            stages,
            state: Mutex::new(state),
            changed: Condvar::new(),
        })
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
    pub(super) fn take(&self, callback: &(dyn Fn(&SweepEvent) + Sync)) -> Option<Job<'a>> {
        let mut state = self.state();
        let mut pause = LOOK;
        loop {
            if self.is_stopping() {
                return None;
            }
            match self.find(&mut state, callback) {
                Err(error) => {
                    state.trouble.get_or_insert(error);
                    self.halt.store(true, Ordering::Relaxed);
                    return None;
                }
                Ok(Found::Job(job)) => return Some(job),
                Ok(Found::Nothing) => return None,
                Ok(Found::Later) => {}
                Ok(Found::Elsewhere) => {
                    let worked = self.since.seconds() - state.idle;
                    // A slot that idles longer than it works is better left to somebody else.
                    if state.idle > worked.max(LEAST_PATIENCE) {
                        return None;
                    }
                    state.idle += pause.as_secs_f64();
                }
                Ok(Found::Ahead) => {
                    // What another process trains may take as long there as here.
                    let worked = self.since.seconds() - state.idle;
                    state.is_impatient =
                        self.waits_for_others && state.idle > worked.max(LEAST_PATIENCE);
                    state.idle += pause.as_secs_f64();
                }
            }
            let waited = self.changed.wait_timeout(state, pause);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            pause = pause.mul_f64(1.2).min(SELDOM);
        }
    }

    fn find(
        &self,
        state: &mut State,
        callback: &(dyn Fn(&SweepEvent) + Sync),
    ) -> Result<Found<'a>, StoreError> {
        'again: loop {
            let verdicts = verdicts(self.experiment, &state.progress);
            // A trial that is taken may come back, paused, and be free to go on.
            let mut is_later = state.places.iter().any(|place| matches!(place, Place::Taken(_)));
            let mut is_ahead = false;
            let mut kept = None;
            for index in self.order.iter().copied() {
                if !matches!(state.places[index], Place::Open) {
                    continue;
                }
                let trial = &self.experiment.trials[index];
                let until = match &verdicts[index] {
                    Verdict::Pruned { epoch, reason } => {
                        state.places[index] = Place::Settled;
                        if let Some(stages) = self.stages {
                            stages.reach(index, None);
                        }
                        callback(&SweepEvent::Pruned(trial, *epoch, reason));
                        continue;
                    }
                    Verdict::Waits { .. } => continue,
                    Verdict::Runs { until } => *until,
                };
                let bytes = self.bytes(trial);
                if state.free.is_some_and(|free| bytes > free) {
                    continue;
                }
                let shares = |stages: &&Stages| !state.is_impatient && !stages.is_alone(index);
                if let Some(stages) = self.stages.filter(shares) {
                    // A trial whose next epochs somebody else is training comes after those that can start at once.
                    let kept = kept.get_or_insert_with(|| stages.kept());
                    let own = state.progress[index].records.len();
                    if !stages.claim(index, own, until, kept) {
                        is_ahead = true;
                        continue;
                    }
                }
                let store = self.store.trial(trial);
                let Some(lock) = store.lock()? else {
                    self.release(index);
                    is_later = true;
                    continue;
                };
                // Another process may have got on with it.
                if self.refresh(state, index) {
                    self.release(index);
                    continue 'again;
                }
                store.set_mark(Some(&Mark::Works(self.supervisor.to_owned())))?;
                state.places[index] = Place::Taken(Stopwatch::start());
                state.free = state.free.map(|free| free.saturating_sub(bytes));
                return Ok(Found::Job(Job { trial, until, index, _lock: lock }));
            }
            // What waits may wait for trials of another process.
            let is_pruned = self.experiment.prune.is_some();
            let (mut is_news, mut waits, mut elsewhere) = (false, false, Vec::new());
            for index in 0..state.places.len() {
                match state.places[index] {
                    Place::Open => waits = true,
                    Place::Elsewhere if is_pruned => elsewhere.push(index),
                    _ => continue,
                }
                is_news |= self.refresh(state, index);
            }
            if is_news {
                continue;
            }
            let is_worked_at =
                |index: &usize| self.store.trial(&self.experiment.trials[*index]).is_locked();
            return Ok(match is_later {
                true => Found::Later,
                false if is_ahead => Found::Ahead,
                false if self.waits_for_others && waits && elsewhere.iter().any(is_worked_at) => {
                    Found::Elsewhere
                }
                false => Found::Nothing,
            });
        }
    }

    /// Reads again what the store knows of an open trial: whether that is news.
    fn refresh(&self, state: &mut State, index: usize) -> bool {
        let (progress, is_open) = standing_of(&self.experiment.trials[index], self.store, self.run);
        let is_news = !is_open || progress != state.progress[index];
        if let Some(stages) = self.stages {
            stages.reach(index, is_open.then_some(progress.records.len()));
        }
        state.progress[index] = progress;
        if !is_open {
            state.places[index] = Place::Settled;
        }
        is_news
    }

    /// The memory that `trial` takes, by estimate.
    fn bytes(&self, trial: &Trial) -> u64 {
        trial_bytes(&trial.plan, self.experiment.run.gradient_checkpointing)
    }

    /// Lets others train what the trial `index` was to train.
    fn release(&self, index: usize) {
        if let Some(stages) = self.stages {
            stages.release(index, None);
        }
    }

    /// Tells workers that wait that epochs are kept from which they can go on.
    pub(super) fn tell_kept(&self) {
        self.changed.notify_all();
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
            match store.set_mark(None) {
                Err(error) if !error.is_taken_over() => return Err(error),
                _ => {}
            }
            state.progress[job.index] = standing_of(job.trial, self.store, self.run).0;
            if let Some(stages) = self.stages {
                stages.reach(job.index, Some(state.progress[job.index].records.len()));
            }
            return Ok(false);
        };
        let has_failed = outcome.status == Status::Failed;
        store.set_mark(has_failed.then(|| Mark::Failed(self.run.to_owned())).as_ref())?;
        let progress = Known::of(job.trial, self.store).progress();
        if let Some(stages) = self.stages {
            stages.reach(job.index, None);
            if has_failed {
                stages.spoil(job.index, progress.records.len());
            }
        }
        state.progress[job.index] = progress;
        state.places[job.index] = Place::Settled;
        Ok(has_failed)
    }

    /// Puts a trial back, with what could not be stored of it.
    pub(super) fn leave(&self, job: Job, trouble: Option<StoreError>) {
        let mut state = self.state();
        state.free = state.free.map(|free| free + self.bytes(job.trial));
        if matches!(state.places[job.index], Place::Taken(_)) {
            state.places[job.index] = Place::Open;
        }
        self.release(job.index);
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
                let reason = format!("it hangs after its time limit of {limit} s");
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
