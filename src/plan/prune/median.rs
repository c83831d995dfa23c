//! The median rule: a trial is stopped if its best value is worse than the median of the best values
//! of the trials before it (Golovin et al., "Google Vizier", 2017; Optuna's `MedianPruner`).

use crate::basis::record::Metric;
use crate::config::sweep::prune::Median;

use super::{Entrant, Ruling};

/// `after`, and every so many epochs.
pub(super) fn next_rung(median: &Median, epoch: usize) -> Option<usize> {
    let Some(beyond) = epoch.checked_sub(median.after) else { return Some(median.after) };
    median.after.checked_add((beyond / median.every.max(1) + 1).checked_mul(median.every.max(1))?)
}

pub(super) fn decide(rule: &Median, metric: Metric, entrants: &[Entrant]) -> Vec<Option<Ruling>> {
    // The values of the trials before, best first, as long as all are known.
    let mut before = Some(Vec::<f64>::new());
    let decide = |entrant: &Entrant| {
        let is_warmup = entrant.trial.number <= rule.warmup;
        let ruling = match (entrant.value, &before) {
            (Some(_), _) if is_warmup => Some(Ruling {
                kept: true,
                threshold: None,
                reason: format!("one of the first {}", rule.warmup),
            }),
            (Some(value), Some(before)) => Some(compare(metric, value, before)),
            _ => None,
        };
        before = match (before.take(), entrant.value) {
            (Some(mut values), Some(value)) => {
                let place =
                    values.partition_point(|other| metric.better_first(*other, value).is_le());
                values.insert(place, value);
                Some(values)
            }
            _ => None,
        };
        ruling
    };
    entrants.iter().map(decide).collect()
}

fn compare(metric: Metric, value: f64, before: &[f64]) -> Ruling {
    let count = before.len();
    if count == 0 {
        return Ruling { kept: true, threshold: None, reason: "the first to come here".to_owned() };
    }
    let median = (before[(count - 1) / 2] + before[count / 2]) / 2.0;
    let kept = metric.better_first(value, median).is_le();
    let verb = if kept { "is not worse" } else { "is worse" };
    let reason = format!(
        "{} {value:.4} {verb} than {median:.4}, the median of {count} trials before it",
        metric.name()
    );
    Ruling { kept, threshold: Some(median), reason }
}
