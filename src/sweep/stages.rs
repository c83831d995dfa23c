//! The stages of a running sweep. One trial trains the epochs that several trials have in common, and the others
//! continue from its checkpoint.
//!
//! The trial that trains a stage writes a checkpoint at its end to the [store of stages](StageStore). A trial that starts
//! looks for the longest stage that equals its own first epochs, and continues from there. Its weights then have the same
//! bits as if it had trained these epochs itself. So a stage that is missing, late or deleted changes no result.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::basis::record::{EpochRecord, Metric};
use crate::data::Dataset;
use crate::plan::Plan;
use crate::plan::stage::{StageDigest, StageDigests, StageTree};
use crate::plan::sweep::Trial;
use crate::train::checkpoint::Checkpoint;
use crate::train::stopping::{best_epoch, early_stop};

use super::platform::Platform;
use super::store::{Claim, Common, StageStore, TrialStore};

/// The stages of a sweep, and who trains them.
pub(super) struct Stages<'a> {
    trials: &'a [Trial],
    tree: StageTree,
    store: StageStore,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    digests: StageDigests,
    /// Epochs of each trial that has something in common with others; those of one that has ended are no number.
    reached: BTreeMap<usize, usize>,
    /// Stages that a trial of this process trains, with that trial.
    claims: BTreeMap<usize, (usize, Claim)>,
    /// Stages in which a trial has failed: its others are not held up.
    spoilt: BTreeSet<usize>,
}

/// As many epochs as nobody asks for.
const ENDED: usize = usize::MAX;

