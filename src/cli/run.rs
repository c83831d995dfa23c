//! `wick run`: train what is missing, keep the tables up to date, rank.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};

use crate::basis::record::Status;
use crate::config::presets;
use crate::config::tree::Node;
use crate::data::Cache;
use crate::plan::run::OnFailure;
use crate::plan::sweep::{Experiment, expand};
use crate::report::answers::Answers;
use crate::report::html;
use crate::report::layers::number;
use crate::report::progress::{Progress, View};
use crate::report::ranking::ranking;
use crate::report::{environment, tables};
use crate::sweep::advised;
use crate::sweep::clock::Stopwatch;
use crate::sweep::cost::{costs, within};
use crate::sweep::machine;
use crate::sweep::memory::needs;
use crate::sweep::runner::{Runner, SweepEvent};
use crate::sweep::slots::Share;
use crate::sweep::standing::standing;
use crate::sweep::store::{Mark, Store, csv_bytes, write_whole};
use crate::sweep::survey::Files;
use crate::sweep::trial;

use super::arguments::Run;
use super::check::{experiment, tell, width};
use super::exit::{Exit, print, say};
use super::supervise::{Voice, Watched, end_hung, interrupt, supervise, watched};

/// The tables are rebuilt at most this often while trials run, in seconds.
const REBUILD_EVERY: f64 = 2.0;

/// Runs the command.
pub(super) fn run(arguments: &Run) -> Result<Exit> {
    let Some(watched) = watched() else { return supervise() };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let images = Cache::new(cores);
    let (root, mut experiment, store) = match experiment(&arguments.written(), &images) {
        Ok(found) => found,
        Err(exit) => return Ok(exit),
    };
    store.prepare()?;
    let view = View::new(arguments.quiet, arguments.json);
    if view.is_for_people()
        && let Some(notice) = epochs_changed(&experiment, &store)
    {
        say(&notice);
    }
    let mut resolved = root.clone();
    presets::withdraw(&mut resolved);
    let resolved =
        toml::to_string(&resolved.to_toml()).context("failed to write the experiment as TOML")?;
    write_whole(&store.root().join("experiment.toml"), resolved.as_bytes())?;
    quiet_panics_of_trials();
    let watch = Stopwatch::start();
    let voice: Voice = Arc::new(Mutex::new(Box::new(|line| say(&format!("{line}\n")))));
    let interrupt = interrupt(voice.clone())?;
    let mut work = Work {
        arguments,
        view,
        cores,
        images: &images,
        store: &store,
        watched,
        interrupt,
        has_run: false,
    };
    let mut progress: Option<Progress> = None;
    loop {
        // Bars are drawn once there is something to run.
        let make = |done: usize| {
            let progress = Progress::new(view, &experiment, done);
            *voice.lock().unwrap_or_else(PoisonError::into_inner) = progress.voice();
            progress
        };
        if let Some(exit) = work.round(&experiment, &mut progress, make)? {
            return Ok(exit);
        }
        if experiment.unsuggested == 0 || !work.is_settled(&experiment) {
            break;
        }
        // What the search suggests next follows from what the trials have come to.
        match expand(&root, &Files::new(&images, &arguments.written.results), &store) {
            Ok(further) if further.trials.len() > experiment.trials.len() => {
                if let Some(progress) = &progress {
                    progress.extend(&further);
                }
                experiment = further;
            }
            Ok(_) => break,
            Err(problems) => return Ok(tell(problems)),
        }
    }
    if let Some(progress) = progress {
        progress.finish();
    }
    work.advise(&root, &experiment)?;
    work.conclude(&experiment, watch)
}

/// The work of one process.
struct Work<'a> {
    arguments: &'a Run,
    view: View,
    cores: usize,
    images: &'a Cache,
    store: &'a Store,
    watched: Watched,
    interrupt: Arc<AtomicBool>,
    /// Whether there was anything to run.
    has_run: bool,
}

