//! What a file of weights gives a network, where it is not simply all of it.

use std::fmt::Write;

use crate::plan::model::{ModelPlan, WeightsPlan};

/// Names that are shown before they are only counted.
const LISTED: usize = 5;

/// Which of several sets of tensors was taken, filters that were summed over colours, and what starts as
/// `init` says; empty if there is nothing of it.
pub fn weights(model: &ModelPlan) -> String {
    let Some(weights) = &model.weights else { return String::new() };
    let WeightsPlan { absent, summed, state_dict, other_state_dicts, .. } = weights;
    let mut text = String::new();
    if let Some(taken) = state_dict.as_ref().filter(|_| !other_state_dicts.is_empty()) {
        let _ = writeln!(
            text,
            "weights: the tensors under {taken} are used, not those under {}; state-dict = … chooses",
            names(other_state_dicts)
        );
    }
    if !summed.is_empty() {
        let _ = writeln!(
            text,
            "weights: {} summed over red, green and blue, because images are gray and the file's filters \
             are for colours",
            names(summed)
        );
    }
    if !absent.is_empty() {
        let _ = writeln!(
            text,
            "weights: {} start with init, because the file has no tensors for them",
            names(absent)
        );
    }
    text
}

fn names(names: &[String]) -> String {
    let shown = names.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(LISTED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
