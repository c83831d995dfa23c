//! The head of the page: what was asked, and the answer in a sentence.

use maud::{Markup, html};

use crate::analysis::{Answers, Kind, Verdict};
use crate::basis::number::number;

use super::section::estimate;

/// Levels that are listed before the list is cut.
const LISTED: usize = 8;

/// The head of the page.
pub(super) fn header(answers: &Answers) -> Markup {
    let (seeds, folds) = answers.repeats();
    let done = answers.trials.iter().filter(|trial| trial.is_completed()).count();
    let count = |count: usize| number(count as u64);
    html! {
        p class="kicker" { "candlewick report" }
        h1 { (answers.name) }
        @if !answers.description.trim().is_empty() { p class="lead" { (answers.description.trim()) } }
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
        (answer(answers))
        @for damage in &answers.damaged {
            p class="note" { "Left out: " (damage) ". " (damage.way_out()) "." }
        }
    }
}

fn least(numbers: &[f64]) -> String {
    numbers.iter().copied().fold(f64::INFINITY, f64::min).to_string()
}

fn greatest(numbers: &[f64]) -> String {
    numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max).to_string()
}

/// The answer in a sentence or two.
fn answer(answers: &Answers) -> Markup {
    let Some((best, found)) = answers.best().and_then(|best| Some((best, best.estimate?))) else {
        return html! { p class="answer" { "No trial was completed, so there is no answer yet." } };
    };
    let of = |verdict| answers.settings.iter().filter(|other| other.verdict == verdict).count();
    let (tied, worse, unknown) = (of(Verdict::Tied), of(Verdict::Worse), of(Verdict::Unknown));
    let settings = |count: usize| {
        format!("{} {}", number(count as u64), if count == 1 { "setting" } else { "settings" })
    };
    html! {
        p class="answer" {
            @if answers.settings.len() == 1 { "Its result is " } @else { strong { (best.label) } " is best: " }
            strong { (estimate(answers, &found)) }
            " " (answers.measure.words()) ", n = " (found.n) "."
            @if let Some(test) = best.test.filter(|_| !answers.measure.is_test()) {
                " On the test images, which did not choose it, it has " (estimate(answers, &test)) "."
            }
            @if tied > 0 { " " (settings(tied)) @if tied == 1 { " is" } @else { " are" } " tied with it." }
            @if worse > 0 { " " (settings(worse)) @if worse == 1 { " is" } @else { " are" } " significantly worse." }
            @if unknown > 0 && found.n < 2 {
                " With one run per setting, the differences may be luck: "
                code { "sweep.seeds" } " asks for more."
            }
        }
    }
}
