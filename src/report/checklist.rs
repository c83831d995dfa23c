//! A checklist of what a reader needs to judge and repeat the results, as far as the folder knows it.

use std::collections::BTreeSet;

use maud::html;

use crate::analysis::machines::kinds;
use crate::analysis::{Answers, Kind};
use crate::basis::number::{count, number};
use crate::basis::regular;
use crate::results::layout::ENVIRONMENT;
use crate::sweep::store::Store;

use super::card::inline;
use super::ranking::span;
use super::section::Section;

/// What a machine is taken to draw while it trains, in watts: a desktop's processor under load, without a graphics card.
const WATTS: f64 = 100.0;

/// A line of the checklist: whether it is known, what, and in words.
pub(super) struct Line {
    is_known: bool,
    what: &'static str,
    words: String,
}

/// The lines.
pub(super) fn lines(answers: &Answers) -> Vec<Line> {
    let known = |what: &'static str, words: String| Line { is_known: true, what, words };
    let open =
        |what: &'static str, words: &str| Line { is_known: false, what, words: words.to_owned() };
    let environment: toml::Table = regular::read_to_string(&answers.root.join(ENVIRONMENT))
        .ok()
        .and_then(|text| toml::from_str(&text).ok())
        .unwrap_or_default();
    let word = |key: &str| {
        environment.get(key).map(|it| it.as_str().map_or_else(|| it.to_string(), str::to_owned))
    };
    let (seeds, folds) = answers.repeats();
    let done = answers.trials.iter().filter(|trial| trial.is_completed()).count();
    let mut lines = Vec::new();
    let of: BTreeSet<&str> = answers.trials.iter().map(|trial| trial.seed.as_str()).collect();
    let folds = if folds > 1 { format!(", {}", count(folds, "fold")) } else { String::new() };
    lines.push(known(
        "Runs",
        format!(
            "{}, {} completed: {}, {} ({}){folds}",
            count(answers.trials.len(), "trial"),
            number(done as u64),
            count(answers.settings.len(), "setting"),
            count(seeds, "seed"),
            list(of.iter().take(10).copied(), of.len())
        ),
    ));
    let factors: Vec<String> = answers
        .varied()
        .map(|factor| {
            let levels = factor.levels.iter().map(|level| level.name.as_str());
            match (factor.kind, factor.numbers()) {
                (Kind::Drawn, Some(numbers)) => {
                    let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
                    let greatest = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    format!(
                        "{}: {} values drawn, from {least} to {greatest}",
                        factor.name,
                        numbers.len()
                    )
                }
                _ => format!("{}: {}", factor.name, list(levels.take(10), factor.levels.len())),
            }
        })
        .collect();
    lines.push(match factors.is_empty() {
        true => known("Bounds of the search", "nothing was varied".to_owned()),
        false => known("Bounds of the search", factors.join("; ")),
    });
    let measure = answers.measure;
    lines.push(known(
        "Rule of choice",
        format!(
            "the best mean {} over the runs of a setting, at the best epoch of each run{}",
            measure.words(),
            if measure.is_test() {
                "; this looks at the test images"
            } else {
                "; test images took no part"
            }
        ),
    ));
    let enough = answers.best().and_then(|best| best.estimate).filter(|found| found.n > 1);
    lines.push(match enough {
        Some(found) => known(
            "Intervals",
            format!(
                "95 %, Student's t over {} runs; paired t tests with Holm's correction",
                found.n
            ),
        ),
        None => open(
            "Intervals",
            "none: a setting has one run, so the spread between runs is not known",
        ),
    });
    let seconds: Vec<f64> = answers.trials.iter().filter_map(|trial| trial.seconds).collect();
    let total: f64 = seconds.iter().sum();
    lines.push(match seconds.is_empty() {
        true => open("Time", "not recorded"),
        false => known(
            "Time",
            format!(
                "{} of training in all, summed over trials; {} for one on average",
                span(total),
                span(total / seconds.len() as f64)
            ),
        ),
    });
    let trials = answers.trials.iter().map(|trial| (trial.number, trial.digest.as_str()));
    let kinds = kinds(&answers.root, trials);
    let processors: BTreeSet<&str> =
        kinds.iter().flat_map(|kind| &kind.processors).map(String::as_str).collect();
    let cores = word("cores").map(|cores| format!("{cores} cores")).into_iter();
    let devices = word("devices").map(|devices| format!("devices {devices}")).into_iter();
    let hardware: Vec<String> =
        processors.iter().map(|it| (*it).to_owned()).chain(cores).chain(devices).collect();
    lines.push(match hardware.is_empty() {
        true => open("Hardware", "not recorded"),
        false => known("Hardware", hardware.join(", ")),
    });
    lines.push(match word("version") {
        Some(version) => known(
            "Program",
            format!(
                "candlewick {version}{}",
                word("binary").map_or_else(String::new, |binary| format!(", binary {binary}"))
            ),
        ),
        None => open("Program", "its version was not recorded"),
    });
    let images = Store::of(&answers.root).images();
    lines.push(match images.is_empty() {
        true => open("Images", "their fingerprint is not in this folder"),
        false => known(
            "Images",
            images
                .iter()
                .map(|(_, it)| {
                    format!("{} of fingerprint {}", number(it.images as u64), it.fingerprint)
                })
                .collect::<Vec<_>>()
                .join("; "),
        ),
    });
    lines.push(match answers.text.is_empty() {
        true => open("Experiment", "experiment.toml is missing"),
        false => known(
            "Experiment",
            "experiment.toml, resolved, with all that trials were run with".to_owned(),
        ),
    });
    lines.push(match answers.best().is_some_and(|best| best.test.is_some()) {
        true => known(
            "Test images",
            "set aside before training; they chose nothing unless the rule says so".to_owned(),
        ),
        false => open("Test images", "none"),
    });
    // Trials side by side share the machine.
    let workers = word("workers").and_then(|it| it.parse::<f64>().ok()).filter(|it| *it >= 1.0);
    let is_cpu = word("devices")
        .is_none_or(|devices| !devices.contains("cuda") && !devices.contains("metal"));
    lines.push(match (seconds.is_empty(), workers, is_cpu) {
        (false, Some(workers), true) => {
            let hours = total / workers / 3600.0;
            Line {
                is_known: false,
                what: "Energy",
                words: format!(
                    "not measured. An estimate: if the machine drew {WATTS:.0} W for the {} that it trained ({} at once), it is {} kWh; what it draws is assumed",
                    span(total / workers),
                    count(workers as usize, "trial"),
                    short(WATTS * hours / 1000.0)
                ),
            }
        }
        _ => open("Energy", "not measured, and too little is known for an estimate"),
    });
    lines
}

