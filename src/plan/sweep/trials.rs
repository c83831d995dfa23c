//! From combinations to trials, or everything that is wrong with any of them.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use crate::config::presets;
use crate::config::setting::{lay, set};
use crate::config::sweep::Sweep;
use crate::document::{Content, KeyPath, Node, Place, Problem, Problems};
use crate::plan::resolve::resolve;
use crate::plan::survey::Survey;

use super::setting::Setting;
use super::{Fold, Trial};

/// One trial before it is resolved.
pub(super) struct Combination<'a> {
    /// Counted from 1.
    pub(super) number: usize,
    /// Index of the setting.
    pub(super) index: usize,
    pub(super) round: usize,
    pub(super) setting: &'a Setting<'a>,
    pub(super) seed: Option<u64>,
    pub(super) fold: Option<Fold>,
}

/// The trials of all combinations, or all problems. `note` says in which combinations a problem is, of
/// which it gets the number and the first, unless it is no matter of combinations. Of what is wrong with values drawn from one of the `ranges`
/// the first is told.
pub(super) fn resolve_all(
    root: &Node,
    combinations: &[Combination],
    survey: &dyn Survey,
    ranges: &[&Place],
    note: &dyn Fn(usize, &Combination) -> Option<String>,
) -> Result<Vec<Trial>, Problems> {
    let resolved: Vec<Result<Trial, Vec<Problem>>> =
        combinations.par_iter().map(|combination| trial(root, combination, survey)).collect();
    let mut trials = Vec::with_capacity(resolved.len());
    // Each problem with the trials that have it; one trial may have it in several layers.
    let mut found: Vec<(Problem, BTreeSet<usize>)> = Vec::new();
    for (index, result) in resolved.into_iter().enumerate() {
        match result {
            Ok(trial) => trials.push(trial),
            Err(problems) => problems.into_iter().for_each(|problem| {
                let is_known = |known: &Problem| {
                    let in_range = |range: &&&Place| known.is_at(range) && problem.is_at(range);
                    known.same(&problem) || ranges.iter().any(|range| in_range(&range))
                };
                match found.iter_mut().find(|(known, _)| is_known(known)) {
                    Some((_, trials)) => _ = trials.insert(index),
                    None => found.push((problem, BTreeSet::from([index]))),
                }
            }),
        }
    }
    let mut all = Problems::none();
    for (problem, trials) in found {
        let first = &combinations[trials.first().copied().unwrap_or(0)];
        all.add(match note(trials.len(), first) {
            Some(note) => problem.note(note),
            None => problem,
        });
    }
    if all.is_empty() { Ok(trials) } else { Err(all) }
}

fn trial(
    root: &Node,
    combination: &Combination,
    survey: &dyn Survey,
) -> Result<Trial, Vec<Problem>> {
    let Combination { number, index, round, setting, seed, fold } = combination;
    let mut tree = root.clone();
    let mut problems = Vec::new();
    // The preset comes first, so that other axes can reach into it.
    let (presets, others): (Vec<_>, Vec<_>) =
        setting.replacements.iter().partition(|(path, _, _)| *path == "model.preset");
    let is_swept = !presets.is_empty();
    for (index, (path, at, value)) in presets.into_iter().chain(others).enumerate() {
        // The path stands in the sweep, which the trial's tree has too.
        if let Err(problem) = lay(&mut tree, path, (**value).clone(), at) {
            problems.push(problem.locate(root));
        }
        if index == 0
            && is_swept
            && let Err(problem) = presets::apply(&mut tree)
        {
            problems.push(problem.locate(&tree));
            return Err(problems);
        }
    }
    if let (Some(seed), Some(node)) = (seed, root.get("seed")) {
        let content = Content::Integer(*seed as i64);
        let node = Node { content, place: node.place.clone() };
        if let Err(problem) = set(&mut tree, "seed", node, &KeyPath::root()) {
            problems.push(problem.locate(root));
        }
    }
    // Where a path leads nowhere, the rest is still checked as it stands.
    let resolved = resolve(&tree, *fold, survey).map_err(|found| {
        let found = found.into_iter().map(|problem| problem.locate(&tree));
        problems.iter().cloned().chain(found).collect::<Vec<_>>()
    });
    if resolved.is_ok() && !problems.is_empty() {
        return Err(problems);
    }
    let (plan, digest) = resolved?;
    let settings = setting.columns.clone();
    Ok(Trial { number: *number, digest, setting: *index, round: *round, settings, plan })
}

