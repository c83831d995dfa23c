//! `wick run`: train what is missing, keep the tables up to date, rank.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;

use crate::basis::record::Status;
use crate::config::presets;
use crate::config::tree::Node;
use crate::data::Cache;
use crate::plan::run::OnFailure;
use crate::plan::sweep::{Experiment, expand};
use crate::report::layers::number;
use crate::report::progress::{Progress, View};
use crate::results::layout::EXPERIMENT;
use crate::results::table::csv_bytes;
use crate::sweep::clock::Stopwatch;
use crate::sweep::cost::{costs, within};
use crate::sweep::machine;
use crate::sweep::memory::needs;
use crate::sweep::runner::{Runner, SweepEvent};
use crate::sweep::slots::Share;
use crate::sweep::standing::standing;
use crate::sweep::store::{Mark, Store, write_whole};
use crate::sweep::survey::Files;
use crate::sweep::{advised, environment, tables, trial};

use super::arguments::{Effort, Launcher, Run};
use super::check::experiment;
use super::conclude::Conclusion;
use super::error::{Error, Result};
use super::exit::say;
use super::launch::launch;
use super::shared::freeze;
use super::supervise::{Voice, Watched, end_hung, interrupt, supervise, watched};

/// The tables are rebuilt at most this often while trials run, in seconds.
const REBUILD_EVERY: f64 = 2.0;

/// Runs the command.
pub(super) fn run(arguments: &Run) -> Result {
    if let Some(option) = arguments.launch.misplaced() {
        let option = option.trim_start_matches('-');
        return Err(Error::wrong(format!("--{option} is for --launcher slurm")));
    }
    if arguments.launch.launcher != Launcher::Local {
        return launch(arguments);
    }
    let Some(watched) = watched() else { return supervise(0) };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let images = Cache::new(cores);
    let (root, mut experiment, store) = experiment(&arguments.written(), &images)?;
    store.prepare()?;
    let view = View::new(arguments.quiet, arguments.json);
    if view.is_for_people()
        && let Some(notice) = epochs_changed(&experiment, &store)
    {
        say(&notice);
    }
    write_experiment(&root, &store)?;
    freeze(&arguments.written(), &store, &watched.watch)?;
    let watch = Stopwatch::start();
    let run = watched.watch.clone();
    let mut work = Work {
        effort: arguments.effort,
        scope: Scope::Sweep,
        view,
        cores,
        images: &images,
        store: &store,
        run: &run,
        watched,
        voice: Arc::new(Mutex::new(Box::new(|line| say(&format!("{line}\n"))))),
        interrupt: Arc::default(),
        has_run: false,
    };
    work.listen()?;
    work.rounds(&root, &mut experiment)?;
    work.advise(&root, &experiment)?;
    let is_stopped = work.interrupt.load(Ordering::Relaxed);
    Conclusion { images: &images, store: &store, view, is_stopped }.tell(&experiment, watch)
}

/// The experiment with all layers merged, for people.
pub(super) fn write_experiment(root: &Node, store: &Store) -> Result {
    let mut resolved = root.clone();
    presets::withdraw(&mut resolved);
    let resolved =
        toml::to_string(&resolved.to_toml()).context("failed to write the experiment as TOML")?;
    write_whole(&store.root().join(EXPERIMENT), resolved.as_bytes())?;
    Ok(())
}

/// For a sweep over cases of transfer, what would have been advised.
pub(super) fn write_advice(
    root: &Node,
    experiment: &Experiment,
    images: &Cache,
    store: &Store,
) -> Result {
    let rows = advised::advised(root, experiment, images);
    if !rows.is_empty() {
        write_whole(&store.root().join(advised::FILE), &csv_bytes(rows)?)?;
    }
    Ok(())
}

/// Which part of a sweep a process works on.
pub(super) enum Scope {
    /// All of it, with the tables.
    Sweep,
    /// All of it, beside other workers.
    Shared,
    /// The trials with these indices, beside other tasks.
    Trials(BTreeSet<usize>),
}

impl Scope {
    fn has(&self, index: usize) -> bool {
        match self {
            Scope::Trials(indices) => indices.contains(&index),
            Scope::Sweep | Scope::Shared => true,
        }
    }
}

