//! The sweep: trials side by side, in plan order, each in a thread pool of its own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::data;
use crate::plan::sweep::{Experiment, Trial};
use crate::train::trainer::Event;

use super::store::{Store, StoreError};
use super::trial::{self, Ended, Surroundings};

/// How cores are shared: so many trials at once, so many threads each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Trials at once.
    pub workers: usize,
    /// Threads of a trial.
    pub threads: usize,
}

impl Share {
    /// One trial per core, and if there are fewer trials than cores, several cores per trial.
    pub fn new(
        cores: usize,
        trials: usize,
        workers: Option<usize>,
        threads: Option<usize>,
    ) -> Share {
        let workers = workers.unwrap_or(cores / threads.unwrap_or(1)).clamp(1, trials.max(1));
        let threads = threads.unwrap_or(cores / workers).max(1);
        Share { workers, threads }
    }
}

/// What happens in a sweep, for those who watch.
pub enum SweepEvent<'a> {
    /// A trial starts or goes on.
    Started(&'a Trial),
    /// Something happens in it.
    In(&'a Trial, &'a Event<'a>),
    /// It was left.
    Ended(&'a Trial, &'a Ended),
}

/// A run of everything that is not done.
pub struct Runner<'a> {
    /// What to do.
    pub experiment: &'a Experiment,
    /// Where to store it.
    pub store: &'a Store,
    /// How cores are shared.
    pub share: Share,
    /// Decoded images, shared by all trials.
    pub images: &'a data::Cache,
    /// Bytes for augmented images that trials share.
    pub augment_memory: usize,
    /// Set when everything shall stop.
    pub interrupt: &'a AtomicBool,
}

/// Why a sweep could not be run to its end.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The results folder cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Threads cannot be had.
    #[error("failed to start threads: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// Outcomes could not be stored.
    #[error("{0}")]
    Outcome(String),
}

impl Runner<'_> {
    /// The trials that are not done yet.
    pub fn missing(&self) -> Vec<&Trial> {
        missing(self.experiment, self.store)
    }

    /// Runs the missing trials.
    pub fn run(&self, watch: &(dyn Fn(&SweepEvent) + Sync)) -> Result<(), SweepError> {
        let todo = self.missing();
        let next = AtomicUsize::new(0);
        let troubles = Mutex::new(BTreeMap::new());
        let pools = (0..self.share.workers)
            .map(|worker| {
                rayon::ThreadPoolBuilder::new()
                    .num_threads(self.share.threads)
                    .thread_name(move |index| format!("trial-{worker}-{index}"))
                    .build()
            })
            .collect::<Result<Vec<_>, _>>()?;
        let plans = todo.iter().map(|trial| &trial.plan);
        let epochs = Arc::new(data::Epochs::new(self.augment_memory, plans, super::clock::seconds));
        let around = Surroundings {
            epochs: &epochs,
            store: self.store,
            images: self.images,
            interrupt: self.interrupt,
            threads: self.share.threads,
        };
        // Workers are plain threads: one of rayon's would, while it waits for its trial, take up the
        // work of another worker, and leave that one idle.
        std::thread::scope(|scope| {
            for pool in &pools {
                scope.spawn(|| {
                    while let Some(trial) = todo.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if self.interrupt.load(Ordering::Relaxed) {
                            return;
                        }
                        watch(&SweepEvent::Started(trial));
                        let inside = |event: &Event| watch(&SweepEvent::In(trial, event));
                        match pool.install(|| trial::run(trial, &around, &inside)) {
                            Ok(ended) => watch(&SweepEvent::Ended(trial, &ended)),
                            Err(trouble) => {
                                let mut troubles = troubles
                                    .lock()
                                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                                troubles.insert(trial.number, trouble);
                            }
                        }
                    }
                });
            }
        });
        let troubles = troubles.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        match troubles.into_values().next() {
            None => Ok(()),
            Some(first) => Err(SweepError::Outcome(first)),
        }
    }
}

/// The trials of `experiment` that are not done in `store`.
pub fn missing<'a>(experiment: &'a Experiment, store: &Store) -> Vec<&'a Trial> {
    let is_missing = |trial: &&Trial| {
        let epochs = trial.plan.train.epochs;
        !store.trial(&trial.digest, epochs).is_done(epochs)
    };
    experiment.trials.iter().filter(is_missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_shared_between_trials() {
        for (cores, trials, workers, threads, expected) in [
            (8, 100, None, None, (8, 1)),
            (8, 2, None, None, (2, 4)),
            (8, 0, None, None, (1, 8)),
            (8, 100, Some(2), None, (2, 4)),
            (8, 100, None, Some(4), (2, 4)),
            (2, 100, Some(16), None, (16, 1)),
            (2, 3, Some(1), Some(4), (1, 4)),
        ] {
            let share = Share::new(cores, trials, workers, threads);
            assert_eq!((share.workers, share.threads), expected, "{cores} cores, {trials} trials");
        }
    }
}