/// The number of epochs is no part of a digest, so that a trial can be trained for longer; where it
/// is swept, it has to tell trials apart.
pub(super) fn tell_epochs_apart(trials: &mut [Trial]) {
    let mut epochs = BTreeMap::<String, Vec<usize>>::new();
    for trial in trials.iter() {
        epochs.entry(trial.digest.clone()).or_default().push(trial.plan.train.epochs);
    }
    for trial in trials {
        if epochs[&trial.digest].iter().any(|other| *other != trial.plan.train.epochs) {
            add_epochs(trial);
        }
    }
}

/// Makes the number of epochs part of the trial's digest.
pub(super) fn add_epochs(trial: &mut Trial) {
    let text = format!("{} for {} epochs", trial.digest, trial.plan.train.epochs);
    trial.digest = blake3::hash(text.as_bytes()).to_hex()[..16].to_owned();
}

/// The axis of the cases of a transfer, and the value of it that is measured.
const CASE: (&str, &str) = ("transfer.case", "auto");

/// Takes out the trials whose case was measured and came to what a named case is in another trial, and says
/// so: nobody can know that before.
pub(super) fn merge_measured(trials: &mut Vec<Trial>, sweep: &Sweep) -> Option<String> {
    let (path, auto) = CASE;
    let axis = super::axes(sweep).iter().position(|axis| axis == path);
    let is_auto = |node: &Node| matches!(&node.content, Content::String(name) if name == auto);
    let variants: Vec<&str> = sweep
        .list
        .iter()
        .filter(|variant| {
            variant.settings.iter().any(|(other, value)| other == path && is_auto(value))
        })
        .map(|variant| variant.name.as_str())
        .collect();
    let is_measured = |trial: &Trial| match axis {
        Some(axis) => trial.settings[axis] == auto,
        // The first column is that of variants, if there are some.
        None => !variants.is_empty() && variants.contains(&trial.settings[0].as_str()),
    };
    let named: BTreeMap<String, usize> = trials
        .iter()
        .enumerate()
        .filter(|(_, trial)| !is_measured(trial))
        .map(|(index, trial)| (trial.digest.clone(), index))
        .collect();
    let is_twin = |trial: &Trial| is_measured(trial) && named.contains_key(&trial.digest);
    let count = trials.iter().filter(|trial| is_twin(trial)).count();
    let first = trials.iter().find(|trial| is_twin(trial))?;
    let twin = &trials[named[&first.digest]];
    let what = match axis {
        Some(axis) => twin.settings[axis].clone(),
        None => twin.settings[0].clone(),
    };
    let measured = trials.iter().filter(|trial| is_measured(trial)).count();
    let merged = format!(
        "{path} = \"{auto}\" comes to the same as {what}: {count} of its {measured} trials are those of that \
         case, and are run once"
    );
    trials.retain(|trial| !is_twin(trial));
    trials.iter_mut().enumerate().for_each(|(index, trial)| trial.number = index + 1);
    Some(merged)
}

/// Two trials with one plan would be one row twice.
pub(super) fn twins(trials: &[Trial], root: &Node) -> Option<Problem> {
    let mut seen = BTreeMap::new();
    for trial in trials {
        if let Some(first) = seen.insert(&trial.digest, trial.number) {
            let at = KeyPath::root().key("sweep");
            let message = format!("trials {first} and {} are the same", trial.number);
            return Some(
                Problem::key(at, message)
                    .label("some axis changes nothing")
                    .help(
                        "a setting is swept that has no effect, or one that a later axis replaces",
                    )
                    .locate(root),
            );
        }
    }
    None
}
