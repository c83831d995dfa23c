//! From combinations to trials, or everything that is wrong with any of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use rayon::prelude::*;

use crate::config::presets;
use crate::config::setting::{lay, set};
use crate::config::sweep::Sweep;
use crate::document::{Content, KeyPath, Node, Place, Problem, Problems};
use crate::plan::Plan;
use crate::plan::resolve::{Body, Recipe, Swept, parts};
use crate::plan::survey::Survey;

use super::setting::Setting;
use super::{Fold, Trial, text};

/// One trial before it is resolved.
pub(super) struct Combination<'a> {
    /// Counted from 1.
    pub(super) number: usize,
    /// Index of the setting.
    pub(super) index: usize,
    pub(super) round: usize,
    pub(super) setting: &'a Setting<'a>,
    /// Its columns, where it has more than one trial.
    pub(super) columns: Option<Arc<[String]>>,
    pub(super) seed: Option<u64>,
    pub(super) fold: Option<Fold>,
}

/// So many combinations are resolved before their problems are put together.
const CHUNK: usize = 1 << 14;

/// The trials of all combinations, or all problems. `note` says in which combinations a problem is, of
/// which it gets the number and the first, unless it is no matter of combinations. Of what is wrong with values
/// drawn from one of the `ranges` the first is told.
pub(super) fn resolve_all(
    root: &Node,
    combinations: &[Combination],
    survey: &dyn Survey,
    ranges: &[&Place],
    note: &dyn Fn(usize, &Combination) -> Option<String>,
) -> Result<Vec<Trial>, Problems> {
    let known = Known::new(root);
    let mut trials = Vec::with_capacity(combinations.len());
    let mut found = Found::default();
    for (chunk, part) in combinations.chunks(CHUNK).enumerate() {
        let resolved: Vec<Result<Trial, Vec<Problem>>> =
            part.par_iter().map(|combination| trial(root, combination, survey, &known)).collect();
        for (index, result) in resolved.into_iter().enumerate() {
            match result {
                Ok(trial) if found.problems.is_empty() => trials.push(trial),
                Ok(_) => {}
                Err(problems) => found.add(problems, chunk * CHUNK + index, ranges),
            }
        }
    }
    let mut all = Problems::none();
    for FoundProblem { problem, first, count, .. } in found.problems {
        all.add(match note(count, &combinations[first]) {
            Some(note) => problem.note(note),
            None => problem,
        });
    }
    if all.is_empty() { Ok(trials) } else { Err(all) }
}

/// Problems of many trials, each once.
#[derive(Default)]
struct Found {
    problems: Vec<FoundProblem>,
    /// Which one it is by what it says and where it stands.
    places: HashMap<String, usize>,
    /// Which one it is of those with values from a range.
    of_ranges: HashMap<usize, usize>,
}

/// A problem and the trials that have it.
struct FoundProblem {
    problem: Problem,
    first: usize,
    last: usize,
    count: usize,
}

impl Found {
    /// Adds what is wrong with the trial `index`; trials come in order.
    fn add(&mut self, problems: Vec<Problem>, index: usize, ranges: &[&Place]) {
        for problem in problems {
            let range = ranges.iter().position(|range| problem.is_at(range));
            let identity = problem.identity();
            let place = self.places.get(&identity);
            let place = place.or_else(|| self.of_ranges.get(&range?)).copied();
            let Some(place) = place else {
                self.places.insert(identity, self.problems.len());
                range
                    .into_iter()
                    .for_each(|range| _ = self.of_ranges.insert(range, self.problems.len()));
                self.problems.push(FoundProblem { problem, first: index, last: index, count: 1 });
                continue;
            };
            let known = &mut self.problems[place];
            // One trial may have it in several layers.
            known.count += usize::from(known.last != index);
            known.last = index;
        }
    }
}

/// So many parts of plans are kept for trials that have the same.
const KEPT: usize = 4096;

