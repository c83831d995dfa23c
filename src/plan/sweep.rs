//! From one experiment to its trials: every combination of the sweep, in plan order.
//!
//! Nesting, outermost first: `list`, the axes of `grid` as written, `zip`, the samples of `random`,
//! `seeds`, `folds`. A search takes the place of the first four.

mod combine;
mod condition;
mod distribution;
mod idle;
mod search;
mod setting;
mod tpe;
mod trials;

#[cfg(test)]
pub(super) mod tests;

use crate::basis::record::Metric;
use crate::config::foreign::explanation;
use crate::config::sweep::Sweep;
use crate::config::sweep::axes::Axis;
use crate::config::sweep::distribution::Distribution;
use crate::config::sweep::prune::{Prune, Rule};
use crate::config::sweep::search::Search;
use crate::document::{Content, KeyPath, Node, Place, Problem, Problems, read};

pub use super::trial::Trial;

use self::combine::{Combined, Repeats, combine, samples};
use self::search::{Searched, Searcher};
use self::trials::{Combination, merge_measured, resolve_all, tell_epochs_apart, twins};
use super::data::Fold;
use super::launcher::{SlurmPlan, launcher};
use super::prune::{History, PrunePlan};
use super::resolve::resolve;
use super::run::{RunPlan, run};
use super::survey::Survey;

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
    /// How the trials are run.
    pub run: RunPlan,
    /// How Slurm is asked for jobs that run them.
    pub slurm: SlurmPlan,
    /// Which trials are stopped before their last epoch.
    pub prune: Option<PrunePlan>,
    /// Trials that a search has not suggested yet, seeds and folds counted.
    pub unsuggested: usize,
    /// What there is to say: that trials came to the same as others and are not among these, or that a search has ended
    /// before its last setting.
    pub told: Option<String>,
}

/// All trials of the experiment `root`, or everything that is wrong with any of them. With a search,
/// these are the trials that it suggests by what `history` knows of the rounds before.
pub fn expand(
    root: &Node,
    survey: &dyn Survey,
    history: &dyn History,
) -> Result<Experiment, Problems> {
    all(root, survey, history).map_err(|problems| problems.explained(&explanation))
}

fn all(root: &Node, survey: &dyn Survey, history: &dyn History) -> Result<Experiment, Problems> {
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
        Some(Ok(sweep)) => {
            match [condition::problems(root, &sweep), idle::problems(root, &sweep)].concat() {
                found if found.is_empty() => sweep,
                found => {
                    problems.extend(found);
                    Sweep::default()
                }
            }
        }
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
    let slurm = launcher(root).unwrap_or_else(|found| {
        problems.extend(found);
        SlurmPlan::default()
    });
    let seed = match root.get("seed").map(|node| &node.content) {
        Some(Content::Integer(seed)) => u64::try_from(*seed).unwrap_or(0),
        _ => 0,
    };
    let mut all = Problems::located(problems, root);
    let found = match &sweep.search {
        Some(search) => searched(root, &sweep, search, survey, history, seed),
        None => combined(root, &sweep, survey, seed),
    };
    match found {
        Ok(found) if all.is_empty() => {
            let Found { trials, excluded, prune, unsuggested, told } = found;
            let axes = axes(&sweep);
            Ok(Experiment {
                name,
                description,
                axes,
                trials,
                excluded,
                run,
                slurm,
                prune,
                unsuggested,
                told,
            })
        }
        Ok(_) => Err(all),
        Err(others) => {
            all.extend(others);
            Err(all)
        }
    }
}

/// What a sweep comes to.
struct Found {
    trials: Vec<Trial>,
    excluded: usize,
    prune: Option<PrunePlan>,
    unsuggested: usize,
    told: Option<String>,
}

