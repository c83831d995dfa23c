//! A working process: it runs trials, shows how they get on, and can be asked to stop.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::data::{Cache, News};
use crate::document::Node;
use crate::plan::sweep::Experiment;
use crate::progress::{Progress, View};
use crate::sweep::runner::{SweepError, SweepEvent};
use crate::sweep::store::Store;
use crate::sweep::work::{Audience, Scope, Work};

use super::arguments::Effort;
use super::error::{Error, Result};
use super::output::{print_data, say};
use super::supervise::{Supervised, Voice, end_hung, interrupt};

/// What a process works on, and how.
pub(super) struct Task<'a> {
    pub(super) scope: Scope,
    pub(super) effort: Effort,
    pub(super) view: View,
    pub(super) cores: usize,
    pub(super) images: &'a Cache,
    pub(super) store: &'a Store,
    /// The name of the run, for which other processes may work too.
    pub(super) run: &'a str,
    pub(super) supervised: Supervised,
}

impl Task<'_> {
    /// Works until there is nothing left, or it is asked to stop: whether there was anything to run, and whether
    /// it was asked. `experiment` grows where a search does.
    pub(super) fn work(self, root: &Node, experiment: &mut Experiment) -> Result<(bool, bool)> {
        quiet_panics_of_trials();
        let voice: Voice = Arc::new(Mutex::new(Box::new(|line| say(&format!("{line}\n")))));
        let interrupt = interrupt(voice.clone())?;
        let (is_for_people, of_images) = (self.view.is_for_people(), voice.clone());
        self.images.listen(Box::new(move |news| {
            let voice = of_images.lock().unwrap_or_else(PoisonError::into_inner);
            match news {
                News::Warning(line) => voice(&format!("warning: {line}")),
                News::Progress(line) if is_for_people => voice(line),
                News::Progress(_) => {}
            }
        }));
        let shown = Shown {
            view: self.view,
            supervised: &self.supervised,
            voice,
            progress: OnceLock::new(),
        };
        let Effort { workers, threads, augment_memory } = self.effort;
        let mut work = Work {
            scope: self.scope,
            workers: workers.map(usize::from),
            threads: threads.map(usize::from),
            augment_memory: augment_memory << 20,
            cores: self.cores,
            images: self.images,
            store: self.store,
            run: self.run,
            supervisor: &self.supervised.supervisor,
            death: self.supervised.death.clone(),
            interrupt: &interrupt,
            hung: &end_hung,
            audience: &shown,
        };
        let has_run = work.run(root, experiment).map_err(told)?;
        if let Some(progress) = shown.progress.into_inner() {
            progress.finish();
        }
        Ok((has_run, interrupt.load(Ordering::Relaxed)))
    }
}

/// Shows what happens in a sweep.
struct Shown<'a> {
    view: View,
    supervised: &'a Supervised,
    /// Puts lines where they do not spoil the progress.
    voice: Voice,
    /// From the first round on.
    progress: OnceLock<Progress>,
}

impl Audience for Shown<'_> {
    fn begins(&self, experiment: &Experiment, done: usize, words: &str) {
        if self.view.is_for_people() {
            say(words);
        }
        self.progress.get_or_init(|| {
            let progress = Progress::new(self.view, print_data, experiment, done);
            *self.voice.lock().unwrap_or_else(PoisonError::into_inner) = progress.voice();
            progress
        });
    }

    fn notice(&self, event: &SweepEvent) {
        if let SweepEvent::Started(..) = event {
            self.supervised.has_come_to_trials();
        }
        self.progress.get().into_iter().for_each(|progress| progress.notice(event));
    }

    fn extends(&self, experiment: &Experiment) {
        self.progress.get().into_iter().for_each(|progress| progress.extend(experiment));
    }
}

/// Why a process cannot do its work.
fn told(error: SweepError) -> Error {
    match error {
        SweepError::Problems(problems) => problems.into(),
        error @ SweepError::TooLarge(..) => Error::wrong(error),
        error => error.into(),
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
