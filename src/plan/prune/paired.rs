//! Pruning that knows about seeds: at a rung, settings are compared with the best one by the differences
//! between trials that share seed and fold, and those that are worse beyond doubt are stopped.
//!
//! The doubt is the interval of Student's t for the mean of paired differences (Student, "The probable
//! error of a mean", 1908). Trials with one seed see the same split, order and masks, so that most of
//! the spread between seeds is gone from the differences. As in the racing algorithms of Maron and Moore
//! ("Hoeffding races", 1994), a setting is dropped only when it is told apart from the best.

use std::collections::BTreeMap;

use crate::basis::record::Metric;
use crate::basis::student::quantile;
use crate::config::sweep::prune::Paired;

use super::{Entrant, Ruling, all_values};

/// The values of a setting by seed and fold.
type Values = BTreeMap<(u64, Option<usize>), f64>;

pub(super) fn decide(paired: &Paired, metric: Metric, entrants: &[Entrant]) -> Vec<Option<Ruling>> {
    let Some(values) = all_values(entrants) else {
        return entrants.iter().map(|_| None).collect();
    };
    let mut settings = BTreeMap::<usize, Values>::new();
    for (entrant, value) in entrants.iter().zip(values) {
        let plan = &entrant.trial.plan;
        let pair = (plan.seed, plan.data.fold.map(|fold| fold.index));
        settings.entry(entrant.trial.setting).or_default().insert(pair, value);
    }
    let mean = |values: &Values| values.values().sum::<f64>() / values.len() as f64;
    // Of equal settings the one that stands first in the plan is the best.
    let best = settings.iter().min_by(|(_, a), (_, b)| metric.better_first(mean(a), mean(b)));
    let Some((best, best_values)) = best else { return Vec::new() };
    let ruling = |entrant: &Entrant| {
        let setting = entrant.trial.setting;
        Some(match setting == *best {
            true => Ruling { kept: true, threshold: None, reason: "the best setting".to_owned() },
            false => compare(paired, metric, best_values, &settings[&setting]),
        })
    };
    entrants.iter().map(ruling).collect()
}

fn compare(paired: &Paired, metric: Metric, best: &Values, other: &Values) -> Ruling {
    let sign = if metric.is_loss() { -1.0 } else { 1.0 };
    let differences: Vec<f64> =
        best.iter().filter_map(|(pair, value)| Some(sign * (value - other.get(pair)?))).collect();
    let count = differences.len();
    if count < 2 {
        let reason = "fewer than two pairs with the best setting".to_owned();
        return Ruling { kept: true, threshold: None, reason };
    }
    let (mean, half) = interval(&differences, paired.confidence);
    // Differences that are no numbers prove nothing.
    let is_worse = mean - half > 0.0;
    let reason = format!(
        "{mean:.4} ± {half:.4} worse than the best setting in {} over {count} pairs",
        metric.name()
    );
    Ruling { kept: !is_worse, threshold: None, reason }
}

/// Mean and half the width of its interval.
fn interval(differences: &[f64], confidence: f64) -> (f64, f64) {
    let count = differences.len() as f64;
    let mean = differences.iter().sum::<f64>() / count;
    let squares: f64 = differences.iter().map(|difference| (difference - mean).powi(2)).sum();
    let error = (squares / (count - 1.0) / count).sqrt();
    (mean, quantile(0.5 + confidence / 2.0, count - 1.0) * error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_the_textbook() {
        // Student's own example, the additional hours of sleep of ten patients: mean difference 1.58,
        // 95 % interval from 0.70 to 2.46 (R: t.test(extra ~ group, data = sleep, paired = TRUE)).
        let differences = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4];
        let (mean, half) = interval(&differences, 0.95);
        assert!((mean - 1.58).abs() < 1e-12);
        assert!((mean - half - 0.700_114_2).abs() < 1e-6, "{}", mean - half);
        assert!((mean + half - 2.459_885_8).abs() < 1e-6, "{}", mean + half);
    }
}