/// What trials have in common: a network and its images are the same for all seeds and all recipes, a recipe for all
/// networks of as many classes.
struct Known {
    /// By the replaced values and the fold.
    bodies: RwLock<HashMap<String, Arc<Body>>>,
    /// By the replaced values, the classes, and whether there are validation images.
    recipes: RwLock<HashMap<String, Arc<Recipe>>>,
    /// What of the experiment a recipe is read from.
    recipe: Node,
    /// The experiment without its sweep.
    bare: Node,
}

/// Whether the value at the dotted path `path` is a matter of the recipe, and whether of anything else. What is written
/// in an unusual way is a matter of both, which is always right.
fn concerns(path: &str) -> (bool, bool) {
    let key_of = |table: &str| path.strip_prefix(table).and_then(|rest| rest.strip_prefix('.'));
    match (key_of("train"), key_of("data")) {
        // Layers are unfrozen by epochs.
        (Some(key), _) => (true, key.starts_with("epochs") || key.starts_with('"')),
        (_, Some("batch-size" | "drop-last")) => (true, false),
        (_, Some(key)) => {
            let is_of_batches = key.starts_with("batch-size") || key.starts_with("drop-last");
            (is_of_batches || key.starts_with('"'), true)
        }
        _ => (path.starts_with("train") || path.starts_with("data") || path.starts_with('"'), true),
    }
}

fn is_of_recipe(path: &str) -> bool {
    concerns(path).0
}

impl Known {
    fn new(root: &Node) -> Known {
        let only = |node: &Node, keys: &[&str]| {
            let mut node = node.clone();
            if let Content::Table(entries) = &mut node.content {
                entries.retain(|entry| keys.contains(&&entry.key[..]));
            }
            node
        };
        let mut recipe = only(root, &["data", "train"]);
        if let Content::Table(entries) = &mut recipe.content {
            for entry in entries.iter_mut().filter(|entry| entry.key == "data") {
                entry.value = only(&entry.value, &["batch-size", "drop-last"]);
            }
        }
        let mut bare = root.clone();
        if let Content::Table(entries) = &mut bare.content {
            entries.retain(|entry| entry.key != "sweep");
        }
        Known { bodies: RwLock::default(), recipes: RwLock::default(), recipe, bare }
    }

    /// The plan and the digest of a combination whose network and images are known already; none if they are not, or if
    /// something is wrong.
    fn plan(&self, combination: &Combination, keys: &Keys) -> Option<(Plan, String)> {
        let body = read(&self.bodies).get(&keys.body)?.clone();
        let seed = combination.seed.unwrap_or(body.seed);
        // No file can write others.
        i64::try_from(seed).ok()?;
        let key = keys.recipe(&body);
        let known = read(&self.recipes).get(&key).cloned();
        let recipe = match known {
            Some(recipe) => recipe,
            None => {
                let mut tree = self.recipe.clone();
                for it in &combination.setting.replacements {
                    if is_of_recipe(it.path) {
                        lay(&mut tree, it.path, Node::clone(&it.value), &KeyPath::root()).ok()?;
                    }
                }
                for (path, value) in &body.advised {
                    set(&mut tree, path, value.clone(), &KeyPath::root()).ok()?;
                }
                let recipe =
                    Arc::new(Recipe::read(&tree, &body.model, body.classes, body.has_validation)?);
                keep(&self.recipes, key, &recipe);
                recipe
            }
        };
        Some(body.with(seed, &recipe))
    }
}

/// By what a combination's parts are known.
struct Keys {
    body: String,
    recipe: String,
}

impl Keys {
    fn of(combination: &Combination) -> Keys {
        let Combination { setting, fold, .. } = combination;
        let mut body = setting.key_of(|path| concerns(path).1);
        if let Some(fold) = fold {
            body.push_str(&format!("fold {} of {}", fold.index, fold.of));
        }
        Keys { body, recipe: setting.key_of(is_of_recipe) }
    }

    fn recipe(&self, body: &Body) -> String {
        let advised = |(path, value): &(String, Node)| format!(" {path} = {}", text(value));
        let advised: String = body.advised.iter().map(advised).collect();
        format!("{}{} {}{advised}", self.recipe, body.classes, body.has_validation)
    }
}

