//! From one experiment to its trials: every combination of the sweep, in plan order.
//!
//! Nesting, outermost first: `list`, the axes of `grid` as written, `zip`, `seeds`, `folds`.

use std::collections::BTreeSet;

use rayon::prelude::*;

use crate::config::path::KeyPath;
use crate::config::presets;
use crate::config::problem::{Problem, Problems};
use crate::config::read::read;
use crate::config::sweep::{Axis, Exclusion, Seeds, Sweep};
use crate::config::tree::{Content, Node};

use super::data::Fold;
use super::prune::{History, PrunePlan};
use super::resolve::{Plan, Survey, resolve};
use super::run::{RunPlan, run};

/// No sweep has more trials than this.
const MOST_TRIALS: usize = 1_000_000;

/// An experiment with all its trials.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// Name of the results folder.
    pub name: String,
    /// What it is about, in the user's words.
    pub description: String,
    /// The columns of swept settings, in order: `variant` if there is a list, then dotted paths.
    pub axes: Vec<String>,
    /// The trials in plan order.
    pub trials: Vec<Trial>,
    /// Combinations that `exclude` left out.
    pub excluded: usize,
    /// Which trials are stopped before their last epoch.
    pub prune: Option<PrunePlan>,
    /// Trials that a search has not suggested yet, seeds and folds counted.
    pub unsuggested: usize,
    /// How the trials are run.
    pub run: RunPlan,
}

/// A plan and its place in the sweep.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Counted from 1.
    pub number: usize,
    /// Identity of the plan.
    pub digest: String,
    /// Index of the combination without seed and fold: trials that differ only in these share it.
    pub setting: usize,
    /// The round of suggestions in which a search came up with it, from 0; 0 without a search.
    pub round: usize,
    /// The swept values as text, one for each axis of the experiment.
    pub settings: Vec<String>,
    /// What will run.
    pub plan: Plan,
}

/// One combination before it is resolved.
struct Combination<'a> {
    /// Index of the combination without seed and fold.
    setting: usize,
    /// Variant name and its settings, then the values of axes: dotted path, where it stands, value.
    replacements: Vec<(&'a str, KeyPath, &'a Node)>,
    settings: Vec<String>,
    variant: Option<&'a str>,
    seed: Option<u64>,
    fold: Option<Fold>,
}

/// All trials of the experiment `root`, or everything that is wrong with any of them.
pub fn expand(
    root: &Node,
    survey: &dyn Survey,
    _history: &dyn History,
) -> Result<Experiment, Problems> {
    let mut problems = Vec::new();
    let name = name(root, &mut problems);
    let description = match root.get("description") {
        None => String::new(),
        Some(node) => {
            let at = KeyPath::root().key("description");
            read(node, &at).unwrap_or_else(|problem| {
                problems.push(problem);
                String::new()
            })
        }
    };
    let sweep = match root.get("sweep").map(Sweep::read) {
        None => Sweep::default(),
        Some(Ok(sweep)) => sweep,
        Some(Err(found)) => {
            problems.extend(found);
            // The rest of the file is still checked, as it stands.
            Sweep::default()
        }
    };
    let run = run(root).unwrap_or_else(|found| {
        problems.extend(found);
        RunPlan::default()
    });
    let own_seed = match root.get("seed").map(|node| &node.content) {
        Some(Content::Integer(seed)) => u64::try_from(*seed).unwrap_or(0),
        _ => 0,
    };
    let (combinations, excluded) = match combine(root, &sweep, own_seed) {
        Ok(combinations) => combinations,
        Err(found) => {
            problems.extend(found);
            (Vec::new(), 0)
        }
    };
    if combinations.is_empty() && problems.is_empty() {
        let at = KeyPath::root().key("sweep").key("exclude");
        problems.push(Problem::value(at, "every combination is excluded").label("nothing is left"));
    }
    if combinations.is_empty() {
        // No trial to look at: check the file as it stands.
        if let Err(found) = resolve(root, None, survey) {
            problems.extend(found);
        }
        return Err(Problems::located(problems, root));
    }
    let mut all = Problems::located(problems, root);
    let resolved: Vec<Result<Trial, Vec<Problem>>> = combinations
        .par_iter()
        .enumerate()
        .map(|(index, combination)| trial(root, index + 1, combination, survey))
        .collect();
    let mut trials = Vec::with_capacity(resolved.len());
    // Each problem with the trials that have it; one trial may have it in several layers.
    let mut found: Vec<(Problem, BTreeSet<usize>)> = Vec::new();
    for (index, result) in resolved.into_iter().enumerate() {
        match result {
            Ok(trial) => trials.push(trial),
            Err(problems) => problems.into_iter().for_each(|problem| {
                match found.iter_mut().find(|(known, _)| known.same(&problem)) {
                    Some((_, trials)) => _ = trials.insert(index),
                    None => found.push((problem, BTreeSet::from([index]))),
                }
            }),
        }
    }
    for (problem, trials) in found {
        let (index, count) = (trials.first().copied().unwrap_or(0), trials.len());
        let settings = combinations[index].describe();
        // What is wrong in every trial is wrong in the file, not in a combination.
        all.add(if count >= combinations.len() || settings.is_empty() {
            problem
        } else {
            problem.note(format!(
                "in {count} of {} trials, first in trial {}: {settings}",
                combinations.len(),
                index + 1
            ))
        });
    }
    if !all.is_empty() {
        return Err(all);
    }
    tell_epochs_apart(&mut trials);
    if let Some(problem) = twins(&trials, root) {
        return Err(problem.into());
    }
    let mut axes = Vec::new();
    if !sweep.list.is_empty() {
        axes.push("variant".to_owned());
    }
    axes.extend(sweep.grid.iter().chain(&sweep.zip).map(|axis| axis.path.clone()));
    let prune = sweep.prune.as_ref().map(|prune| PrunePlan {
        rule: prune.rule.clone(),
        metric: prune.metric.unwrap_or(trials[0].plan.train.best),
        seed: own_seed,
    });
    Ok(Experiment { name, description, axes, trials, excluded, prune, unsuggested: 0, run })
}

