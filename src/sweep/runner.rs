//! The sweep: trials side by side, in plan order, each in a thread pool of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::basis::memory;
use crate::basis::number::number;
use crate::basis::record::Status;
use crate::data;
use crate::document::Problems;
use crate::plan::memory::trial_bytes;
use crate::plan::run::OnFailure;
use crate::plan::sweep::{Experiment, Trial};
use crate::train::trainer::Event;
use crate::transfer::features::Features;

use super::board::{Board, Job};
use super::memory::{Needs, limit_in_bytes};
use super::slots::{Allocation, Slot};
use super::stages::Stages;
use super::standing::Known;
use super::store::{Mark, Store, StoreError};
use super::trial::{self, Ended, Surroundings};

/// What happens in a sweep.
pub enum SweepEvent<'a> {
    /// A trial starts or goes on, in this slot.
    Started(&'a Trial, Slot),
    /// Something happens in it.
    In(&'a Trial, &'a Event<'a>),
    /// It is completed, and its slot is free. It has ended when the disk has it.
    Trained(&'a Trial),
    /// It was left.
    Ended(&'a Trial, &'a Ended),
    /// It will not go on behind this epoch.
    Pruned(&'a Trial, usize, &'a str),
    /// Something was wrong with its stored files: what, and what becomes of it.
    Damaged(&'a Trial, &'a str),
}

/// A run of everything that is not done.
pub struct Runner<'a> {
    /// What to do.
    pub experiment: &'a Experiment,
    /// The trials that are run, as indices, in the order in which they are started; none: all of
    /// them, in plan order.
    pub order: Option<Vec<usize>>,
    /// Where to store it.
    pub store: &'a Store,
    /// Devices and cores of the trials.
    pub allocation: Allocation,
    /// Decoded images, shared by all trials.
    pub images: &'a data::Cache,
    /// Bytes for augmented images that trials share.
    pub augment_memory: usize,
    /// Bytes for the trials themselves; none: no limit.
    pub memory: Option<u64>,
    /// Whether to wait for trials that are not run here, but at which others work, where they decide
    /// about those that are; not for longer than was worked.
    pub waits_for_others: bool,
    /// Set when everything shall stop.
    pub interrupt: &'a AtomicBool,
    /// The name of the run. Processes that work for one run, here and elsewhere, have the same: what
    /// has failed in it is not tried again.
    pub run: &'a str,
    /// The name of the process that supervises this one, and those that follow it when it dies.
    pub supervisor: &'a str,
    /// What to do when a trial shows no sign of life behind its time limit. It has been stored as
    /// failed; its thread cannot be ended without the process.
    pub hung: Option<&'a (dyn Fn() + Sync)>,
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
    /// The process before this one died of this, while no trial was at work.
    #[error("the working process died of {0} while no trial was running")]
    Died(String),
    /// No trial fits into so many bytes.
    #[error(
        "no trial fits into {} MB: the images take about {} MB, the smallest trial {} MB\n  \
         = help: use a smaller data.batch-size or data.image.size, {}or a larger run.memory-limit",
        megabytes(*.0), megabytes(.1.images), megabytes(.1.least),
        if .1.fit_otherwise(*.0) { "run.gradient-checkpointing = true, " } else { "" }
    )]
    TooLarge(u64, Needs),
    /// The trials that a search suggests next cannot be planned.
    #[error("{}", .0.render(false))]
    Problems(Problems),
}

fn megabytes(bytes: u64) -> String {
    number(bytes.div_ceil(1_000_000))
}

/// How often somebody who waits looks around.
pub(super) const LOOK: Duration = Duration::from_millis(100);

/// The folder beside those of experiments in which features are kept for later runs. It may be
/// deleted at any time.
pub const FEATURES: &str = ".features";

/// The folder beside those of experiments in which epochs are kept that trials have in common. It may be deleted at any
/// time.
pub const STAGES: &str = ".stages";

