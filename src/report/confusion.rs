//! What the best setting takes for what: the confusion matrix and the scores of every class.

use maud::html;

use crate::analysis::Answers;
use crate::analysis::predictions::Predictions;
use crate::basis::number::number;
use crate::charts::{self, Chart};

use super::section::Section;

/// Classes up to which their scores stand beside the matrix.
const BESIDE: usize = 20;

/// Pairs of classes that are listed.
const PAIRS: usize = 10;

/// The chart of the confusion matrix.
pub(super) fn chart(predictions: &Predictions) -> Chart {
    charts::confusion::confusion(
        "confusion",
        "Confusion matrix of the best setting; shades are fractions of a row",
        &predictions.classes,
        &predictions.confusion,
    )
}

/// Pairs of a class and what it is most often taken for, the most frequent first.
fn pairs(predictions: &Predictions) -> Vec<(usize, usize, u64)> {
    let rows = predictions.confusion.iter().enumerate();
    let mut pairs: Vec<(usize, usize, u64)> = rows
        .flat_map(|(class, row)| {
            row.iter().enumerate().map(move |(other, count)| (class, other, *count))
        })
        .filter(|(class, other, count)| class != other && *count > 0)
        .collect();
    pairs.sort_by_key(|(.., count)| std::cmp::Reverse(*count));
    pairs.truncate(PAIRS);
    pairs
}

/// The section.
pub(super) fn section(answers: &Answers, predictions: &Predictions) -> Section {
    let Predictions { trials, set, classes, .. } = predictions;
    let percent = |part: f64| format!("{:.1}", 100.0 * part);
    let label = answers.best().map_or("", |best| &best.label);
    let pairs = pairs(predictions);
    let chart = chart(predictions);
    let body = html! {
        p {
            "Predictions of " strong { (label) } " on its "
            @if set.is_empty() { "images" } @else { (set) " images" }
            @if *trials > 1 { ", summed over its " (trials) " trials" } "."
            span class="scripted" { " A click on a cell shows its images below." }
        }
        // Names and numbers beside the matrix, where both have room.
        div class=(if classes.len() <= BESIDE { "split" } else { "" }) {
        div {
        div class="scroll" { (chart.figure()) }
        @if !pairs.is_empty() {
            p class="note" {
                "Most often confused: "
                @for (index, (class, other, count)) in pairs.iter().take(5).enumerate() {
                    @if index > 0 { "; " }
                    (classes[*class]) " taken for " (classes[*other]) " (" (count) ")"
                }
                "."
            }
        }
        }
        details open[classes.len() <= BESIDE] {
            summary { "Precision, recall and F1 of every class" }
            div class="scroll" { table class="data sortable wide" data-filter=[(classes.len() > 12).then_some("classes")] {
                thead { tr {
                    th { "class" }
                    @for name in ["images", "precision, %", "recall, %", "F1, %"] { th class="number" { (name) } }
                } }
                tbody {
                    @for (class, scores) in classes.iter().zip(predictions.by_class()) {
                        tr {
                            td { (class) }
                            td class="number" data-value=(scores.images) { (number(scores.images)) }
                            @for score in [Some(scores.precision), scores.recall, scores.f1] {
                                td class="number" data-value=(score.map_or(String::new(), |score| score.to_string())) {
                                    (score.map_or("–".to_owned(), percent))
                                }
                            }
                        }
                    }
                }
            } }
        }
        }
    };
    Section { id: "confusion", title: "Confusion", body }
}