/// Two digits.
fn short(number: f64) -> String {
    match number {
        small if small < 0.0001 => "less than 0.0001".to_owned(),
        small if small < 0.01 => format!("{small:.4}"),
        some if some < 1.0 => format!("{some:.2}"),
        large => format!("{large:.1}"),
    }
}

fn list<'a>(first: impl Iterator<Item = &'a str>, all: usize) -> String {
    let first: Vec<&str> = first.collect();
    let more =
        if first.len() < all { format!(" and {} more", all - first.len()) } else { String::new() };
    format!("{}{more}", first.join(", "))
}

/// The checklist as Markdown.
pub(super) fn markdown(lines: &[Line]) -> String {
    let line = |line: &Line| {
        format!(
            "- [{}] **{}**: {}\n",
            if line.is_known { 'x' } else { ' ' },
            line.what,
            inline(&line.words)
        )
    };
    format!("\n## Reproducibility checklist\n\n{}", lines.iter().map(line).collect::<String>())
}

/// The section.
pub(super) fn section(lines: &[Line]) -> Section {
    let body = html! {
        p { "What a reader needs to judge and to repeat these results, filled in from what the run wrote." }
        dl class="checklist" {
            @for line in lines {
                dt class=(if line.is_known { "known" } else { "open" }) {
                    span class="unseen" { (if line.is_known { "known: " } else { "open: " }) }
                    (line.what)
                }
                dd { (line.words) }
            }
        }
    };
    Section { id: "checklist", title: "Checklist", body }
}