/// The work of one process.
pub(super) struct Work<'a> {
    pub(super) effort: Effort,
    pub(super) scope: Scope,
    pub(super) view: View,
    pub(super) cores: usize,
    pub(super) images: &'a Cache,
    pub(super) store: &'a Store,
    /// The name of the run, for which other processes may work too.
    pub(super) run: &'a str,
    pub(super) watched: Watched,
    /// Puts lines where they do not spoil the progress.
    pub(super) voice: Voice,
    /// Set when everything shall stop.
    pub(super) interrupt: Arc<AtomicBool>,
    /// Whether there was anything to run.
    pub(super) has_run: bool,
}

impl Work<'_> {
    /// From now on whoever watches can ask the process to stop.
    pub(super) fn listen(&mut self) -> Result {
        quiet_panics_of_trials();
        self.interrupt = interrupt(self.voice.clone())?;
        Ok(())
    }

    /// Runs all trials, and those that a search makes of them.
    pub(super) fn rounds(&mut self, root: &Node, experiment: &mut Experiment) -> Result {
        let mut progress: Option<Progress> = None;
        loop {
            // Bars are drawn once there is something to run.
            let (view, voice) = (self.view, self.voice.clone());
            let make = |done: usize| {
                let progress = Progress::new(view, experiment, done);
                *voice.lock().unwrap_or_else(PoisonError::into_inner) = progress.voice();
                progress
            };
            self.round(experiment, &mut progress, make)?;
            let is_part = matches!(self.scope, Scope::Trials(_));
            if is_part || experiment.unsuggested == 0 || !self.is_settled(experiment) {
                break;
            }
            // What the search suggests next follows from what the trials have come to.
            let results = self.store.root().parent().unwrap_or(Path::new(""));
            let further = expand(root, &Files::new(self.images, results), self.store)?;
            if further.trials.len() <= experiment.trials.len() {
                break;
            }
            if let Some(progress) = &progress {
                progress.extend(&further);
            }
            *experiment = further;
        }
        if let Some(progress) = progress {
            progress.finish();
        }
        Ok(())
    }

    /// Runs all trials that are known.
    fn round(
        &mut self,
        experiment: &Experiment,
        progress: &mut Option<Progress>,
        make: impl FnOnce(usize) -> Progress,
    ) -> Result {
        let Effort { workers, threads, augment_memory } = self.effort;
        let (workers, threads) = (workers.map(usize::from), threads.map(usize::from));
        let before = standing(experiment, self.store);
        let is_missing = |index: &usize| self.scope.has(*index) && !before.known[*index].is_done();
        let missing: Vec<usize> = (0..before.known.len()).filter(is_missing).collect();
        let share = Share::new(self.cores, missing.len(), &experiment.run, workers, threads);
        let memory = self.memory(experiment, augment_memory << 20)?;
        let order = match (&self.scope, experiment.run.budget) {
            (Scope::Trials(_), _) => Some(missing.clone()),
            (_, None) => None,
            (_, Some(budget)) => {
                let costs = costs(experiment, self.store, self.images, share.threads);
                let order = within(budget, share.workers(), &missing, &costs);
                if order.len() < missing.len() {
                    let (fit, all) = (order.len(), missing.len());
                    self.tell(
                        true,
                        &format!("{fit} of {all} trials fit the budget, by estimate\n"),
                    );
                }
                Some(order)
            }
        };
        let keeps_tables = matches!(self.scope, Scope::Sweep);
        let total = experiment.trials.len();
        let is_part = matches!(self.scope, Scope::Trials(_));
        let is_first = progress.is_none() && !is_part;
        self.tell(
            is_first,
            &format!(
                "{}: {total} trials, {} done, {} to run, {}\n",
                experiment.name,
                total - missing.len(),
                missing.len(),
                share.words()
            ),
        );
        if keeps_tables {
            environment::write(self.store, &share, self.cores)?;
            // Until something has run, the tables say that nothing has.
            tables::write(experiment, self.store, &before)?;
        }
        let suspects = self.suspects(experiment)?;
        let progress = progress.get_or_insert_with(|| make(total - missing.len()));
        if missing.is_empty() {
            return Ok(());
        }
        self.has_run = true;
        let rebuilt = Mutex::new(Stopwatch::start());
        let watch = |event: &SweepEvent| {
            progress.notice(event);
            if keeps_tables && matches!(event, SweepEvent::Ended(..)) {
                rebuild_now_and_then(experiment, self.store, &rebuilt);
            }
        };
        let runner = |order, share| Runner {
            experiment,
            order,
            store: self.store,
            share,
            images: self.images,
            augment_memory: augment_memory << 20,
            memory,
            waits_for_others: matches!(self.scope, Scope::Trials(_)),
            interrupt: &self.interrupt,
            run: self.run,
            watch: &self.watched.watch,
            hung: Some(&end_hung),
        };
        let mut ran = Ok(());
        if !suspects.is_empty() {
            // Should the process die again, it is known over which trial.
            ran = runner(Some(suspects), share.alone()).run(&watch);
        }
        let ran = ran.and_then(|()| runner(order, share).run(&watch));
        if keeps_tables {
            tables::write(experiment, self.store, &standing(experiment, self.store))?;
        }
        ran?;
        Ok(())
    }

    /// The bytes that trials may take; none: no limit. An error, if no trial fits.
    fn memory(&self, experiment: &Experiment, augment_memory: usize) -> Result<Option<u64>> {
        let Some(limit) = machine::bytes(experiment.run.memory_limit) else { return Ok(None) };
        let needs = needs(experiment, self.images, augment_memory);
        let mb = |bytes: u64| number(bytes.div_ceil(1_000_000));
        let left = needs.left_of(limit).ok_or_else(|| {
            Error::wrong(format!(
                "no trial fits into {} MB: the images take about {} MB, the smallest trial {} MB\n  \
                 = help: a smaller data.batch-size or data.image.size, or a larger run.memory-limit",
                mb(limit),
                mb(needs.images),
                mb(needs.least),
            ))
        })?;
        Ok(Some(left))
    }

    /// After the process before this one has died: the trials over which it may have been. If there
    /// is only one, it has failed.
    fn suspects(&mut self, experiment: &Experiment) -> Result<Vec<usize>> {
        let Some(death) = self.watched.death.take() else { return Ok(Vec::new()) };
        let mark = Some(Mark::Works(self.watched.watch.clone()));
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
            let message = format!("the working process died of {death} with no trial at work");
            return Err(Error::trouble(message));
        }
        Ok(suspects.into_iter().map(|(index, ..)| index).collect())
    }

    /// Whether all trials have ended, and the sweep is to go on.
    pub(super) fn is_settled(&self, experiment: &Experiment) -> bool {
        let known = standing(experiment, self.store).known;
        let has_failed = || known.iter().any(|known| known.status() == Status::Failed);
        !self.interrupt.load(Ordering::Relaxed)
            && known.iter().all(|known| known.status() != Status::Unfinished)
            && !(experiment.run.on_failure == OnFailure::Stop && has_failed())
    }

    /// Tells people, if any watch, what happens around the trials.
    fn tell(&self, is_news: bool, text: &str) {
        if is_news && self.view.is_for_people() {
            say(text);
        }
    }

    /// For a sweep over cases of transfer, what would have been advised.
    fn advise(&self, root: &Node, experiment: &Experiment) -> Result {
        let is_known = self.store.root().join(advised::FILE).exists();
        let is_stopped = self.interrupt.load(Ordering::Relaxed);
        if !is_stopped && (self.has_run || !is_known) {
            write_advice(root, experiment, self.images, self.store)?;
        }
        Ok(())
    }
}

/// A word on trials that cannot go on for longer because their schedule depends on all epochs.
pub(super) fn epochs_changed(experiment: &Experiment, store: &Store) -> Option<String> {
    let text = std::fs::read_to_string(store.root().join(EXPERIMENT)).ok()?;
    let before: toml::Table = toml::from_str(&text).ok()?;
    let before = before.get("train")?.get("epochs")?.as_integer()?;
    let train = &experiment.trials.first()?.plan.train;
    let changed = train.schedule.depends_on_epochs() && before != train.epochs as i64;
    changed.then(|| {
        format!(
            "train.epochs was {before} and is {}: the schedule depends on it from the first step, so \
             trials start again\n",
            train.epochs
        )
    })
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

/// A panic in a trial is an outcome with its reason, not a message in the middle of the bars.
fn quiet_panics_of_trials() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        let is_of_trial = |name: &str| name.starts_with("trial-") || name.starts_with("batches-");
        if !thread.name().is_some_and(is_of_trial) {
            usual(panic);
        }
    }));
}
