//! The stages of a sweep: runs of epochs that several of its trials begin with.

use std::collections::{BTreeMap, HashMap};

use crate::plan::sweep::Trial;

use super::{Epochs, StageDigest, StageDigests};

/// Epochs that several trials have in common, as many as all of these trials have.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// Epochs before it: all of its trials have these in common too.
    pub start: usize,
    /// Epochs until its end, behind which some of its trials part from the others or have no further epoch.
    pub end: usize,
    /// The digest of the epochs until its end.
    pub digest: StageDigest,
    /// Its trials as indices, at least two, in plan order.
    pub trials: Vec<usize>,
}

/// What the trials of a sweep have in common.
#[derive(Clone, Debug, Default)]
pub struct StageTree {
    stages: Vec<Stage>,
    /// The stages of each trial that has some, by index, in the order of its epochs.
    paths: BTreeMap<usize, Vec<usize>>,
}

/// Trials with the same first epochs.
struct Branch {
    trials: Vec<usize>,
    /// Epochs before it.
    start: usize,
    /// How far it has been looked at, and the digest of the epochs until there; none at the very beginning.
    end: usize,
    digest: Option<StageDigest>,
}

impl StageTree {
    /// Of the trials `all`, in plan order.
    pub fn new(all: &[Trial]) -> StageTree {
        let mut digests = StageDigests::default();
        let mut groups: HashMap<StageDigest, Vec<usize>> = HashMap::new();
        for (index, trial) in all.iter().enumerate() {
            let beginning = digests.of(&trial.plan).of_none();
            groups.entry(beginning).or_default().push(index);
        }
        let mut groups: Vec<Vec<usize>> =
            groups.into_values().filter(|trials| trials.len() > 1).collect();
        // A hash map has no order that may be seen.
        groups.sort();
        let mut tree = StageTree::default();
        for trials in groups {
            let mut epochs: HashMap<usize, Epochs> =
                trials.iter().map(|index| (*index, digests.of(&all[*index].plan))).collect();
            let mut branches = vec![Branch { trials, start: 0, end: 0, digest: None }];
            while let Some(branch) = branches.pop() {
                branches.extend(tree.grow(branch, &mut epochs));
            }
        }
        for path in tree.paths.values_mut() {
            path.sort_by_key(|stage| tree.stages[*stage].start);
        }
        tree
    }

    /// Adds the stage that `branch` begins with, if it does; the branches behind it.
    fn grow(&mut self, branch: Branch, epochs: &mut HashMap<usize, Epochs>) -> Vec<Branch> {
        let Branch { trials, start, mut end, mut digest } = branch;
        loop {
            // Trials by what they are after the next epoch, in plan order; those without one end here.
            let mut next: Vec<(StageDigest, Vec<usize>)> = Vec::new();
            let mut places: HashMap<StageDigest, usize> = HashMap::new();
            for index in &trials {
                let Some(found) = epochs.get_mut(index).and_then(Iterator::next) else { continue };
                let place = *places.entry(found).or_insert(next.len());
                if place == next.len() {
                    next.push((found, Vec::new()));
                }
                next[place].1.push(*index);
            }
            if let [(only, members)] = &next[..]
                && members.len() == trials.len()
            {
                (end, digest) = (end + 1, Some(*only));
                continue;
            }
            if let Some(digest) = digest {
                self.add(Stage { start, end, digest, trials });
            }
            let parted = next.into_iter().filter(|(_, trials)| trials.len() > 1);
            let branch = |(digest, trials)| Branch {
                trials,
                start: end,
                end: end + 1,
                digest: Some(digest),
            };
            return parted.map(branch).collect();
        }
    }

    fn add(&mut self, stage: Stage) {
        for index in &stage.trials {
            self.paths.entry(*index).or_default().push(self.stages.len());
        }
        self.stages.push(stage);
    }

    /// Whether no trial has anything in common with another one.
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    /// Stage number `stage`.
    pub fn stage(&self, stage: usize) -> &Stage {
        &self.stages[stage]
    }

    /// The numbers of the stages of the trial `index`, in the order of its epochs.
    pub fn path(&self, index: usize) -> &[usize] {
        self.paths.get(&index).map_or(&[], Vec::as_slice)
    }

    /// The number of epochs that need not be trained, because another trial has trained the same ones. Early stops are
    /// not considered.
    pub fn shared(&self) -> usize {
        let shared = |stage: &Stage| (stage.end - stage.start) * (stage.trials.len() - 1);
        self.stages.iter().map(shared).sum()
    }

    /// Epochs that the trial `index` has in common with one that stands before it.
    pub fn in_common(&self, index: usize) -> usize {
        let stages = self.path(index).iter().map(|stage| &self.stages[*stage]);
        let later = |stage: &&Stage| stage.trials.first() != Some(&index);
        stages.filter(later).map(|stage| stage.end).max().unwrap_or(0)
    }
}
