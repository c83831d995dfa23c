//! ASHA made repeatable: a trial goes on if it is among the best part of the trials up to and including
//! itself that reached the rung (Li et al., "A system for massively parallel hyperparameter tuning",
//! 2020). There a trial is compared with those that happened to come first; here with those that stand
//! before it in the plan, so that the outcome does not depend on who was faster.

use crate::basis::record::Metric;
use crate::config::sweep::prune::Halving;

use super::{Entrant, Ruling};

pub(super) fn decide(
    halving: &Halving,
    metric: Metric,
    entrants: &[Entrant],
) -> Vec<Option<Ruling>> {
    let mut best_first = Vec::<f64>::new();
    // A trial that is not there yet may change the rank of all behind it.
    let known = entrants.iter().map_while(|entrant| entrant.value);
    let mut rulings: Vec<Option<Ruling>> = known
        .map(|value| {
            // Of equal values the one that stands first in the plan is better.
            let rank =
                best_first.partition_point(|other| metric.better_first(*other, value).is_le());
            best_first.insert(rank, value);
            let count = best_first.len();
            let go_on = count.div_ceil(halving.factor.max(2));
            Some(Ruling {
                kept: rank < go_on,
                threshold: Some(best_first[go_on - 1]),
                reason: format!("rank {} of the {count} up to it, {go_on} go on", rank + 1),
            })
        })
        .collect();
    rulings.resize_with(entrants.len(), || None);
    rulings
}
