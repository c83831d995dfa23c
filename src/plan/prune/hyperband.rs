//! Hyperband: brackets of successive halving that begin at later and later rungs, so that settings
//! which start slowly have a chance too (Li et al., "Hyperband: a novel bandit-based approach to
//! hyperparameter optimization", 2018).
//!
//! The paper fills its brackets one after the other. Here each setting draws its bracket, with the
//! paper's sizes as weights, so that a setting has the same bracket however many there are.

use crate::basis::seed::derive;
use crate::config::sweep::prune::Halving;

use super::successive_halving;

/// How many of the rungs are skipped by the trials of the setting with this index.
pub(super) fn bracket(halving: &Halving, seed: u64, setting: usize, epochs: usize) -> usize {
    let weights = weights(halving, epochs);
    let total = weights.iter().fold(0u64, |sum, weight| sum.saturating_add(*weight));
    let mut drawn = derive(seed, "bracket", &[setting as u64]).below(total.max(1));
    for (bracket, weight) in weights.iter().enumerate() {
        match drawn.checked_sub(*weight) {
            Some(rest) => drawn = rest,
            None => return bracket,
        }
    }
    weights.len() - 1
}

/// The sizes of the brackets, the one that skips no rung first: with s rungs left of s_max, the paper
/// starts ⌈(s_max + 1) · factor^s / (s + 1)⌉ trials. The last bracket has no rung.
fn weights(halving: &Halving, epochs: usize) -> Vec<u64> {
    let rungs = successive_halving::rungs(halving).take_while(|rung| *rung < epochs);
    let most = rungs.count() as u32;
    let size = |left: u32| {
        let trials = (halving.factor as u64).saturating_pow(left);
        trials.saturating_mul(u64::from(most) + 1).div_ceil(u64::from(left) + 1)
    };
    (0..=most).rev().map(size).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_have_the_sizes_of_the_paper() {
        // Table 1 of the paper: R = 81, η = 3 starts 81, 34, 15, 8 and 5 configurations. Its rungs are
        // 1, 3, 9, 27 and 81 epochs.
        assert_eq!(weights(&Halving { first: 1, factor: 3 }, 81), [81, 34, 15, 8, 5]);
        assert_eq!(weights(&Halving { first: 1, factor: 3 }, 1), [1]);
    }

    #[test]
    fn settings_are_drawn_by_weight() {
        let halving = Halving { first: 1, factor: 3 };
        let mut counts = [0; 5];
        for setting in 0..14_300 {
            counts[bracket(&halving, 7, setting, 81)] += 1;
        }
        for (count, weight) in counts.into_iter().zip([81, 34, 15, 8, 5]) {
            let expected = weight * 100;
            assert!((expected * 8 / 10..expected * 12 / 10).contains(&count), "{counts:?}");
        }
    }
}
