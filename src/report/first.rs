//! The first screen: what won, by how much, whether that can be trusted, and what to do next.

use maud::{Markup, html};

use crate::analysis::statistics::ALPHA;
use crate::analysis::{Answers, Setting, Verdict};
use crate::basis::number::{count, number};
use crate::charts::axis::compact;

use super::reproduce::quoted;
use super::section::{difference, estimate, p_value};

/// So many runs of a setting give an interval that says something.
const ENOUGH: usize = 3;
/// More seeds than these nobody runs for one difference.
const MOST_SEEDS: u64 = 100;
/// What is worth doing next, at most.
const NEXT: usize = 3;

/// The four answers.
pub(super) fn answers_first(answers: &Answers, base: Option<f64>) -> Markup {
    let Some(best) = answers.best() else {
        return html! { p class="answer" { "No trial was completed, so there is no answer yet." } };
    };
    html! {
        div class="first" {
            div { h2 { "What won" } (won(answers, best)) }
            div { h2 { "By how much" } (by_how_much(answers, best, base)) }
            div { h2 { "Can I trust it" } (trust(answers, best)) }
            div { h2 { "What next" } (next(answers, best)) }
        }
    }
}

fn value(answers: &Answers, setting: &Setting) -> String {
    setting.estimate.map_or_else(String::new, |found| estimate(answers, &found))
}

/// The best setting of each set of images.
fn won(answers: &Answers, best: &Setting) -> Markup {
    let winners = answers.settings.iter().filter(|it| it.verdict == Verdict::Best);
    let test = best.test.filter(|_| !answers.measure.is_test());
    html! {
        @if answers.sets.len() > 1 {
            p { "Trials on different images are not compared. The best of each:" }
            ul { @for winner in winners {
                li { strong { (winner.label) } ": " (value(answers, winner)) }
            } }
        } @else {
            @if answers.settings.len() > 1 { p class="large" { strong { (best.label) } } }
            p class="large" { (value(answers, best)) }
            p {
                (answers.measure.words()) ", " (count(best.estimate.map_or(0, |it| it.n), "run"))
                @if let Some(test) = test { "; " (estimate(answers, &test)) " on the test images" }
                "."
            }
        }
    }
}

fn by_how_much(answers: &Answers, best: &Setting, base: Option<f64>) -> Markup {
    let measure = answers.measure;
    let unit = measure.unit_of_difference();
    let ahead = answers.runner_up().map(|second| {
        let gap = match second.behind {
            Some(behind) => difference(answers, &behind.difference),
            None => {
                let mean = |setting: &Setting| setting.estimate.map_or(0.0, |it| it.mean);
                format!("{}{unit}", measure.show((mean(best) - mean(second)).abs()))
            }
        };
        (gap, second)
    });
    let last = answers
        .settings
        .iter()
        .rev()
        .find(|it| it.set == best.set && it.estimate.is_some() && it.verdict != Verdict::Best);
    html! {
        @if let Some((gap, second)) = &ahead {
            p class="large" { (gap) }
            p {
                "ahead of the next one" @if answers.sets.len() > 1 { " on the same images" } ", " strong { (second.label) } "."
            }
            @if let Some(last) = last.filter(|last| last.label != second.label) {
                p { "The last one, " (last.label) ", has " (value(answers, last)) "." }
            }
        } @else if answers.settings.len() == 1 {
            p { "There is one setting, so there is nothing to compare it with." }
        } @else {
            p { "No other setting was completed, so there is nothing to compare it with." }
        }
        @if let Some(base) = base {
            p { "Always saying the most frequent class would come to " (format!("{:.1} %", 100.0 * base)) "." }
        }
    }
}

