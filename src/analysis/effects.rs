//! What each factor does: differences of trials that differ in nothing else, and whether the effect of
//! one factor depends on another.

use std::collections::BTreeMap;

use super::statistics::{Estimate, Paired, holm};

use super::answers::Answers;
use super::factor::{Factor, Kind};

/// The effect of one level of a factor against its first level with a completed trial.
#[derive(Clone, Debug)]
pub struct Effect {
    /// Index of the factor.
    pub factor: usize,
    /// The level that is compared, and the one that it is compared with.
    pub to: usize,
    /// See [`to`](Self::to).
    pub from: usize,
    /// The difference of both, over trials that differ in nothing else.
    pub paired: Paired,
    /// The p-value by Holm's correction over all effects.
    pub corrected: Option<f64>,
}

/// How the effect of a level of one factor differs between two levels of another.
#[derive(Clone, Debug)]
pub struct Interaction {
    /// Indices of the two factors.
    pub factors: [usize; 2],
    /// The level of each that is compared, and the one that it is compared with.
    pub to: [usize; 2],
    /// See [`to`](Self::to).
    pub from: [usize; 2],
    /// (both − second alone) − (first alone − neither), over quadruples of trials that differ in nothing else.
    pub paired: Paired,
    /// The p-value by Holm's correction over all interactions.
    pub corrected: Option<f64>,
}

/// The mean over all completed trials at a level of each of two factors.
#[derive(Clone, Debug)]
pub struct Surface {
    /// Indices of the factors: rows, columns.
    pub factors: [usize; 2],
    /// By level of the rows, then of the columns.
    pub cells: Vec<Vec<Option<Estimate>>>,
}

/// What two trials share that differ in the factors alone: everything else, in numbers.
type Block = Vec<usize>;

/// For each block, the values of its trials by their levels.
fn blocks(answers: &Answers, factors: &[usize]) -> BTreeMap<Block, BTreeMap<Vec<usize>, f64>> {
    let mut seeds: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut blocks: BTreeMap<Block, BTreeMap<Vec<usize>, f64>> = BTreeMap::new();
    for (index, trial) in answers.trials.iter().enumerate() {
        let Some(value) = answers.value(trial) else { continue };
        let next = seeds.len();
        let run = *seeds.entry((&trial.seed, &trial.fold)).or_insert(next);
        let others = (0..answers.factors.len()).filter(|factor| !factors.contains(factor));
        let level = |factor: usize| answers.factors[factor].of_trial[index];
        let block: Block = std::iter::once(run).chain(others.map(level)).collect();
        let levels = factors.iter().map(|factor| level(*factor)).collect();
        blocks.entry(block).or_default().insert(levels, value);
    }
    blocks
}

/// The level that others are compared with: the first one with a completed trial.
fn reference(answers: &Answers, factor: usize) -> Option<usize> {
    let levels = answers.trials.iter().zip(&answers.factors[factor].of_trial);
    levels.filter(|(trial, _)| answers.value(trial).is_some()).map(|(_, level)| *level).min()
}

/// Factors whose levels were written down and are more than one.
fn chosen(answers: &Answers) -> Vec<usize> {
    let is_chosen = |factor: &Factor| factor.kind == Kind::Chosen && factor.levels.len() > 1;
    (0..answers.factors.len()).filter(|index| is_chosen(&answers.factors[*index])).collect()
}

/// The effects of all factors, in the order of factors and levels; what has no pairs is left out.
pub fn effects(answers: &Answers) -> Vec<Effect> {
    let mut effects = Vec::new();
    for factor in chosen(answers) {
        let Some(from) = reference(answers, factor) else { continue };
        let mut differences: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for values in blocks(answers, &[factor]).values() {
            let Some(first) = values.get(&vec![from]) else { continue };
            for (level, value) in values.iter().filter(|(level, _)| level[0] != from) {
                differences.entry(level[0]).or_default().push(value - first);
            }
        }
        effects.extend(differences.into_iter().filter_map(|(to, differences)| {
            Some(Effect { factor, to, from, paired: Paired::of(&differences)?, corrected: None })
        }));
    }
    let p: Vec<Option<f64>> = effects.iter().map(|effect| effect.paired.p).collect();
    effects.iter_mut().zip(holm(&p)).for_each(|(effect, p)| effect.corrected = p);
    effects
}

/// The interactions of all pairs of factors, in the order of factors and levels.
pub fn interactions(answers: &Answers) -> Vec<Interaction> {
    let mut interactions = Vec::new();
    for factors in pairs(&chosen(answers)) {
        let [first, second] = factors.map(|factor| reference(answers, factor));
        let (Some(first), Some(second)) = (first, second) else { continue };
        let from = [first, second];
        let mut differences: BTreeMap<[usize; 2], Vec<f64>> = BTreeMap::new();
        for values in blocks(answers, &factors).values() {
            let at = |a: usize, b: usize| values.get(&vec![a, b]);
            for (levels, both) in values {
                let [a, b] = [levels[0], levels[1]];
                if a == from[0] || b == from[1] {
                    continue;
                }
                if let (Some(first), Some(second), Some(neither)) =
                    (at(a, from[1]), at(from[0], b), at(from[0], from[1]))
                {
                    let differ = (both - second) - (first - neither);
                    differences.entry([a, b]).or_default().push(differ);
                }
            }
        }
        interactions.extend(differences.into_iter().filter_map(|(to, differences)| {
            Some(Interaction {
                factors,
                to,
                from,
                paired: Paired::of(&differences)?,
                corrected: None,
            })
        }));
    }
    let p: Vec<Option<f64>> = interactions.iter().map(|found| found.paired.p).collect();
    interactions.iter_mut().zip(holm(&p)).for_each(|(found, p)| found.corrected = p);
    interactions
}

/// The means over two factors, for every pair of them.
pub fn surfaces(answers: &Answers) -> Vec<Surface> {
    let surface = |factors: [usize; 2]| {
        let [rows, columns] = factors.map(|factor| &answers.factors[factor]);
        let mut values = vec![vec![Vec::new(); columns.levels.len()]; rows.levels.len()];
        for (index, trial) in answers.trials.iter().enumerate() {
            let cell = &mut values[rows.of_trial[index]][columns.of_trial[index]];
            cell.extend(answers.value(trial));
        }
        let cells = values.iter().map(|row| row.iter().map(|cell| Estimate::of(cell)).collect());
        Surface { factors, cells: cells.collect() }
    };
    pairs(&chosen(answers)).map(surface).collect()
}

fn pairs(of: &[usize]) -> impl Iterator<Item = [usize; 2]> {
    of.iter().enumerate().flat_map(|(index, a)| of[index + 1..].iter().map(|b| [*a, *b]))
}
