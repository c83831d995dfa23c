//! Pruning: which trials are stopped at a rung, by what is known of all of them so far.
//!
//! A decision is made once everything that it depends on is known, and depends on nothing else: not on
//! the order in which trials are run, nor on how many are run at once. Rules that look back compare a
//! trial with those before it in plan order; the others compare all trials of a group.

mod asha;
mod hyperband;
mod median;
mod paired;
mod successive_halving;

use std::collections::{BTreeMap, BTreeSet};

use crate::basis::record::{EpochRecord, Metric, Status};
use crate::config::sweep::prune::Rule;

use super::sweep::Trial;

/// How a sweep is pruned.
#[derive(Clone, Debug, PartialEq)]
pub struct PrunePlan {
    /// Which trials are stopped.
    pub rule: Rule,
    /// By which metric trials are compared.
    pub metric: Metric,
    /// The experiment's seed, for rules that draw.
    pub seed: u64,
}

/// What is known of a trial so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// The epochs that are finished, at most as many as the trial has.
    pub records: Vec<EpochRecord>,
    /// How it ended by itself: completed or failed; none while it has not.
    pub ended: Option<Status>,
}

/// Tells what is known of trials from earlier and present runs.
pub trait History: Sync {
    /// What is known of `trial`.
    fn progress(&self, trial: &Trial) -> Progress;
}

/// The history of an experiment that was never run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nothing;

impl History for Nothing {
    fn progress(&self, _: &Trial) -> Progress {
        Progress::default()
    }
}

/// What may become of a trial now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may be trained until this epoch: its next rung, or its last epoch.
    Runs {
        /// Counted from 1.
        until: usize,
    },
    /// It has reached a rung where it is not known yet whether it goes on.
    Waits {
        /// The rung.
        at: usize,
    },
    /// It is stopped at a rung.
    Pruned {
        /// The rung: what was recorded after it does not count.
        epoch: usize,
        /// Why, in words.
        reason: String,
    },
}

impl Verdict {
    /// Whether the trial has come to its end: nothing that is still to be learnt changes it.
    pub fn is_settled(&self, progress: &Progress) -> bool {
        match self {
            Verdict::Runs { .. } => progress.ended.is_some(),
            Verdict::Waits { .. } => false,
            Verdict::Pruned { .. } => true,
        }
    }

    /// The part of the trial's records that counts.
    pub fn counted<'a>(&self, progress: &'a Progress) -> &'a [EpochRecord] {
        match self {
            Verdict::Pruned { epoch, .. } => until(&progress.records, *epoch),
            _ => &progress.records,
        }
    }
}

/// A comparison that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Number of the trial.
    pub trial: usize,
    /// Digest of the trial.
    pub digest: String,
    /// The rung.
    pub epoch: usize,
    /// The trial's best value until the rung.
    pub value: f64,
    /// The worst value with which it would have gone on, where the rule has one.
    pub threshold: Option<f64>,
    /// Whether it went on.
    pub kept: bool,
    /// Why, in words.
    pub reason: String,
}

/// A trial that takes part in the comparison at a rung.
struct Entrant<'a> {
    trial: &'a Trial,
    /// Its best value until the rung; none as long as it has not come there.
    value: Option<f64>,
}

/// What a rule says of an entrant.
struct Ruling {
    kept: bool,
    threshold: Option<f64>,
    reason: String,
}