impl<'a> Stages<'a> {
    /// Of `trials`, kept in `folder` in so many bytes.
    pub(super) fn new(trials: &'a [Trial], folder: PathBuf, limit: u64) -> Stages<'a> {
        let tree = StageTree::new(trials);
        Stages { trials, tree, store: StageStore::at(folder, limit), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a trial has anything in common with others.
    pub(super) fn is_alone(&self, index: usize) -> bool {
        self.tree.path(index).is_empty()
    }

    /// Takes notice that trial `index` has so many epochs, or has ended.
    pub(super) fn reach(&self, index: usize, epochs: Option<usize>) {
        if !self.is_alone(index) {
            self.state().reached.insert(index, epochs.unwrap_or(ENDED));
        }
    }

    /// The digests of the first `until` epochs of `plan`.
    fn digests(&self, plan: &Plan, until: usize) -> Vec<StageDigest> {
        let epochs = self.state().digests.of(plan);
        epochs.take(until).collect()
    }

    /// The stages that are kept, by digest.
    pub(super) fn kept(&self) -> HashSet<StageDigest> {
        self.store.kept()
    }

    /// Takes the right to train trial `index`, which has so many epochs, until the epoch `until`, where stages are
    /// `kept`; false if somebody else is training epochs that it could go on from.
    pub(super) fn claim(
        &self,
        index: usize,
        own: usize,
        until: usize,
        kept: &HashSet<StageDigest>,
    ) -> bool {
        if self.is_alone(index) {
            return true;
        }
        let digests = self.digests(&self.trials[index].plan, until);
        let known = digests.iter().rposition(|digest| kept.contains(digest));
        let from = known.map_or(own, |place| own.max(place + 1));
        let mut state = self.state();
        let mut claims = Vec::new();
        for number in self.tree.path(index).iter().copied() {
            let stage = self.tree.stage(number);
            let is_ahead = from < stage.end && stage.start < until;
            let reached = |other: &usize| state.reached.get(other).copied().unwrap_or(0);
            let is_wanted =
                || stage.trials.iter().any(|other| *other != index && reached(other) < stage.end);
            if !is_ahead || state.spoilt.contains(&number) || !is_wanted() {
                continue;
            }
            if state.claims.contains_key(&number) {
                return false;
            }
            let Some(claim) = self.store.claim(&stage.digest) else { return false };
            claims.push((number, (index, claim)));
        }
        state.claims.extend(claims);
        true
    }

    /// Gives up the right to train what trial `index` does not train any more: all stages that end until the epoch
    /// `until`, or all.
    pub(super) fn release(&self, index: usize, until: Option<usize>) {
        if self.is_alone(index) {
            return;
        }
        let is_over =
            |stage: &usize| until.is_none_or(|until| self.tree.stage(*stage).end <= until);
        self.state().claims.retain(|stage, (by, _)| *by != index || !is_over(stage));
    }

    /// Takes notice that trial `index` has failed in the epoch behind so many: whoever has this epoch in common with it
    /// is likely to fail there, too, and is not held up by others that do.
    pub(super) fn spoil(&self, index: usize, epochs: usize) {
        let path = self.tree.path(index).iter().copied();
        let ahead = path.filter(|stage| self.tree.stage(*stage).end > epochs);
        self.state().spoilt.extend(ahead);
    }

    /// Whether longer epochs are kept than the first `own` of trial `index`, until the epoch `until`.
    pub(super) fn is_ahead(&self, index: usize, own: usize, until: usize) -> bool {
        if self.is_alone(index) {
            return false;
        }
        let (digests, kept) = (self.digests(&self.trials[index].plan, until), self.kept());
        digests.iter().skip(own).any(|digest| kept.contains(digest))
    }

    /// The longest epochs that are kept and that a trial of `plan` begins with, more than its `own` and at most
    /// `until`, on these images.
    pub(super) fn find(
        &self,
        plan: &Plan,
        own: usize,
        until: usize,
        dataset: &Dataset,
    ) -> Option<Common> {
        let kept = self.kept();
        if kept.is_empty() {
            return None;
        }
        let digests = self.digests(plan, until);
        let mut place = digests.len();
        while place > own {
            let digest = &digests[place - 1];
            if kept.contains(digest)
                && let Some(common) = self.store.read(digest)
                && fits(&common, plan, dataset)
            {
                let rule = plan.train.early_stop.as_ref();
                let stops = |epochs: &usize| early_stop(&common.records[..*epochs], rule).is_some();
                match (1..place).find(stops) {
                    None => return Some(common),
                    // It stops there by its own rule, and has no epoch behind that.
                    Some(epochs) => {
                        place = epochs;
                        continue;
                    }
                }
            }
            place -= 1;
        }
        None
    }

    /// Whether another trial wants to go on from the first epochs of trial `index`, which has come to `records`.
    /// `leaves` says whether that trial goes no further for now.
    fn is_wanted(&self, index: usize, records: &[EpochRecord], leaves: bool) -> bool {
        let epochs = records.len();
        let mut path = self.tree.path(index).iter().map(|stage| self.tree.stage(*stage));
        let Some(stage) = path.find(|it| it.start < epochs && epochs <= it.end) else {
            return false;
        };
        let state = self.state();
        let is_behind = |other: &&usize| {
            **other != index && state.reached.get(*other).is_none_or(|reached| *reached < epochs)
        };
        let mut behind = stage.trials.iter().filter(is_behind);
        if leaves || epochs == stage.end {
            return behind.next().is_some();
        }
        // Some may stop here by their own rule; there are fewer rules than trials.
        let mut rules = Vec::new();
        for other in behind {
            let rule = self.trials[*other].plan.train.early_stop;
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
        drop(state);
        rules.iter().any(|rule| early_stop(records, rule.as_ref()).is_some())
    }
}

/// Whether a trial of `plan` on this machine and these images would have come to the same, and its best weights are
/// there.
fn fits(common: &Common, plan: &Plan, dataset: &Dataset) -> bool {
    let here = Platform::here();
    // Processors differ in their last bits.
    let is_here = common
        .stations
        .iter()
        .all(|station| Platform { host: here.host.clone(), ..station.machine.clone() } == *here);
    is_here
        && !common.stations.is_empty()
        && common.best.iter().any(|(metric, _)| *metric == plan.train.best)
        && dataset.fingerprint().is_ok_and(|images| *images == common.images)
}

/// A trial in training that may have epochs in common with others.
pub(super) struct Leader<'a> {
    stages: &'a Stages<'a>,
    index: usize,
    /// Until which epoch it trains for now.
    pub(super) until: usize,
    dataset: Arc<Dataset>,
    /// The last epoch that it has in common with another trial.
    end: usize,
    /// The best weights by each metric that others know their best epoch by, as far as they are known.
    best: Vec<(Metric, Arc<Checkpoint>)>,
    metrics: Vec<Metric>,
}

impl<'a> Leader<'a> {
    /// Trial `index`, which has come to `records` and knows these weights of the best epoch by some metrics; none if no
    /// other trial can go on from one of its further epochs.
    pub(super) fn new(
        stages: &'a Stages<'a>,
        index: usize,
        until: usize,
        records: &[EpochRecord],
        best: Vec<(Metric, Checkpoint)>,
        dataset: Arc<Dataset>,
    ) -> Option<Leader<'a>> {
        let path = stages.tree.path(index).iter().map(|stage| stages.tree.stage(*stage));
        let ahead: Vec<_> = path.filter(|stage| stage.end > records.len()).collect();
        let end = ahead.last()?.end;
        let others: BTreeSet<usize> =
            ahead.iter().flat_map(|stage| &stage.trials).copied().collect();
        let mut metrics: Vec<Metric> = Vec::new();
        for other in others {
            let metric = stages.trials[other].plan.train.best;
            if !metrics.contains(&metric) {
                metrics.push(metric);
            }
        }
        let best: Vec<(Metric, Arc<Checkpoint>)> =
            best.into_iter().map(|(metric, weights)| (metric, Arc::new(weights))).collect();
        let mut leader = Leader { stages, index, until, dataset, end, best: Vec::new(), metrics };
        for metric in leader.metrics.clone() {
            let Some(place) = best_epoch(records, metric) else { continue };
            // The best epoch by one metric may be that by another one.
            let is_it = |(_, weights): &&(Metric, Arc<Checkpoint>)| {
                weights.number("epoch") as usize == place + 1
            };
            leader
                .best
                .extend(best.iter().find(is_it).map(|(_, weights)| (metric, weights.clone())));
        }
        Some(leader)
    }

    /// Takes notice of the end of the last epoch of `records`, behind which training goes on from `last`: whether others
    /// want to go on from there.
    pub(super) fn epoch_ended(&mut self, records: &[EpochRecord], last: &Checkpoint) -> bool {
        let epochs = records.len();
        self.stages.reach(self.index, Some(epochs));
        if epochs > self.end {
            return false;
        }
        let mut weights: Option<Arc<Checkpoint>> = None;
        for metric in &self.metrics {
            if best_epoch(records, *metric) == Some(epochs - 1) {
                let weights = weights.get_or_insert_with(|| {
                    let last = last.without_card();
                    Arc::new(Checkpoint { tensors: last.weights(), words: last.words })
                });
                self.best.retain(|(known, _)| known != metric);
                self.best.push((*metric, weights.clone()));
            }
        }
        let rule = self.stages.trials[self.index].plan.train.early_stop.as_ref();
        let leaves = epochs == self.until || early_stop(records, rule).is_some();
        self.stages.is_wanted(self.index, records, leaves)
    }

    /// Whether others want to go on from the last of `records`, where this trial goes no further.
    pub(super) fn is_left_behind(&self, records: &[EpochRecord]) -> bool {
        self.stages.is_wanted(self.index, records, true)
    }

    /// Keeps what the trial has come to with `records` and `last`, whose losses are in `store`.
    pub(super) fn keep(&self, store: &TrialStore, records: &[EpochRecord], last: &Checkpoint) {
        let plan = &self.stages.trials[self.index].plan;
        let Some(digest) = self.stages.digests(plan, records.len()).pop() else { return };
        let best = self.best.iter();
        let best: Vec<(Metric, Checkpoint)> =
            best.map(|(metric, weights)| (*metric, Checkpoint::clone(weights))).collect();
        if best.is_empty() {
            return;
        }
        let Ok(images) = self.dataset.fingerprint() else { return };
        let losses = store.losses().into_iter();
        let common = Common {
            records: records.to_vec(),
            losses: losses.filter(|loss| loss.epoch <= records.len()).collect(),
            stations: store.stations(),
            images: images.to_owned(),
            last: last.without_card(),
            best,
        };
        // On a full disk others train these epochs again.
        let _ = self.stages.store.write(&digest, &common);
    }

    /// Lets others go on from what is kept.
    pub(super) fn passed(&self, epochs: usize) {
        self.stages.release(self.index, Some(epochs));
    }
}