fn name(root: &Node, problems: &mut Vec<Problem>) -> String {
    let at = KeyPath::root().key("name");
    let Some(node) = root.get("name") else {
        problems.push(
            Problem::value(at, "the experiment has no name")
                .label("not in here")
                .help("name = \"my-experiment\" names the folder of its results"),
        );
        return String::new();
    };
    match read::<String>(node, &at) {
        Ok(name) => {
            let fits = !name.is_empty()
                && !name.starts_with('.')
                && name.chars().all(|c| c.is_alphanumeric() || "-_.+ ".contains(c));
            if !fits {
                problems.push(
                    Problem::value(at, format!("\"{name}\" cannot be the name of a folder"))
                        .label("not a name")
                        .help("names are made of letters, digits, - _ + and dots inside"),
                );
            }
            name
        }
        Err(problem) => {
            problems.push(problem);
            String::new()
        }
    }
}

/// Every combination that is not excluded, and how many were.
fn combine<'a>(
    root: &Node,
    sweep: &'a Sweep,
    own_seed: u64,
) -> Result<(Vec<Combination<'a>>, usize), Vec<Problem>> {
    let seeds: Vec<Option<u64>> = match &sweep.seeds {
        Seeds::Own => vec![None],
        Seeds::Count(count) => {
            (0..*count as u64).map(|offset| Some(own_seed.wrapping_add(offset))).collect()
        }
        Seeds::List(seeds) => seeds.iter().copied().map(Some).collect(),
    };
    let folds: Vec<Option<Fold>> = match sweep.folds {
        None => vec![None],
        Some(of) => (0..of).map(|index| Some(Fold { index, of })).collect(),
    };
    let zipped = sweep.zip.first().map_or(1, |axis| axis.values.len());
    let factors = [sweep.list.len().max(1), zipped, seeds.len(), folds.len()];
    let total = sweep
        .grid
        .iter()
        .map(|axis| axis.values.len())
        .chain(factors)
        .try_fold(1usize, |product, count| product.checked_mul(count));
    let Some(total) = total.filter(|total| *total <= MOST_TRIALS) else {
        let at = KeyPath::root().key("sweep");
        return Err(vec![
            Problem::value(at, format!("the sweep has more than {MOST_TRIALS} trials"))
                .label("too many combinations"),
        ]);
    };
    let mut matched = vec![false; sweep.exclude.len()];
    let mut combinations = Vec::new();
    let mut excluded = 0;
    let mut last = None;
    let mut settings_so_far = 0;
    for mut index in 0..total {
        let outer = index / (seeds.len() * folds.len());
        // Innermost first: what changes fastest is taken from the index first.
        let mut digit = |count: usize| {
            let digit = index % count;
            index /= count;
            digit
        };
        let fold = folds[digit(folds.len())];
        let seed = seeds[digit(seeds.len())];
        let row = digit(zipped);
        let mut chosen: Vec<&Node> =
            sweep.grid.iter().rev().map(|axis| &axis.values[digit(axis.values.len())]).collect();
        chosen.reverse();
        let variant = (!sweep.list.is_empty()).then(|| &sweep.list[digit(sweep.list.len())]);
        let mut replacements = Vec::new();
        let mut settings = Vec::new();
        if let Some(variant) = variant {
            settings.push(variant.name.clone());
            for (path, value) in &variant.settings {
                replacements.push((path.as_str(), variant.at.key(path), value));
            }
        }
        let zip_values = sweep.zip.iter().map(|axis| &axis.values[row]);
        let axes: Vec<(&Axis, &Node)> =
            sweep.grid.iter().zip(chosen).chain(sweep.zip.iter().zip(zip_values)).collect();
        for (axis, value) in axes {
            settings.push(text(value));
            replacements.push((&axis.path, axis.at.clone(), value));
        }
        let variant = variant.map(|variant| variant.name.as_str());
        let combination = Combination { setting: 0, replacements, settings, variant, seed, fold };
        let hit =
            sweep.exclude.iter().position(|rule| combination.is_excluded(root, rule, own_seed));
        match hit {
            Some(rule) => {
                matched[rule] = true;
                excluded += 1;
            }
            None => {
                if last.replace(outer) != Some(outer) {
                    settings_so_far += 1;
                }
                combinations.push(Combination { setting: settings_so_far - 1, ..combination });
            }
        }
    }
    let idle: Vec<Problem> = sweep
        .exclude
        .iter()
        .zip(matched)
        .filter(|(_, matched)| !matched)
        .map(|(rule, _)| {
            Problem::value(rule.at.clone(), "this exclusion matches no combination")
                .label("excludes nothing")
                .help("it names dotted paths (or variant, seed) and values that all have to match")
        })
        .collect();
    if idle.is_empty() { Ok((combinations, excluded)) } else { Err(idle) }
}