/// What may become of each trial, and the decisions that are certain, by rung and in plan order.
pub fn judge(
    prune: Option<&PrunePlan>,
    trials: &[Trial],
    progress: &[Progress],
) -> (Vec<Verdict>, Vec<Decision>) {
    let last = |trial: &Trial| Verdict::Runs { until: trial.plan.train.epochs };
    let mut verdicts: Vec<Verdict> = trials.iter().map(last).collect();
    let mut decisions = Vec::new();
    let Some(prune) = prune else { return (verdicts, decisions) };
    let rungs: Vec<BTreeSet<usize>> = trials.iter().map(|trial| prune.rungs(trial)).collect();
    let mut groups = BTreeMap::<[usize; 2], Vec<usize>>::new();
    for (index, trial) in trials.iter().enumerate() {
        groups.entry(prune.group(trial)).or_default().push(index);
    }
    // Trials that take part in further rungs, and of these the ones whose fate so far is known.
    let mut is_in = vec![true; trials.len()];
    let mut is_known = vec![true; trials.len()];
    for rung in rungs.iter().flatten().copied().collect::<BTreeSet<_>>() {
        let mut made = Vec::new();
        for members in groups.values() {
            let mut indices = Vec::new();
            let mut entrants = Vec::new();
            for &index in members {
                if !is_in[index] || !rungs[index].contains(&rung) {
                    continue;
                }
                let Progress { records, ended } = &progress[index];
                let is_there = records.len() >= rung || *ended == Some(Status::Completed);
                // Nobody waits for a trial that failed on the way.
                if is_known[index] && !is_there && *ended == Some(Status::Failed) {
                    is_in[index] = false;
                    verdicts[index] = Verdict::Runs { until: rung };
                    continue;
                }
                let value =
                    (is_known[index] && is_there).then(|| prune.metric.best(until(records, rung)));
                indices.push(index);
                entrants.push(Entrant { trial: &trials[index], value });
            }
            let rulings = prune.decide(&entrants);
            for ((index, entrant), ruling) in indices.into_iter().zip(entrants).zip(rulings) {
                let Progress { records, ended } = &progress[index];
                let has_stopped = *ended == Some(Status::Completed) && records.len() <= rung;
                let (Some(ruling), Some(value)) = (ruling, entrant.value) else {
                    if std::mem::take(&mut is_known[index]) && !has_stopped {
                        verdicts[index] = match records.len() >= rung {
                            true => Verdict::Waits { at: rung },
                            false => Verdict::Runs { until: rung },
                        };
                    }
                    continue;
                };
                is_in[index] = ruling.kept;
                // One that stopped by itself is compared with, but there is nothing to decide.
                if has_stopped {
                    continue;
                }
                let Ruling { kept, threshold, reason } = ruling;
                if !kept {
                    verdicts[index] = Verdict::Pruned { epoch: rung, reason: reason.clone() };
                }
                let trial = &trials[index];
                let (digest, trial) = (trial.digest.clone(), trial.number);
                let made_now =
                    Decision { trial, digest, epoch: rung, value, threshold, kept, reason };
                made.push((index, made_now));
            }
        }
        made.sort_by_key(|(index, _)| *index);
        decisions.extend(made.into_iter().map(|(_, decision)| decision));
    }
    (verdicts, decisions)
}

fn until(records: &[EpochRecord], epoch: usize) -> &[EpochRecord] {
    &records[..records.len().min(epoch)]
}

impl PrunePlan {
    /// The first epoch at which any trial can be stopped.
    pub fn first_rung(&self) -> usize {
        match &self.rule {
            Rule::Median(median) => median.after,
            Rule::SuccessiveHalving(halving) | Rule::Asha(halving) | Rule::Hyperband(halving) => {
                halving.first
            }
            Rule::Paired(paired) => paired.rungs.first().copied().unwrap_or(usize::MAX),
        }
    }

    /// The rungs of `trial`. Its last epoch is none: there is nothing left to save.
    fn rungs(&self, trial: &Trial) -> BTreeSet<usize> {
        let epochs = trial.plan.train.epochs;
        match &self.rule {
            Rule::Median(median) => median::rungs(median, epochs),
            Rule::SuccessiveHalving(halving) | Rule::Asha(halving) => {
                successive_halving::rungs(halving, epochs).collect()
            }
            Rule::Hyperband(halving) => {
                let bracket = hyperband::bracket(halving, self.seed, trial.setting, epochs);
                successive_halving::rungs(halving, epochs).skip(bracket).collect()
            }
            Rule::Paired(paired) => {
                paired.rungs.iter().copied().filter(|rung| *rung < epochs).collect()
            }
        }
    }

    /// Trials are compared with trials of their group: of one round of suggestions, and of one
    /// bracket; rules that look back have a single group.
    fn group(&self, trial: &Trial) -> [usize; 2] {
        match &self.rule {
            Rule::Median(_) | Rule::Asha(_) => [0, 0],
            Rule::SuccessiveHalving(_) | Rule::Paired(_) => [trial.round, 0],
            Rule::Hyperband(halving) => {
                let epochs = trial.plan.train.epochs;
                [trial.round, hyperband::bracket(halving, self.seed, trial.setting, epochs)]
            }
        }
    }

    /// What the rule says of each entrant, who stand in plan order; none where it is too early.
    fn decide(&self, entrants: &[Entrant]) -> Vec<Option<Ruling>> {
        match &self.rule {
            Rule::Median(median) => median::decide(median, self.metric, entrants),
            Rule::Asha(halving) => asha::decide(halving, self.metric, entrants),
            Rule::SuccessiveHalving(halving) | Rule::Hyperband(halving) => {
                successive_halving::decide(halving, self.metric, entrants)
            }
            Rule::Paired(paired) => paired::decide(paired, self.metric, entrants),
        }
    }
}

/// The values of all entrants, if all are there.
fn all_values(entrants: &[Entrant]) -> Option<Vec<f64>> {
    entrants.iter().map(|entrant| entrant.value).collect()
}

#[cfg(test)]
mod tests;