/// Sentences with whether they speak for the result.
fn checks(answers: &Answers, best: &Setting) -> Vec<(bool, String)> {
    let measure = answers.measure;
    let mut found = Vec::new();
    let n = best.estimate.map_or(0, |it| it.n);
    found.push(match n {
        0 | 1 => (false, "With one run per setting, the differences may be luck.".to_owned()),
        few if few < ENOUGH => (false, format!("{few} runs of a setting: intervals are wide.")),
        runs => (true, format!("{runs} runs of the best setting, with a 95 % interval.")),
    });
    if let Some(p) = answers.runner_up().and_then(|it| it.corrected) {
        let compared = answers.settings.iter().filter(|it| it.corrected.is_some()).count();
        let how = match compared {
            1 => p_value(p),
            many => format!("{}, corrected for {many} comparisons", p_value(p)),
        };
        found.push(match p < ALPHA {
            true => (true, format!("The difference from the next one is significant ({how}).")),
            false => {
                (false, format!("The difference from the next one is not significant ({how})."))
            }
        });
    }
    let of = |verdict| {
        answers.settings.iter().filter(|it| it.set == best.set && it.verdict == verdict).count()
    };
    let (tied, worse) = (of(Verdict::Tied), of(Verdict::Worse));
    if tied + worse > 1 {
        let words = format!(
            "Not significantly different from it: {}. Significantly worse: {}.",
            count(tied, "setting"),
            count(worse, "setting")
        );
        found.push((tied == 0, words));
    }
    if let Some(luck) = answers.luck() {
        let gap =
            answers.runner_up().and_then(|it| it.behind).map_or(0.0, |it| it.difference.mean.abs());
        let words = format!(
            "Of {} equal settings the best would seem about {}{} better than it is.",
            answers
                .settings
                .iter()
                .filter(|it| it.set == best.set && it.estimate.is_some())
                .count(),
            measure.show(luck),
            measure.unit_of_difference()
        );
        found.push((gap > luck, words));
    }
    found.push(match (measure.is_test(), best.test) {
        (true, _) => (
            false,
            "It was chosen by the test images, so nothing is left to measure it by.".to_owned(),
        ),
        (false, Some(_)) => (true, "The test images took no part in the choice.".to_owned()),
        (false, None) => {
            (false, "There are no test images that it could be measured by.".to_owned())
        }
    });
    let done = answers.trials.iter().filter(|trial| trial.is_completed()).count();
    if done < answers.trials.len() {
        let words = format!(
            "{} of {} were not completed.",
            number((answers.trials.len() - done) as u64),
            count(answers.trials.len(), "trial")
        );
        found.push((false, words));
    }
    if !answers.damaged.is_empty() {
        found.push((false, "Some files are not as the run wrote them.".to_owned()));
    }
    found
}

fn trust(answers: &Answers, best: &Setting) -> Markup {
    html! {
        ul class="checks" {
            @for (speaks_for, words) in checks(answers, best) {
                li class=(if speaks_for { "for" } else { "against" }) {
                    span class="unseen" { (if speaks_for { "Speaks for it: " } else { "Mind: " }) }
                    (words)
                }
            }
        }
    }
}

fn next(answers: &Answers, best: &Setting) -> Markup {
    let folder = quoted(&answers.root.display().to_string());
    let mut steps: Vec<Markup> = Vec::new();
    let n = best.estimate.map_or(0, |it| it.n);
    let is_open = answers.runner_up().is_some_and(|it| it.verdict != Verdict::Worse);
    match answers.seeds_to_tell().filter(|_| is_open && n >= ENOUGH) {
        Some(seeds) if seeds > MOST_SEEDS => steps.push(html! {
            "Choose by cost: to tell the first two apart would take more than " (MOST_SEEDS) " seeds."
        }),
        Some(seeds) if seeds > n as u64 => steps.push(html! {
            "Run about " (seeds) " seeds to tell the first two apart, if their difference is as large as it seems: "
            code { "sweep.seeds = " (seeds) } "."
        }),
        _ if n < ENOUGH && answers.settings.len() > 1 => steps.push(html! {
            "Run more seeds: " code { "--set sweep.seeds=5" } " adds them to what is there."
        }),
        _ => {}
    }
    if answers.still_improves() {
        steps.push(html! { "Train for longer: the best epoch was the last one (" code { "train.epochs" } ")." });
    }
    for (name, level, is_greatest) in answers.at_an_end() {
        let end = if is_greatest { "greatest" } else { "least" };
        steps.push(html! { "Look beyond " (name) " = " (level) ": it is the " (end) " value that was tried." });
    }
    if let Some(cheaper) = answers.cheaper() {
        steps.push(html! {
            "Consider " strong { (cheaper.label) } ": it is not significantly worse than the best, and has "
            (cheaper.parameters.map_or(String::new(), compact)) " parameters instead of "
            (best.parameters.map_or(String::new(), compact)) "."
        });
    }
    if best.test.is_none() && !answers.measure.is_test() {
        steps.push(html! { "Set images aside for a last test: " code { "data.test" } "." });
    }
    steps.truncate(NEXT);
    html! {
        ul {
            @for step in &steps { li { (step) } }
            li { "Use it: " code { "wick predict --model " (folder) " IMAGE" } }
        }
    }
}
