//! Successive halving: of the trials that reach a rung the best part goes on, and the others stop
//! (Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization",
//! 2016). Each decision waits for all trials.

use crate::basis::record::Metric;
use crate::config::sweep::prune::Halving;

use super::{Entrant, Ruling, all_values};

/// `first`, and from one rung to the next `factor` times as many epochs.
pub(super) fn rungs(halving: &Halving) -> impl Iterator<Item = usize> {
    let factor = halving.factor.max(2);
    std::iter::successors(Some(halving.first.max(1)), move |rung| rung.checked_mul(factor))
}

pub(super) fn decide(
    halving: &Halving,
    metric: Metric,
    entrants: &[Entrant],
) -> Vec<Option<Ruling>> {
    let Some(values) = all_values(entrants) else {
        return entrants.iter().map(|_| None).collect();
    };
    let mut order: Vec<usize> = (0..values.len()).collect();
    // Stable: of equal values the one that stands first in the plan is better.
    order.sort_by(|a, b| metric.better_first(values[*a], values[*b]));
    let go_on = values.len().div_ceil(halving.factor.max(2));
    let threshold = order.get(go_on.saturating_sub(1)).map(|index| values[*index]);
    let mut rulings: Vec<Option<Ruling>> = entrants.iter().map(|_| None).collect();
    for (rank, index) in order.into_iter().enumerate() {
        let reason = format!("rank {} of {}, {go_on} go on", rank + 1, values.len());
        rulings[index] = Some(Ruling { kept: rank < go_on, threshold, reason });
    }
    rulings
}
