//! The work of one process on a sweep: what is missing is run, and, with a search, what it suggests next.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::basis::number::count;
use crate::basis::record::Status;
use crate::data::Cache;
use crate::document::Node;
use crate::plan::run::OnFailure;
use crate::plan::sweep::Experiment;

use super::clock::Stopwatch;
use super::cost::{costs, span, within};
use super::memory::{limit_in_bytes, needs};
use super::runner::{Runner, SweepError, SweepEvent};
use super::slots::Allocation;
use super::standing::{Standing, standing};
use super::store::{Mark, Store};
use super::survey::expand_in;
use super::{environment, tables, trial};

/// The tables are rebuilt at most this often while trials run, in seconds.
const REBUILD_EVERY: f64 = 2.0;

/// Which part of a sweep a process works on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of it, with the tables.
    Sweep,
    /// All of it, beside other workers.
    Shared,
    /// The trials with these indices, beside other tasks.
    Trials(BTreeSet<usize>),
}

/// Who is told what happens.
pub trait Audience: Sync {
    /// The trials of `experiment` are about to be run that are not `done`, even if there are none; `words` say
    /// what there is to know.
    fn begins(&self, experiment: &Experiment, done: usize, words: &str);

    /// Something happens in a trial.
    fn notice(&self, event: &SweepEvent);

    /// A search has suggested further trials, which are in `experiment` now.
    fn extends(&self, experiment: &Experiment);
}

/// The work of one process.
pub struct Work<'a> {
    /// What it works on.
    pub scope: Scope,
    /// Trials at once; none: as many as there is room for.
    pub workers: Option<usize>,
    /// Threads of a trial; none: the cores that are left over.
    pub threads: Option<usize>,
    /// Bytes for augmented images that trials share.
    pub augment_memory: usize,
    /// Cores to use.
    pub cores: usize,
    /// Decoded images, shared by all trials.
    pub images: &'a Cache,
    /// Where results are.
    pub store: &'a Store,
    /// The name of the run, for which other processes may work too.
    pub run: &'a str,
    /// The name of the process that supervises this one.
    pub supervisor: &'a str,
    /// How the process before this one died, if it did.
    pub death: Option<String>,
    /// Set when everything shall stop.
    pub interrupt: &'a AtomicBool,
    /// Ends the process when a trial hangs.
    pub hung: &'a (dyn Fn() + Sync),
    /// Who is told what happens.
    pub audience: &'a dyn Audience,
}