/// Every combination.
fn combined(root: &Node, sweep: &Sweep, survey: &dyn Survey, seed: u64) -> Result<Found, Problems> {
    let samples = match &sweep.random {
        None => Ok(Vec::new()),
        Some(random) => samples(random, seed),
    };
    let combined = samples.and_then(|samples| {
        let repeats = Repeats::new(sweep, 1, seed)?;
        // The settings borrow from the samples.
        let Combined { settings, excluded } = combine(root, sweep, &samples, &repeats, seed)?;
        if settings.is_empty() {
            let at = KeyPath::root().key("sweep").key("exclude");
            let problem = Problem::value(at, "every combination is excluded");
            return Err(vec![problem.label("nothing is left")]);
        }
        let mut combinations = Vec::new();
        for (index, (setting, trials)) in settings.iter().enumerate() {
            let columns = (trials.len() > 1).then(|| setting.columns());
            for (seed, fold) in trials.iter().copied() {
                let (number, columns) = (combinations.len() + 1, columns.clone());
                let round = 0;
                combinations.push(Combination {
                    number,
                    index,
                    round,
                    setting,
                    columns,
                    seed,
                    fold,
                });
            }
        }
        let count = combinations.len();
        let note = |trials: usize, first: &Combination| {
            let (number, setting) = (first.number, first.setting.describe());
            // What is wrong in every trial is wrong in the file, not in a combination.
            (trials < count && !setting.is_empty()).then(|| {
                format!("in {trials} of {count} trials, first in trial {number}: {setting}")
            })
        };
        let axes = sweep.random.iter().flat_map(|random| &random.axes);
        let ranges: Vec<&Place> = axes.filter_map(|axis| axis.values.range()).collect();
        let trials = resolve_all(root, &combinations, survey, &ranges, &note);
        Ok(trials.map(|trials| (trials, excluded)))
    });
    let (mut trials, excluded) = combined.unwrap_or_else(|mut problems: Vec<Problem>| {
        // No trial to look at: check the file as it stands.
        if let Err(found) = resolve(root, None, survey) {
            problems.extend(found);
        }
        Err(Problems::located(problems, root))
    })?;
    tell_epochs_apart(&mut trials);
    let told = merge_measured(&mut trials, sweep);
    if let Some(problem) = twins(&trials, root) {
        return Err(problem.into());
    }
    let prune = match &sweep.prune {
        None => None,
        Some(prune) => Some(
            prune_plan(prune, &trials, sweep, survey, seed)
                .map_err(|problem| Problems::located(vec![problem], root))?,
        ),
    };
    Ok(Found { trials, excluded, prune, unsuggested: 0, told })
}

/// What a search suggests.
fn searched(
    root: &Node,
    sweep: &Sweep,
    search: &Search,
    survey: &dyn Survey,
    history: &dyn History,
    seed: u64,
) -> Result<Found, Problems> {
    let repeats = Repeats::new(sweep, search.tpe, seed)
        .map_err(|problems| Problems::located(problems, root))?;
    let searcher = Searcher::new(search, root, survey, &repeats, seed);
    let Searched { trials, prune, unsuggested, told } = searcher.run(history, |trials| {
        let at = search.at.key("metric");
        let metric = metric(search.metric, &at, trials, sweep, survey)?;
        let prune = sweep.prune.as_ref();
        let prune =
            prune.map(|prune| prune_plan(prune, trials, sweep, survey, seed)).transpose()?;
        Ok((metric, prune))
    })?;
    Ok(Found { trials, excluded: 0, prune, unsuggested, told })
}

/// The columns of swept settings.
fn axes(sweep: &Sweep) -> Vec<String> {
    let mut axes = Vec::new();
    if !sweep.list.is_empty() {
        axes.push("variant".to_owned());
    }
    axes.extend(sweep.grid.iter().chain(&sweep.zip).map(|axis| axis.path.clone()));
    let random = sweep.random.iter().flat_map(|random| &random.axes);
    let search = sweep.search.iter().flat_map(|search| &search.axes);
    axes.extend(random.chain(search).map(|axis| axis.path.clone()));
    axes
}

