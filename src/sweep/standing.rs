//! How the trials of an experiment stand: what the store knows of each, and what pruning makes of it.
//!
//! Everything follows from the trials' own records, so it is the same whoever asks, and whenever.

use rayon::prelude::*;

use crate::basis::record::{EpochRecord, Outcome, Status};
use crate::plan::prune::{Decision, History, Progress, Verdict, judge};
use crate::plan::sweep::{Experiment, Trial};
use crate::train::stopping::{best_epoch, early_stop};

use super::store::{Mark, Store, StoreError, TrialStore, is_final};

/// A trial with everything that is known of it.
pub struct Known<'a> {
    /// What it is.
    pub trial: &'a Trial,
    /// Its finished epochs: as many as the plan has at most, and none behind the one at which it was
    /// pruned.
    pub records: Vec<EpochRecord>,
    /// How it ended; none if it has not.
    pub outcome: Option<Outcome>,
    /// Where it is stored.
    pub store: TrialStore,
    /// Why it is not known what became of it: its files are there and cannot be read.
    pub unreadable: Option<StoreError>,
}

impl<'a> Known<'a> {
    /// What `store` knows of `trial`, without what pruning makes of it.
    pub fn of(trial: &'a Trial, store: &Store) -> Known<'a> {
        let epochs = trial.plan.train.epochs;
        let (store, found) = store.locate(trial);
        let found = found.and_then(|records| Ok((store.try_outcome_of(&records)?, records)));
        let (outcome, mut records, unreadable) = match found {
            Ok((outcome, records)) => (outcome, records, None),
            Err(error) => (None, Vec::new(), Some(error)),
        };
        // An outcome of fewer epochs than are asked for is no outcome yet.
        let mut outcome =
            outcome.filter(|outcome| outcome.status == Status::Failed || is_final(outcome, epochs));
        records.truncate(epochs);
        if let Some(outcome) = outcome.as_mut().filter(|it| it.status == Status::Completed) {
            // The folder may hold a longer trial that stopped early after these epochs.
            let rule = trial.plan.train.early_stop.as_ref();
            outcome.reason = early_stop(&records, rule).unwrap_or_default();
        }
        Known { trial, records, outcome, store, unreadable }
    }

    /// That nothing is known of a trial without a folder.
    fn nothing(trial: &'a Trial, store: &Store) -> Known<'a> {
        let store = store.folder_of(&trial.digest);
        Known { trial, records: Vec::new(), outcome: None, store, unreadable: None }
    }

    /// How it ended, or that it did not.
    pub fn status(&self) -> Status {
        self.outcome.as_ref().map_or(Status::Unfinished, |outcome| outcome.status)
    }

    /// Whether nothing is left to do for it.
    pub fn is_done(&self) -> bool {
        matches!(self.status(), Status::Completed | Status::Pruned)
    }

    /// What a pruning rule wants to know.
    pub fn progress(&self) -> Progress {
        let ended = self.outcome.as_ref().map(|outcome| outcome.status);
        Progress { records: self.records.clone(), ended }
    }

    /// Ends the trial at `epoch`, whatever it came to afterwards.
    fn prune(&mut self, epoch: usize, reason: String) {
        self.records.truncate(epoch);
        let best = best_epoch(&self.records, self.trial.plan.train.best);
        let best = best.and_then(|index| self.records.get(index));
        self.outcome = Some(Outcome {
            status: Status::Pruned,
            reason,
            epochs: self.trial.plan.train.epochs,
            best_epoch: best.map_or(0, |record| record.epoch),
            train: best.map(|record| record.train),
            validation: best.and_then(|record| record.validation),
            test: None,
        });
    }
}

/// All trials of an experiment, and the decisions about them.
pub struct Standing<'a> {
    /// The trials in plan order.
    pub known: Vec<Known<'a>>,
    /// What pruning decided, in the order of rungs and trials.
    pub decisions: Vec<Decision>,
}

impl Standing<'_> {
    /// How many trials have this status.
    pub fn count(&self, status: Status) -> usize {
        self.known.iter().filter(|known| known.status() == status).count()
    }
}

/// How the trials of `experiment` stand in `store`.
pub fn standing<'a>(experiment: &'a Experiment, store: &Store) -> Standing<'a> {
    let glance = store.glance(experiment);
    let known = |trial: &'a Trial| match glance.may_have(&trial.digest) {
        true => Known::of(trial, store),
        false => Known::nothing(trial, store),
    };
    let mut known: Vec<Known> = experiment.trials.par_iter().map(known).collect();
    if experiment.prune.is_none() {
        return Standing { known, decisions: Vec::new() };
    }
    let progress: Vec<Progress> = known.iter().map(Known::progress).collect();
    let (verdicts, decisions) = judge(experiment.prune.as_ref(), &experiment.trials, &progress);
    for (known, verdict) in known.iter_mut().zip(verdicts) {
        if let Verdict::Pruned { epoch, reason } = verdict {
            known.prune(epoch, reason);
        }
    }
    Standing { known, decisions }
}

/// What is known of a trial, and whether there is something to do for it in the run `run`. One that
/// failed in an earlier run is tried again.
pub(super) fn standing_of(trial: &Trial, store: &Store, run: &str) -> (Progress, bool) {
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
pub(super) fn verdicts(experiment: &Experiment, progress: &[Progress]) -> Vec<Verdict> {
    if experiment.prune.is_some() {
        return judge(experiment.prune.as_ref(), &experiment.trials, progress).0;
    }
    let until = |trial: &Trial| Verdict::Runs { until: trial.plan.train.epochs };
    experiment.trials.iter().map(until).collect()
}

/// The trials that may be run now in the run `run`, by index, each with the epoch until which it may
/// be trained. Those that wait for others at a rung are not among them.
pub fn runnable(experiment: &Experiment, store: &Store, run: &str) -> Vec<(usize, usize)> {
    let known: Vec<(Progress, bool)> =
        experiment.trials.par_iter().map(|trial| standing_of(trial, store, run)).collect();
    let (progress, is_open): (Vec<Progress>, Vec<bool>) = known.into_iter().unzip();
    let verdicts = verdicts(experiment, &progress).into_iter().enumerate();
    verdicts
        .filter_map(|(index, verdict)| match verdict {
            Verdict::Runs { until } if is_open[index] => Some((index, until)),
            _ => None,
        })
        .collect()
}

impl History for Store {
    fn progress(&self, trial: &Trial) -> Progress {
        Known::of(trial, self).progress()
    }
}