impl Work<'_> {
    /// Runs all trials, and those that a search makes of them: whether there was anything to run.
    pub fn run(&mut self, root: &Node, experiment: &mut Experiment) -> Result<bool, SweepError> {
        let (mut is_first, mut has_run) = (true, false);
        loop {
            has_run |= self.round(experiment, is_first)?;
            is_first = false;
            if self.is_part() || experiment.unsuggested == 0 || !self.is_settled(experiment) {
                return Ok(has_run);
            }
            // What the search suggests next follows from what the trials have come to.
            let further = expand_in(self.store, root, self.images).map_err(SweepError::Problems)?;
            if further.trials.len() <= experiment.trials.len() {
                *experiment = further;
                return Ok(has_run);
            }
            self.audience.extends(&further);
            *experiment = further;
        }
    }

    fn is_part(&self) -> bool {
        matches!(self.scope, Scope::Trials(_))
    }

    /// Runs all trials that are known: whether there are any to run.
    fn round(&mut self, experiment: &Experiment, is_first: bool) -> Result<bool, SweepError> {
        let mut before = standing(experiment, self.store);
        if self.forgets_bare(&before)? {
            before = standing(experiment, self.store);
        }
        let is_missing = |index: &usize| match &self.scope {
            Scope::Trials(indices) if !indices.contains(index) => false,
            _ => !before.known[*index].is_done(),
        };
        let missing: Vec<usize> = (0..before.known.len()).filter(is_missing).collect();
        let allocation =
            Allocation::new(self.cores, missing.len(), &experiment.run, self.workers, self.threads);
        let memory = self.memory(experiment)?;
        let (all, total, mut words) = (missing.len(), experiment.trials.len(), String::new());
        let order = match experiment.run.budget {
            _ if self.is_part() => Some(missing),
            None => None,
            Some(budget) => {
                let costs = costs(experiment, self.store, self.images, allocation.threads);
                let order = within(budget, allocation.workers(), &missing, &costs);
                if order.len() < all {
                    let fit = order.len();
                    let _ = write!(words, "{fit} of {all} trials fit the budget, by estimate");
                    let cheapest = missing.iter().map(|index| costs[*index].to_go);
                    match cheapest.reduce(f64::min).filter(|_| fit == 0) {
                        Some(seconds) => {
                            let _ = writeln!(words, ": the cheapest takes about {}", span(seconds));
                        }
                        None => words.push('\n'),
                    }
                }
                Some(order)
            }
        };
        let done = total - all;
        if is_first && !self.is_part() {
            let (name, how) = (&experiment.name, allocation.words());
            let trials = count(total, "trial");
            let _ = writeln!(words, "{name}: {trials}, {done} done, {all} to run, {how}");
        }
        self.audience.begins(experiment, done, &words);
        let keeps_tables = self.scope == Scope::Sweep;
        if keeps_tables {
            environment::write(self.store, &allocation, self.cores)?;
            // Until something has run, the tables say that nothing has.
            tables::write(experiment, self.store, &before)?;
        }
        let suspects = self.suspects(experiment)?;
        if all == 0 {
            return Ok(false);
        }
        let rebuilt = Mutex::new(Stopwatch::start());
        let callback = |event: &SweepEvent| {
            self.audience.notice(event);
            if keeps_tables && matches!(event, SweepEvent::Ended(..)) {
                rebuild_now_and_then(experiment, self.store, &rebuilt);
            }
        };
        let runner = |order, allocation| Runner {
            experiment,
            order,
            store: self.store,
            allocation,
            images: self.images,
            augment_memory: self.augment_memory,
            memory,
            waits_for_others: self.is_part(),
            interrupt: self.interrupt,
            run: self.run,
            supervisor: self.supervisor,
            hung: Some(self.hung),
        };
        let mut ran = Ok(());
        if !suspects.is_empty() {
            // Should the process die again, it is known over which trial.
            ran = runner(Some(suspects), allocation.alone()).run(&callback);
        }
        let ran = ran.and_then(|()| runner(order, allocation).run(&callback));
        if keeps_tables {
            tables::write(experiment, self.store, &standing(experiment, self.store))?;
        }
        ran?;
        Ok(true)
    }

    /// The bytes that trials may take; none: no limit.
    fn memory(&self, experiment: &Experiment) -> Result<Option<u64>, SweepError> {
        let Some(limit) = limit_in_bytes(experiment.run.memory_limit) else { return Ok(None) };
        let needs = needs(experiment, self.images, self.augment_memory);
        needs.left_of(limit).map(Some).ok_or(SweepError::TooLarge(limit, needs))
    }

    /// After the process before this one has died: the trials over which it may have been. If there
    /// is only one, it has failed.
    fn suspects(&mut self, experiment: &Experiment) -> Result<Vec<usize>, SweepError> {
        let Some(death) = self.death.take() else { return Ok(Vec::new()) };
        let mark = Some(Mark::Works(self.supervisor.to_owned()));
        let mut suspects = Vec::new();
        for (index, trial) in experiment.trials.iter().enumerate() {
            let store = self.store.trial(trial);
            if store.mark() == mark
                && let Some(lock) = store.lock()?
            {
                suspects.push((index, store, lock));
            }
        }
        if let [(index, store, _)] = &suspects[..] {
            let reason = format!("its process died of {death}");
            trial::fail(&experiment.trials[*index], store, reason)?;
            store.set_mark(Some(&Mark::Failed(self.run.to_owned())))?;
            return Ok(Vec::new());
        }
        for (_, store, _) in &suspects {
            store.set_mark(None)?;
        }
        if suspects.is_empty() {
            return Err(SweepError::Died(death));
        }
        Ok(suspects.into_iter().map(|(index, ..)| index).collect())
    }

    /// Where the power failed, the disk may have taken the rows of a trial without its plan or its weights. Such a trial
    /// starts again, so that one that pruning stops at these rows is whole, too. Whether there was one.
    fn forgets_bare(&self, standing: &Standing) -> Result<bool, SweepError> {
        let mut is_any = false;
        for known in &standing.known {
            let has_ended = matches!(known.status(), Status::Completed | Status::Failed);
            if has_ended || known.records.is_empty() || known.store.is_begun() {
                continue;
            }
            // Who trains it now has not written these yet.
            if let Some(_lock) = known.store.lock()? {
                known.store.forget()?;
                is_any = true;
            }
        }
        Ok(is_any)
    }

    /// Whether all trials have ended, and the sweep is to go on.
    fn is_settled(&self, experiment: &Experiment) -> bool {
        let standing = standing(experiment, self.store);
        let stops = experiment.run.on_failure == OnFailure::Stop;
        !self.interrupt.load(Ordering::Relaxed)
            && standing.count(Status::Unfinished) == 0
            && !(stops && standing.count(Status::Failed) > 0)
    }
}

/// Rows become visible while a long run goes on; the last rebuild is the one that counts.
fn rebuild_now_and_then(experiment: &Experiment, store: &Store, rebuilt: &Mutex<Stopwatch>) {
    let Ok(mut rebuilt) = rebuilt.try_lock() else { return };
    if rebuilt.seconds() > REBUILD_EVERY {
        // A disk that is full now may have room at the end, where trouble is told.
        let _ = tables::write(experiment, store, &standing(experiment, store));
        *rebuilt = Stopwatch::start();
    }
}