impl Runner<'_> {
    /// Runs the trials that are not done, until each of them has ended, was pruned, or waits for
    /// trials that are not run.
    pub fn run(&self, callback: &(dyn Fn(&SweepEvent) + Sync)) -> Result<(), SweepError> {
        let halt = AtomicBool::new(false);
        self.fail_too_large(callback)?;
        let folder = self.store.root().with_file_name(STAGES);
        let stages = self
            .experiment
            .run
            .stage_cache
            .map(|limit| Stages::new(&self.experiment.trials, folder, limit));
        let board = Board::new(self, stages.as_ref(), &halt)?;
        let pools = (0..self.allocation.workers())
            .map(|worker| {
                rayon::ThreadPoolBuilder::new()
                    .num_threads(self.allocation.threads)
                    .thread_name(move |index| format!("trial-{worker}-{index}"))
                    .build()
            })
            .collect::<Result<Vec<_>, _>>()?;
        let plans = board.open().map(|trial| &trial.plan);
        let epochs = Arc::new(data::Epochs::new(self.augment_memory, plans, super::clock::seconds));
        let folder = self.store.root().with_file_name(FEATURES);
        let limit = limit_in_bytes(self.experiment.run.feature_cache);
        let features = Arc::new(Features::new(limit.map(|_| folder), limit.unwrap_or(0)));
        let goal = |trial: &Trial, records: &[_]| board.goal(trial, records);
        let around = Surroundings {
            epochs: &epochs,
            features: &features,
            store: self.store,
            images: self.images,
            interrupt: self.interrupt,
            halt: &halt,
            threads: self.allocation.threads,
            how: self.experiment.run.clone(),
            tell: &|trial, words| callback(&SweepEvent::Damaged(trial, words)),
            goal: &goal,
            stages: stages.as_ref(),
            kept: &|| board.tell_kept(),
        };
        let working = AtomicBool::new(true);
        // A trial trains while the disk takes the one before it: two workers share a slot, and whoever
        // trains has its seat.
        let seats: Vec<_> = pools.iter().zip(&self.allocation.slots).map(Seat::new).collect();
        // Workers are plain threads: one of rayon's would, while it waits for its trial, take up the
        // work of another worker, and leave that one idle.
        std::thread::scope(|scope| {
            if let (Some(limit), Some(hung)) = (self.experiment.run.time_limit, self.hung) {
                let (working, board) = (&working, &board);
                scope.spawn(move || {
                    while working.load(Ordering::Relaxed) {
                        std::thread::sleep(LOOK);
                        if board.fail_hung(limit) {
                            hung();
                        }
                    }
                });
            }
            if self.experiment.run.on_failure == OnFailure::Stop {
                let (working, halt) = (&working, &halt);
                scope.spawn(move || {
                    // Other processes of the run may meet a failure too. The file may be far away.
                    let looks = (0..).take_while(|_| working.load(Ordering::Relaxed));
                    for look in looks {
                        if look % 10 == 0 && self.store.is_stopped(self.run) {
                            halt.store(true, Ordering::Relaxed);
                        }
                        std::thread::sleep(LOOK);
                    }
                });
            }
            let (board, around) = (&board, &around);
            let workers: Vec<_> = seats
                .iter()
                .flat_map(|seat| [seat, seat])
                .map(|seat| {
                    scope.spawn(move || {
                        loop {
                            let seated = seat.take();
                            let Some(job) = board.take(callback) else { break };
                            let trouble = self.work(&job, seated, around, board, callback);
                            board.leave(job, trouble.err());
                        }
                    })
                })
                .collect();
            for worker in workers {
                if let Err(panic) = worker.join() {
                    working.store(false, Ordering::Relaxed);
                    std::panic::resume_unwind(panic);
                }
            }
            working.store(false, Ordering::Relaxed);
        });
        // What trials have taken and freed, nobody needs for the tables and the report.
        memory::give_back();
        match board.into_trouble() {
            None => Ok(()),
            Some(trouble) => Err(trouble.into()),
        }
    }

    /// Trials that do not even fit alone have failed.
    fn fail_too_large(&self, callback: &(dyn Fn(&SweepEvent) + Sync)) -> Result<(), StoreError> {
        let Some(memory) = self.memory else { return Ok(()) };
        for trial in &self.experiment.trials {
            let bytes = trial_bytes(&trial.plan, self.experiment.run.gradient_checkpointing);
            let known = Known::of(trial, self.store);
            if bytes <= memory || known.is_done() {
                continue;
            }
            let Some(_lock) = known.store.lock()? else { continue };
            let mb = |bytes: u64| bytes.div_ceil(1_000_000);
            let way_out = match trial_bytes(&trial.plan, true) <= memory {
                true => "; it fits with run.gradient-checkpointing = true",
                false => "",
            };
            let reason = format!(
                "needs about {} MB, but run.memory-limit leaves {} MB beside the images{way_out}",
                mb(bytes),
                mb(memory)
            );
            known.store.begin(&trial.plan)?;
            let outcome = trial::fail(trial, &known.store, reason)?;
            known.store.set_mark(Some(&Mark::Failed(self.run.to_owned())))?;
            callback(&SweepEvent::Ended(trial, &Ended::With(Box::new(outcome))));
        }
        Ok(())
    }

    fn work(
        &self,
        job: &Job,
        seated: Seated,
        around: &Surroundings,
        board: &Board,
        callback: &(dyn Fn(&SweepEvent) + Sync),
    ) -> Result<(), StoreError> {
        let trial = job.trial;
        let Seat { pool, slot, .. } = *seated.seat;
        callback(&SweepEvent::Started(trial, slot));
        let inside = |event: &Event| callback(&SweepEvent::In(trial, event));
        let ran = pool.install(|| trial::run(trial, job.until, slot, around, &inside))?;
        let is_completed =
            matches!(&ran, Ended::With(outcome) if outcome.status == Status::Completed);
        if is_completed {
            callback(&SweepEvent::Trained(trial));
            drop(seated);
        }
        let ended = trial::settle(trial, self.store, ran)?;
        let has_failed = board.ended(job, &ended)?;
        callback(&SweepEvent::Ended(trial, &ended));
        if has_failed && self.experiment.run.on_failure == OnFailure::Stop {
            around.halt.store(true, Ordering::Relaxed);
            self.store.stop(self.run)?;
        }
        Ok(())
    }
}

/// Where one trial at a time trains.
struct Seat<'a> {
    pool: &'a rayon::ThreadPool,
    slot: Slot,
    taken: Mutex<()>,
}

/// The right to train there.
struct Seated<'a> {
    seat: &'a Seat<'a>,
    _taken: MutexGuard<'a, ()>,
}

impl<'a> Seat<'a> {
    fn new((pool, slot): (&'a rayon::ThreadPool, &Slot)) -> Seat<'a> {
        Seat { pool, slot: *slot, taken: Mutex::new(()) }
    }

    /// Waits until nobody trains there.
    fn take(&'a self) -> Seated<'a> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        Seated { seat: self, _taken: taken }
    }
}
