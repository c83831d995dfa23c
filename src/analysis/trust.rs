//! How far a result can be trusted, and what would make it surer.

use super::answers::Answers;
use super::factor::Kind;
use super::setting::{Setting, Verdict};
use super::statistics::{Estimate, expected_maximum};

/// Fewer settings have no winner's curse worth a word.
const MANY: usize = 3;

/// (z(0.975) + z(0.8))²: for a power of 80 % at a level of 5 %.
const POWER: f64 = 7.849;

/// A setting that tied with the best one counts as cheaper below this part of its parameters.
const CHEAPER: f64 = 0.7;

impl Answers {
    /// The setting behind the best one, among those that are compared with it.
    pub fn runner_up(&self) -> Option<&Setting> {
        let best = self.best()?;
        let compared = |it: &&Setting| it.set == best.set && it.estimate.is_some();
        self.settings.iter().skip(1).find(compared)
    }

    /// How much better than they are the best of as many equal settings as are compared with the best one would seem, by
    /// the spread between its trials.
    pub fn luck(&self) -> Option<f64> {
        let best = self.best()?;
        let compared = self.settings.iter().filter(|it| it.set == best.set);
        let found: Vec<Estimate> = compared.filter_map(|it| it.estimate).collect();
        if found.len() < MANY {
            return None;
        }
        let pooled = found.iter().filter_map(|it| Some((it.n - 1, it.deviation?)));
        let (freedom, squares) = pooled.fold((0, 0.0), |(freedom, squares), (n, deviation)| {
            (freedom + n, squares + n as f64 * deviation.powi(2))
        });
        (freedom > 0).then(|| {
            let deviation = (squares / freedom as f64).sqrt();
            expected_maximum(found.len()) * deviation
                / (best.estimate.map_or(1, |it| it.n) as f64).sqrt()
        })
    }

    /// About how many seeds would show the difference of the best setting from the one behind it, four times of five at
    /// a level of 5 %, if it is as large as it seems; none where nothing is known of its spread.
    pub fn seeds_to_tell(&self) -> Option<u64> {
        let difference = self.runner_up()?.behind?.difference;
        let part = difference.deviation? / difference.mean.abs();
        let seeds = (POWER * part.powi(2)).ceil() + 2.0;
        seeds.is_finite().then_some(seeds.max(3.0) as u64)
    }

    /// The cheapest setting that tied with the best one, if it has far fewer parameters.
    pub fn cheaper(&self) -> Option<&Setting> {
        let best = self.best()?;
        let most = CHEAPER * best.parameters?;
        let tied =
            self.settings.iter().filter(|it| it.set == best.set && it.verdict == Verdict::Tied);
        let cheap = tied.filter(|it| it.parameters.is_some_and(|parameters| parameters < most));
        cheap.min_by(|a, b| {
            a.parameters.partial_cmp(&b.parameters).unwrap_or(std::cmp::Ordering::Equal)
        })
    }

    /// Whether most trials of the best setting had their best epoch at their end.
    pub fn still_improves(&self) -> bool {
        let Some(best) = self.best() else { return false };
        let ends = self.completed(best).map(|trial| {
            let epochs = self.curve(trial).len();
            epochs > 1 && trial.best_epoch == epochs
        });
        let ends: Vec<bool> = ends.collect();
        2 * ends.iter().filter(|it| **it).count() > ends.len()
    }

    /// Factors of numbers, at least three, whose best level is the least or the greatest one: name, level, and whether
    /// it is the greatest.
    pub fn at_an_end(&self) -> Vec<(&str, &str, bool)> {
        let Some(best) = self.best() else { return Vec::new() };
        let found = self.varied().filter_map(|factor| {
            let numbers = factor.numbers().filter(|numbers| numbers.len() > 2)?;
            let own = factor.of_trial[*best.trials.first()?];
            let is_greatest = numbers.iter().all(|number| *number <= numbers[own]);
            let is_least = numbers.iter().all(|number| *number >= numbers[own]);
            let is_told = factor.kind == Kind::Chosen && (is_least || is_greatest);
            is_told.then_some((&*factor.name, &*factor.levels[own].name, is_greatest))
        });
        found.collect()
    }
}