/// The metric by which `trials` are compared: the one that is `written` at `at`, or the one that chooses
/// their best epochs.
fn metric(
    written: Option<Metric>,
    at: &KeyPath,
    trials: &[Trial],
    sweep: &Sweep,
    survey: &dyn Survey,
) -> Result<Metric, Problem> {
    let best = trials[0].plan.train.best;
    let Some(metric) = written else {
        let differs = searched_axis(sweep, "train.best").is_some()
            || trials.iter().any(|trial| trial.plan.train.best != best);
        return if differs {
            Err(Problem::value(at.clone(), "train.best is swept, so trials have no common metric")
                .label("no metric for comparison")
                .help(format!("set metric = \"{}\"", best.name())))
        } else {
            Ok(best)
        };
    };
    let has_validation = |trial: &Trial| {
        let data = &trial.plan.data;
        data.fold.is_some()
            || data.validation > 0.0
            || survey.data(data).is_ok_and(|facts| facts.declared_validation > 0)
    };
    if metric.needs_validation() && !trials.iter().all(has_validation) {
        return Err(Problem::value(
            at.clone(),
            format!("{} needs a validation set, and there is none", metric.name()),
        )
        .label("cannot be measured")
        .help("set data.validation = 0.1, or use train_loss or train_accuracy"));
    }
    Ok(metric)
}

/// The axis of the search with this path.
fn searched_axis<'a>(sweep: &'a Sweep, path: &str) -> Option<&'a Axis<Distribution>> {
    sweep.search.iter().flat_map(|search| &search.axes).find(|axis| axis.path == path)
}

/// The pruning of `trials`, if there is anything to prune.
fn prune_plan(
    prune: &Prune,
    trials: &[Trial],
    sweep: &Sweep,
    survey: &dyn Survey,
    seed: u64,
) -> Result<PrunePlan, Problem> {
    let metric = metric(prune.metric, &prune.at.key("metric"), trials, sweep, survey)?;
    let plan = PrunePlan { rule: prune.rule.clone(), metric, seed };
    // Of a search, the trials are those of the first round.
    let ends = searched_axis(sweep, "train.epochs").map_or(Vec::new(), |axis| axis.values.ends());
    let ends = ends.iter().filter_map(|end| match end.content {
        Content::Integer(epochs) => usize::try_from(epochs).ok(),
        _ => None,
    });
    let epochs = trials.iter().map(|trial| trial.plan.train.epochs).chain(ends).max().unwrap_or(0);
    let first = plan.first_rung();
    if first >= epochs {
        let message =
            format!("no trial is ever pruned: its last epoch is {epochs}, the first rung {first}");
        return Err(Problem::value(prune.at.clone(), message)
            .label("no rung before the last epoch")
            .help("train for more epochs, or compare earlier"));
    }
    let has_pairs = trials.windows(2).any(|pair| pair[0].setting == pair[1].setting);
    if matches!(prune.rule, Rule::Paired(_)) && !has_pairs {
        return Err(Problem::value(prune.at.clone(), "there are no pairs to compare")
            .label("each setting runs once")
            .help("set seeds = 3 or folds = 5, so that settings share seeds or folds"));
    }
    Ok(plan)
}

/// The longest name in bytes: file systems take 255, and what is written beside a folder has more to it.
const LONGEST_NAME: usize = 200;

fn name(root: &Node, problems: &mut Vec<Problem>) -> String {
    let at = KeyPath::root().key("name");
    let Some(node) = root.get("name") else {
        problems.push(
            Problem::value(at, "the experiment has no name")
                .label("not in here")
                .help("name = \"my-experiment\" is the name of its results folder"),
        );
        return String::new();
    };
    match read::<String>(node, &at) {
        Ok(name) => {
            let fits = !name.is_empty()
                && !name.starts_with(['.', ' '])
                && !name.ends_with(['.', ' '])
                && name.chars().all(|c| c.is_alphanumeric() || "-_.+ ".contains(c));
            if !fits {
                problems.push(
                    Problem::value(at, format!("\"{name}\" cannot be the name of a folder"))
                        .label("not a name")
                        .help("a name may have letters, digits, - _ + and inner dots"),
                );
            } else if name.len() > LONGEST_NAME {
                let length = name.len();
                let message = format!("a name of {length} bytes cannot be the name of a folder");
                let problem = Problem::value(at, message).label("too long");
                let help =
                    format!("use at most {LONGEST_NAME} bytes; description = \"…\" may be longer");
                problems.push(problem.help(help));
            }
            name
        }
        Err(problem) => {
            problems.push(problem);
            String::new()
        }
    }
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