impl Combination<'_> {
    fn is_excluded(&self, root: &Node, rule: &Exclusion, own_seed: u64) -> bool {
        rule.settings.iter().all(|(path, wanted)| match (path.as_str(), &wanted.content) {
            ("variant", Content::String(name)) => self.variant == Some(name),
            ("seed", content) => *content == Content::Integer(self.seed.unwrap_or(own_seed) as i64),
            (path, content) => {
                let own = self.replacements.iter().rev().find(|(other, _, _)| *other == path);
                let value = own.map(|(_, _, value)| *value).or_else(|| root.look_up(path));
                value.is_some_and(|value| value.content == *content)
            }
        })
    }
}

fn trial(
    root: &Node,
    number: usize,
    combination: &Combination,
    survey: &dyn Survey,
) -> Result<Trial, Vec<Problem>> {
    let mut tree = root.clone();
    let mut problems = Vec::new();
    // The preset comes first, so that other axes can reach into it.
    let (presets, others): (Vec<_>, Vec<_>) =
        combination.replacements.iter().partition(|(path, _, _)| *path == "model.preset");
    let is_swept = !presets.is_empty();
    for (index, (path, at, value)) in presets.into_iter().chain(others).enumerate() {
        // The path stands in the sweep, which the trial's tree has too.
        if let Err(problem) = tree.set(path, (*value).clone(), at) {
            problems.push(problem.locate(root));
        }
        if index == 0
            && is_swept
            && let Err(problem) = presets::apply(&mut tree)
        {
            return Err(vec![problem.locate(&tree)]);
        }
    }
    if let (Some(seed), Some(node)) = (combination.seed, root.get("seed")) {
        let content = Content::Integer(seed as i64);
        let node = Node { content, place: node.place.clone() };
        if let Err(problem) = tree.set("seed", node, &KeyPath::root()) {
            problems.push(problem.locate(root));
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let (plan, digest) = resolve(&tree, combination.fold, survey).map_err(|problems| {
        problems.into_iter().map(|problem| problem.locate(&tree)).collect::<Vec<_>>()
    })?;
    let Combination { setting, settings, .. } = combination;
    Ok(Trial { number, digest, setting: *setting, round: 0, settings: settings.clone(), plan })
}

impl Combination<'_> {
    /// The settings in words, for messages.
    fn describe(&self) -> String {
        let mut words: Vec<String> =
            self.variant.iter().map(|variant| format!("variant \"{variant}\"")).collect();
        let values = self.replacements.iter();
        words.extend(values.map(|(path, _, value)| format!("{path} = {}", text(value))));
        words.join(", ")
    }
}

/// The number of epochs is no part of a digest, so that a trial can be trained for longer; where it
/// is swept, it has to tell trials apart.
fn tell_epochs_apart(trials: &mut [Trial]) {
    let mut epochs = std::collections::BTreeMap::<String, Vec<usize>>::new();
    for trial in trials.iter() {
        epochs.entry(trial.digest.clone()).or_default().push(trial.plan.train.epochs);
    }
    for trial in trials {
        if epochs[&trial.digest].iter().any(|other| *other != trial.plan.train.epochs) {
            let text = format!("{} for {} epochs", trial.digest, trial.plan.train.epochs);
            trial.digest = blake3::hash(text.as_bytes()).to_hex()[..16].to_owned();
        }
    }
}

/// Two trials with one plan would be one row twice.
fn twins(trials: &[Trial], root: &Node) -> Option<Problem> {
    let mut seen = std::collections::BTreeMap::new();
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

/// A value as text, for columns: strings without quotes, the rest as in TOML.
pub fn text(node: &Node) -> String {
    match &node.content {
        Content::String(text) => text.clone(),
        _ => toml_text(node),
    }
}

fn toml_text(node: &Node) -> String {
    match &node.content {
        Content::String(text) => format!("{text:?}"),
        Content::Integer(number) => number.to_string(),
        Content::Float(number) => format!("{number:?}"),
        Content::Boolean(value) => value.to_string(),
        Content::Array(items) => {
            format!("[{}]", items.iter().map(toml_text).collect::<Vec<_>>().join(", "))
        }
        Content::Table(entries) => {
            let pairs: Vec<String> = entries
                .iter()
                .map(|entry| format!("{} = {}", entry.key, toml_text(&entry.value)))
                .collect();
            format!("{{ {} }}", pairs.join(", "))
        }
    }
}