fn read<T>(shelf: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    shelf.read().unwrap_or_else(PoisonError::into_inner)
}

/// Puts a part onto its shelf, unless that is full.
fn keep<T>(shelf: &RwLock<HashMap<String, Arc<T>>>, key: String, part: &Arc<T>) {
    let mut shelf = shelf.write().unwrap_or_else(PoisonError::into_inner);
    if shelf.len() < KEPT {
        shelf.insert(key, part.clone());
    }
}

fn trial(
    root: &Node,
    combination: &Combination,
    survey: &dyn Survey,
    known: &Known,
) -> Result<Trial, Vec<Problem>> {
    let Combination { number, index, round, setting, columns, .. } = combination;
    let keys = Keys::of(combination);
    let (plan, digest) = match known.plan(combination, &keys) {
        Some(plan) => plan,
        None => {
            let (body, recipe) = parts_of(root, combination, survey, known)?;
            let plan = body.with(body.seed, &recipe);
            let key = keys.recipe(&body);
            keep(&known.bodies, keys.body, &Arc::new(body));
            keep(&known.recipes, key, &Arc::new(recipe));
            plan
        }
    };
    let settings = columns.clone().unwrap_or_else(|| setting.columns());
    Ok(Trial { number: *number, digest, setting: *index, round: *round, settings, plan })
}

/// The parts of the plan of a combination, or everything that is wrong with it.
fn parts_of(
    root: &Node,
    combination: &Combination,
    survey: &dyn Survey,
    known: &Known,
) -> Result<(Body, Recipe), Vec<Problem>> {
    let Combination { setting, seed, fold, .. } = combination;
    // An axis may have thousands of values, of which the tree of a trial has one.
    let mut tree = known.bare.clone();
    let mut problems = Vec::new();
    // The preset comes first, so that other axes can reach into it.
    let (presets, others): (Vec<_>, Vec<_>) =
        setting.replacements.iter().partition(|it| it.path == "model.preset");
    let is_swept = !presets.is_empty();
    for (index, it) in presets.into_iter().chain(others).enumerate() {
        // The path stands in the sweep.
        if let Err(problem) = lay(&mut tree, it.path, Node::clone(&it.value), &it.at()) {
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
    let paths = setting.replacements.iter().map(|it| it.path).collect();
    let swept = Swept { bare: &known.bare, paths };
    let resolved = parts(&tree, *fold, survey, &swept).map_err(|found| {
        let found = found.into_iter().map(|problem| problem.locate(&tree));
        problems.iter().cloned().chain(found).collect::<Vec<_>>()
    });
    if resolved.is_ok() && !problems.is_empty() {
        return Err(problems);
    }
    resolved
}

/// The number of epochs is no part of a digest, so that a trial can be trained for longer; where it
/// is swept, it has to tell trials apart.
pub(super) fn tell_epochs_apart(trials: &mut [Trial]) {
    let first = trials.first().map(|trial| trial.plan.train.epochs);
    if trials.iter().all(|trial| Some(trial.plan.train.epochs) == first) {
        return;
    }
    let mut epochs = HashMap::<String, Vec<usize>>::new();
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
        "{path} = \"{auto}\" is the same as {what}: {count} of its {measured} trials are those of that case, and \
         run once"
    );
    trials.retain(|trial| !is_twin(trial));
    trials.iter_mut().enumerate().for_each(|(index, trial)| trial.number = index + 1);
    Some(merged)
}

/// Two trials with one plan would be one row twice.
pub(super) fn twins(trials: &[Trial], root: &Node) -> Option<Problem> {
    let mut seen = HashMap::with_capacity(trials.len());
    for trial in trials {
        if let Some(first) = seen.insert(&trial.digest, trial.number) {
            let at = KeyPath::root().key("sweep");
            let message = format!("trials {first} and {} are the same", trial.number);
            return Some(
                Problem::key(at, message)
                    .label("an axis has no effect")
                    .help(
                        "the sweep varies a setting without effect, or one that a later axis replaces",
                    )
                    .locate(root),
            );
        }
    }
    None
}