impl Work<'_> {
    /// Runs all trials that are known; the exit code, if nothing can be run.
    fn round(
        &mut self,
        experiment: &Experiment,
        progress: &mut Option<Progress>,
        make: impl FnOnce(usize) -> Progress,
    ) -> Result<Option<Exit>> {
        let Run { workers, threads, augment_memory, .. } = self.arguments;
        let (workers, threads) = (workers.map(usize::from), threads.map(usize::from));
        let before = standing(experiment, self.store);
        let is_missing = |index: &usize| !before.known[*index].is_done();
        let missing: Vec<usize> = (0..before.known.len()).filter(is_missing).collect();
        let share = Share::new(self.cores, missing.len(), &experiment.run, workers, threads);
        let memory = match self.memory(experiment, augment_memory << 20) {
            Ok(memory) => memory,
            Err(exit) => return Ok(Some(exit)),
        };
        let order = match experiment.run.budget {
            None => None,
            Some(budget) => {
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
        environment::write(self.store, &share, self.cores)?;
        let total = experiment.trials.len();
        let is_first = progress.is_none();
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
        // Until something has run, the tables say that nothing has.
        tables::write(experiment, self.store, &before)?;
        let suspects = self.suspects(experiment)?;
        let progress = progress.get_or_insert_with(|| make(total - missing.len()));
        if missing.is_empty() {
            return Ok(None);
        }
        self.has_run = true;
        let rebuilt = Mutex::new(Stopwatch::start());
        let watch = |event: &SweepEvent| {
            progress.notice(event);
            if matches!(event, SweepEvent::Ended(..)) {
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
            interrupt: &self.interrupt,
            run: &self.watched.run,
            hung: Some(&end_hung),
        };
        let mut ran = Ok(());
        if !suspects.is_empty() {
            // Should the process die again, it is known over which trial.
            ran = runner(Some(suspects), share.alone()).run(&watch);
        }
        let ran = ran.and_then(|()| runner(order, share).run(&watch));
        tables::write(experiment, self.store, &standing(experiment, self.store))?;
        ran?;
        Ok(None)
    }

    /// The bytes that trials may take; none: no limit. An exit code, if no trial fits.
    fn memory(&self, experiment: &Experiment, augment_memory: usize) -> Result<Option<u64>, Exit> {
        let Some(limit) = machine::bytes(experiment.run.memory_limit) else { return Ok(None) };
        let needs = needs(experiment, self.images, augment_memory);
        match needs.left_of(limit) {
            Some(left) => Ok(Some(left)),
            None => {
                let mb = |bytes: u64| number(bytes.div_ceil(1_000_000));
                say(&format!(
                    "error: no trial fits into {} MB: the images take about {} MB, the smallest trial {} MB\n  \
                     = help: a smaller data.batch-size or data.image.size, or a larger run.memory-limit\n",
                    mb(limit),
                    mb(needs.images),
                    mb(needs.least),
                ));
                Err(Exit::Wrong)
            }
        }
    }

    /// After the process before this one has died: the trials over which it may have been. If there
    /// is only one, it has failed.
    fn suspects(&mut self, experiment: &Experiment) -> Result<Vec<usize>> {
        let Some(death) = self.watched.death.take() else { return Ok(Vec::new()) };
        let mark = Some(Mark::Works(self.watched.run.clone()));
        let is_suspect = |index: &usize| {
            let store = self.store.trial(&experiment.trials[*index]);
            store.mark() == mark && !store.is_locked()
        };
        let suspects: Vec<usize> = (0..experiment.trials.len()).filter(is_suspect).collect();
        for index in &suspects {
            let trial = &experiment.trials[*index];
            let store = self.store.trial(trial);
            if let [_] = suspects[..] {
                trial::fail(trial, &store, format!("its process died of {death}"))?;
                store.set_mark(Some(&Mark::Failed(self.watched.run.clone())))?;
                return Ok(Vec::new());
            }
            store.set_mark(None)?;
        }
        if suspects.is_empty() {
            bail!("the working process died of {death} with no trial at work");
        }
        Ok(suspects)
    }

    /// Whether all trials have ended, and the sweep is to go on.
    fn is_settled(&self, experiment: &Experiment) -> bool {
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
    fn advise(&self, root: &Node, experiment: &Experiment) -> Result<()> {
        let path = self.store.root().join(advised::FILE);
        let is_stopped = self.interrupt.load(Ordering::Relaxed);
        if !is_stopped && (self.has_run || !path.exists()) {
            let rows = advised::advised(root, experiment, self.images);
            if !rows.is_empty() {
                write_whole(&path, &csv_bytes(rows)?)?;
            }
        }
        Ok(())
    }

    /// The page of answers.
    fn report(&self) -> Result<()> {
        let root = self.store.root();
        html::write(&Answers::read(root, None)?, self.images, &root.join(html::FILE))?;
        Ok(())
    }

    /// The ranking, and what is worth a word.
    fn conclude(&self, experiment: &Experiment, watch: Stopwatch) -> Result<Exit> {
        // Standard output is for the ranking, or for events.
        let print = |text: &str| {
            if self.view != View::Json {
                print(text);
            }
        };
        let known = standing(experiment, self.store).known;
        print(&ranking(experiment, &known, width()));
        for (path, images) in self.store.images() {
            let path = path.display();
            if !images.skipped.is_empty() {
                let count = images.skipped.len();
                print(&format!(
                    "{count} images could not be decoded and were left out: see {path}\n"
                ));
            }
            if images.set_aside > 0 {
                let count = images.set_aside;
                print(&format!(
                    "{count} test images of the source were left out for data.test: see {path}\n"
                ));
            }
        }
        let root = self.store.root().display();
        match self.report() {
            Ok(()) => {
                self.tell(
                    true,
                    &format!("{:.1} s; results in {root}, with {}\n", watch.seconds(), html::FILE),
                );
            }
            // The results are there all the same.
            Err(error) => say(&format!("failed to make the report: {error:#}\n")),
        }
        let count = |status| known.iter().filter(|known| known.status() == status).count();
        let (unfinished, failed) = (count(Status::Unfinished), count(Status::Failed));
        if unfinished > 0 && self.interrupt.load(Ordering::Relaxed) {
            say(&format!(
                "interrupted with {unfinished} trials to go: run the command again to resume\n"
            ));
            return Ok(Exit::Interrupted);
        }
        if unfinished > 0 {
            say(&format!("{unfinished} trials are not finished: run the command again for them\n"));
        }
        if failed > 0 {
            say(&format!("{failed} trials failed: the reasons are in {root}/trials.csv\n"));
            return Ok(Exit::Failed);
        }
        Ok(Exit::Done)
    }
}

/// A word on trials that cannot go on for longer because their schedule depends on all epochs.
fn epochs_changed(experiment: &Experiment, store: &Store) -> Option<String> {
    let text = std::fs::read_to_string(store.root().join("experiment.toml")).ok()?;
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
