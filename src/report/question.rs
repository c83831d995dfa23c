//! The head of the page: what was asked, and the four answers that everybody wants first.

use maud::{Markup, html};

use crate::analysis::{Answers, Kind};
use crate::basis::number::number;

use super::first::answers_first;

/// Levels that are listed before the list is cut.
const LISTED: usize = 8;

/// The head of the page; `base` is the part of the images that have the most frequent class.
pub(super) fn header(answers: &Answers, base: Option<f64>) -> Markup {
    html! {
        p class="kicker" { "candlewick report" }
        h1 { (answers.name) }
        @if !answers.description.trim().is_empty() { p class="lead" { (answers.description.trim()) } }
        (answers_first(answers, base))
        (facts(answers))
        @for damage in &answers.damaged {
            p class="note" { "Left out: " (damage) ". " (damage.way_out()) "." }
        }
    }
}

/// What was varied, how often, and what is compared.
fn facts(answers: &Answers) -> Markup {
    let (seeds, folds) = answers.repeats();
    let done = answers.trials.iter().filter(|trial| trial.is_completed()).count();
    let count = |count: usize| number(count as u64);
    html! {
        dl class="facts" {
            @for factor in answers.varied() {
                dt { (factor.name) }
                dd {
                    @if factor.kind == Kind::Drawn && factor.levels.len() > LISTED {
                        (count(factor.levels.len())) " values"
                        @if let Some(numbers) = factor.numbers() {
                            " from " (least(&numbers)) " to " (greatest(&numbers))
                        }
                    } @else {
                        @for (index, level) in factor.levels.iter().take(LISTED).enumerate() {
                            @if index > 0 { " · " }
                            span class="level" { (level.name) }
                        }
                        @if factor.levels.len() > LISTED { " … " (count(factor.levels.len())) " in all" }
                    }
                }
            }
            dt { "trials" }
            dd {
                (count(answers.trials.len()))
                @if done < answers.trials.len() { ", of which " (count(done)) " completed" }
                ": "
                (count(answers.settings.len())) @if answers.settings.len() == 1 { " setting" } @else { " settings" }
                @if seeds > 1 { " × " (seeds) " seeds" }
                @if folds > 1 { " × " (folds) " folds" }
            }
            dt { "compared by" }
            dd { (answers.measure.words()) " at the best epoch" @if answers.measure.is_loss() { " (less is better)" } }
        }
    }
}

fn least(numbers: &[f64]) -> String {
    numbers.iter().copied().fold(f64::INFINITY, f64::min).to_string()
}

fn greatest(numbers: &[f64]) -> String {
    numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max).to_string()
}
