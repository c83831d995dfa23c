//! Trials that did not come to their end, and why.

use std::collections::BTreeMap;

use maud::html;

use crate::analysis::{Answers, Factor, Trial};
use crate::basis::record::Status;

use super::section::Section;

/// Trials that are listed.
const ROWS: usize = 200;

/// The section; none if all trials were completed.
pub(super) fn section(answers: &Answers) -> Option<Section> {
    let others: Vec<(usize, &Trial)> =
        answers.trials.iter().enumerate().filter(|(_, trial)| !trial.is_completed()).collect();
    if others.is_empty() {
        return None;
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, trial) in &others {
        *counts.entry(&trial.status).or_insert(0) += 1;
    }
    // What failed stands first: unfinished trials have nothing to say.
    let mut listed = others;
    listed
        .sort_by_key(|(_, trial)| (trial.reason.is_empty(), trial.status != Status::Failed.name()));
    let body = html! {
        p {
            @for (index, (status, count)) in counts.iter().enumerate() {
                @if index > 0 { ", " }
                (count) " " (status)
            }
            ". They are in no mean and in no comparison."
        }
        div class="scroll" { table class="data sortable" data-filter=[(listed.len() > 20).then_some("trials")] {
            thead { tr { th class="number" { "trial" } th { "status" } th { "reason" } th { "settings" } th { "seed" } } }
            tbody {
                @for (index, trial) in listed.iter().take(ROWS) {
                    tr {
                        td class="number" data-value=(trial.number) { (trial.number) }
                        td { (trial.status) }
                        td class="reason" { (trial.reason) }
                        td class="reason" { (settings(answers, *index)) }
                        td { (trial.seed) @if !trial.fold.is_empty() { ", fold " (trial.fold) } }
                    }
                }
            }
        } }
        @if listed.len() > ROWS { p class="note" { "The first " (ROWS) " of " (listed.len()) "; all are in " code { "trials.csv" } "." } }
    };
    Some(Section { id: "failures", title: "Not completed", body })
}

/// What was varied, for the trial with this index.
fn settings(answers: &Answers, index: usize) -> String {
    let level = |factor: &Factor| {
        format!("{} = {}", factor.name, factor.levels[factor.of_trial[index]].name)
    };
    answers.varied().map(level).collect::<Vec<_>>().join(", ")
}
