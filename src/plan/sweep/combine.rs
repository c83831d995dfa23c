//! Every combination of list, grid, zip and random samples, in plan order.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::basis::seed::derive;
use crate::config::sweep::random::Random;
use crate::config::sweep::{Seeds, Sweep};
use crate::document::{Content, KeyPath, Node, Problem};

use super::Fold;
use super::setting::{Setting, Value};

/// No sweep has more trials than this.
const MOST_TRIALS: usize = 1_000_000;

/// Seed and fold of a trial; none: the experiment's own seed, no fold.
pub(super) type Repeat = (Option<u64>, Option<Fold>);

/// The trials of one setting: each seed with each fold.
pub(super) struct Repeats(Vec<Repeat>);

impl Repeats {
    /// Those of `sweep`, if so many trials of `settings` settings can be.
    pub(super) fn new(
        sweep: &Sweep,
        settings: usize,
        own_seed: u64,
    ) -> Result<Repeats, Vec<Problem>> {
        let seeds = match &sweep.seeds {
            Seeds::Own => 1,
            Seeds::Count(count) => *count,
            Seeds::List(seeds) => seeds.len(),
        };
        let count = seeds.checked_mul(sweep.folds.unwrap_or(1));
        let total = count.and_then(|count| count.checked_mul(settings));
        if total.is_none_or(|total| total > MOST_TRIALS) {
            return Err(too_many());
        }
        let seeds = match &sweep.seeds {
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
        let of_seed = |seed| folds.iter().map(move |fold| (seed, *fold));
        Ok(Repeats(seeds.into_iter().flat_map(of_seed).collect()))
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Repeat> + '_ {
        self.0.iter().copied()
    }
}

/// Every setting with the seeds and folds that are not excluded.
pub(super) struct Combined<'a> {
    pub(super) settings: Vec<(Setting<'a>, Cow<'a, [Repeat]>)>,
    /// Combinations that `exclude` left out.
    pub(super) excluded: usize,
}

/// All combinations of `sweep`, with `samples` of its random axes.
pub(super) fn combine<'a>(
    root: &Node,
    sweep: &'a Sweep,
    samples: &'a [Vec<Node>],
    repeats: &'a Repeats,
    own_seed: u64,
) -> Result<Combined<'a>, Vec<Problem>> {
    let zipped = sweep.zip.first().map_or(1, |axis| axis.values.len());
    let factors = [sweep.list.len().max(1), zipped, samples.len().max(1), repeats.count()];
    let total = sweep
        .grid
        .iter()
        .map(|axis| axis.values.len())
        .chain(factors)
        .try_fold(1usize, |product, count| product.checked_mul(count));
    let Some(total) = total.filter(|total| *total <= MOST_TRIALS) else { return Err(too_many()) };
    let mut matched = vec![false; sweep.exclude.len()];
    let mut is_used = vec![false; sweep.grid.len()];
    let mut settings = Vec::with_capacity(total / repeats.count());
    // Only an axis that is left out, or a value that was drawn twice, makes two that are the same.
    let may_be_twice =
        sweep.random.is_some() || sweep.grid.iter().any(|axis| !axis.when.is_empty());
    let mut known = BTreeSet::new();
    let mut excluded = 0;
    for mut index in 0..total / repeats.count() {
        // Innermost first: what changes fastest is taken from the index first.
        let mut digit = |count: usize| {
            let digit = index % count;
            index /= count;
            digit
        };
        let sample = digit(samples.len().max(1));
        let row = digit(zipped);
        let mut chosen: Vec<&Node> =
            sweep.grid.iter().rev().map(|axis| &axis.values[digit(axis.values.len())]).collect();
        chosen.reverse();
        let variant = (!sweep.list.is_empty()).then(|| &sweep.list[digit(sweep.list.len())]);
        let mut setting = Setting::of(variant);
        for ((axis, value), is_used) in sweep.grid.iter().zip(chosen).zip(&mut is_used) {
            if setting.meets(root, &axis.when) {
                *is_used = true;
                setting.put(&axis.path, &axis.at, Value::Listed(value));
            } else {
                setting.leave_out();
            }
        }
        for axis in &sweep.zip {
            setting.put(&axis.path, &axis.at, Value::Listed(&axis.values[row]));
        }
        if let Some(random) = &sweep.random {
            for (axis, value) in random.axes.iter().zip(&samples[sample]) {
                if setting.meets(root, &axis.when) {
                    setting.put(&axis.path, &axis.at, Value::Listed(value));
                } else {
                    setting.leave_out();
                }
            }
        }
        if may_be_twice && !known.insert(setting.key()) {
            continue;
        }
        if sweep.exclude.is_empty() {
            settings.push((setting, Cow::Borrowed(&repeats.0[..])));
            continue;
        }
        let mut trials = Vec::new();
        for (seed, fold) in repeats.iter() {
            let seed_node = seed.unwrap_or(own_seed);
            let hit = sweep.exclude.iter().position(|rule| {
                rule.settings.iter().all(|(path, wanted)| match path.as_str() {
                    "seed" => wanted.content == Content::Integer(seed_node as i64),
                    path => setting.has(root, path, wanted),
                })
            });
            match hit {
                Some(rule) => {
                    matched[rule] = true;
                    excluded += 1;
                }
                None => trials.push((seed, fold)),
            }
        }
        if !trials.is_empty() {
            settings.push((setting, Cow::Owned(trials)));
        }
    }
    let mut problems = idle_exclusions(sweep, &matched);
    for (axis, _) in sweep.grid.iter().zip(is_used).filter(|(_, is_used)| !is_used) {
        problems.push(
            Problem::value(
                axis.at.key("when"),
                format!("the axis \"{}\" is never used", axis.path),
            )
            .label("these conditions are never all true"),
        );
    }
    if problems.is_empty() { Ok(Combined { settings, excluded }) } else { Err(problems) }
}

fn too_many() -> Vec<Problem> {
    let at = KeyPath::root().key("sweep");
    let message = format!("the sweep has more than {MOST_TRIALS} trials");
    vec![Problem::value(at, message).label("too many combinations")]
}

/// Exclusions that match nothing. One that is about drawn values may match none by chance.
fn idle_exclusions(sweep: &Sweep, matched: &[bool]) -> Vec<Problem> {
    let is_drawn = |path: &str| {
        sweep.random.iter().flat_map(|random| &random.axes).any(|axis| axis.path == path)
    };
    let rules = sweep.exclude.iter().zip(matched);
    rules
        .filter(|(rule, matched)| {
            !**matched && !rule.settings.iter().any(|(path, _)| is_drawn(path))
        })
        .map(|(rule, _)| {
            Problem::value(rule.at.clone(), "this exclusion matches no combination")
                .label("excludes nothing")
                .help("it needs dotted paths (or variant, seed) and values that all match")
        })
        .collect()
}

/// The samples of random axes. The k-th value of an axis depends on nothing but k, the seed and the
/// axis's path, so that more samples, or further axes, change none that are there.
pub(super) fn samples(random: &Random, seed: u64) -> Result<Vec<Vec<Node>>, Vec<Problem>> {
    if random.samples > MOST_TRIALS {
        return Err(too_many());
    }
    let sample = |k: usize| {
        let axes = random.axes.iter();
        axes.map(|axis| {
            let purpose = format!("random {}", axis.path);
            axis.values.draw(&mut derive(seed, &purpose, &[k as u64]))
        })
        .collect()
    };
    Ok((0..random.samples).map(sample).collect())
}
