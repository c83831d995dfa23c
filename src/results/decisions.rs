//! `decisions.csv`: what pruning decided at its rungs, and why.

use crate::plan::prune::Decision;

use super::table::{bytes, cell};

/// The table's name.
pub const FILE: &str = "decisions.csv";

/// Its columns.
pub const COLUMNS: [&str; 7] =
    ["epoch", "trial", "digest", "value", "threshold", "decision", "reason"];

/// The table as CSV, with a row for each of `decisions`.
pub fn csv(decisions: &[Decision]) -> Vec<u8> {
    let rows = decisions.iter().map(|decision| {
        vec![
            decision.epoch.to_string(),
            decision.trial.to_string(),
            decision.digest.clone(),
            decision.value.to_string(),
            cell(decision.threshold),
            if decision.kept { "kept" } else { "pruned" }.to_owned(),
            decision.reason.clone(),
        ]
    });
    bytes(COLUMNS.into_iter(), rows)
}
