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

use std::collections::BTreeMap;

use crate::basis::record::{EpochRecord, Metric, Status};
use crate::config::sweep::prune::Rule;

use super::trial::Trial;

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

impl Progress {
    /// Whether the trial came to an end of its own until this epoch, so that there is nothing left to
    /// decide.
    fn stopped_by(&self, epoch: usize) -> bool {
        self.ended == Some(Status::Completed) && self.records.len() <= epoch
    }
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

/// Trials are compared with those of their group: of one round of suggestions and one bracket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    round: usize,
    /// Rungs that are skipped.
    bracket: usize,
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
    let mut groups = BTreeMap::<Group, Vec<usize>>::new();
    let group: Vec<Group> = trials.iter().map(|trial| prune.group(trial)).collect();
    for (index, group) in group.iter().enumerate() {
        groups.entry(*group).or_default().push(index);
    }
    // Trials that take part in further rungs, and of these the ones whose fate so far is known.
    let mut is_in = vec![true; trials.len()];
    let mut is_known = vec![true; trials.len()];
    let mut rung = 0;
    loop {
        let next = |index: usize| prune.next_rung(&trials[index], group[index], rung);
        // As long as there is one about whom something can be decided.
        let next = (0..trials.len())
            .filter(|index| is_in[*index] && is_known[*index])
            .filter_map(|index| next(index).filter(|rung| !progress[index].stopped_by(*rung)))
            .min();
        let Some(next) = next else { break };
        rung = next;
        let mut made = Vec::new();
        for members in groups.values() {
            let mut indices = Vec::new();
            let mut entrants = Vec::new();
            for &index in members {
                let next = prune.next_rung(&trials[index], group[index], rung - 1);
                if !is_in[index] || next != Some(rung) {
                    continue;
                }
                let Progress { records, ended } = &progress[index];
                let is_there = records.len() >= rung || *ended == Some(Status::Completed);
                // Nobody waits for a trial that failed on the way.
                if !is_there && *ended == Some(Status::Failed) {
                    is_in[index] = false;
                    if is_known[index] {
                        verdicts[index] = Verdict::Runs { until: rung };
                    }
                    continue;
                }
                let value =
                    (is_known[index] && is_there).then(|| prune.metric.best(until(records, rung)));
                indices.push(index);
                entrants.push(Entrant { trial: &trials[index], value });
            }
            let rulings = prune.decide(&entrants);
            for ((index, entrant), ruling) in indices.into_iter().zip(entrants).zip(rulings) {
                let has_stopped = progress[index].stopped_by(rung);
                let (Some(ruling), Some(value)) = (ruling, entrant.value) else {
                    if std::mem::take(&mut is_known[index]) && !has_stopped {
                        verdicts[index] = match progress[index].records.len() >= rung {
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

    /// The first rung of `trial` behind `epoch`. Its last epoch is none: there is nothing left to save.
    fn next_rung(&self, trial: &Trial, group: Group, epoch: usize) -> Option<usize> {
        let rung = match &self.rule {
            Rule::Median(median) => median::next_rung(median, epoch),
            Rule::SuccessiveHalving(halving) | Rule::Asha(halving) | Rule::Hyperband(halving) => {
                successive_halving::rungs(halving).skip(group.bracket).find(|rung| *rung > epoch)
            }
            Rule::Paired(paired) => paired.rungs.iter().copied().find(|rung| *rung > epoch),
        };
        rung.filter(|rung| *rung < trial.plan.train.epochs)
    }

    fn group(&self, trial: &Trial) -> Group {
        let round = trial.round;
        match &self.rule {
            // Rules that look back have a single group.
            Rule::Median(_) | Rule::Asha(_) => Group { round: 0, bracket: 0 },
            Rule::SuccessiveHalving(_) | Rule::Paired(_) => Group { round, bracket: 0 },
            Rule::Hyperband(halving) => {
                let epochs = trial.plan.train.epochs;
                let bracket = hyperband::bracket(halving, self.seed, trial.setting, epochs);
                Group { round, bracket }
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
