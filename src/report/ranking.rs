//! The ranking: every setting with its mean, its interval, and how it stands beside the best.

use maud::{Markup, html};

use crate::analysis::statistics::{ALPHA, Estimate};
use crate::analysis::{Answers, Setting, Verdict};
use crate::basis::naming::short;
use crate::charts::axis::{Axis, compact};

use super::section::{self, Section, colour, estimate, p_value};

/// Rows of the table; the JSON has all.
const ROWS: usize = 300;
/// Rows up to which the table is seen as a whole.
const TALL: usize = 30;
/// Settings from which on the luck of the best is worth a word.
const MANY: usize = 3;
/// Width of the drawing of an interval.
const WIDTH: f64 = 200.0;
/// Room for half of a number at its ends.
const EDGE: f64 = 16.0;

/// Which columns there are beside those that always are.
#[derive(Clone, Copy)]
struct Columns<'a> {
    has_pairs: bool,
    has_test: bool,
    has_parameters: bool,
    /// Of the axes, those that vary in the table.
    varies: &'a [bool],
}

/// The section: a table for each set of images.
pub(super) fn section(answers: &Answers) -> Section {
    let settings = &answers.settings[..answers.settings.len().min(ROWS)];
    let mut tables = Vec::new();
    let mut first = 0;
    for alike in settings.chunk_by(|a, b| a.set == b.set) {
        tables.push((&answers.sets[alike[0].set], table(answers, alike, first)));
        first += alike.len();
    }
    let has_pairs = answers.settings.iter().any(|setting| setting.behind.is_some());
    let body = html! {
        @for (name, table) in &tables {
            @if tables.len() > 1 { h3 { (name) } }
            (table)
        }
        @if answers.sets.len() > 1 {
            p class="note" { "Trials on different images or classes are ranked apart: their numbers say nothing of each other." }
        }
        @if answers.settings.len() > ROWS {
            p class="note" { "The first " (ROWS) " of " (answers.settings.len()) " settings; all are in the numbers at the end of this file, and in " code { "wick report --format csv" } "." }
        }
        div class="notes" {
            p class="note" {
                "Mean ± half of the 95 % interval (Student's t) over n completed trials, which differ only in \
                 seed and fold. "
                @if has_pairs {
                    "Behind the best: the mean difference on common seeds and folds, with its interval. The \
                     verdict is a paired t test with Holm's correction over all settings, at 5 %. Tied means \
                     that the data show no difference; there may be too few seeds."
                }
            }
            (luck(answers))
        }
    };
    Section { id: "ranking", title: "Ranking", body }
}

/// The table of settings on the same images, before which `first` others stand in the page.
fn table(answers: &Answers, settings: &[Setting], first: usize) -> Markup {
    let measure = answers.measure;
    let has = |of: fn(&Setting) -> bool| settings.iter().any(of);
    let (has_test, has_pairs) = (
        has(|setting| setting.test.is_some()) && !measure.is_test(),
        has(|setting| setting.behind.is_some()),
    );
    let parameters = || settings.iter().filter_map(|setting| setting.parameters);
    // A norm has a few parameters of its own, which nobody chooses by.
    let has_parameters =
        parameters().fold(0.0, f64::max) > 1.1 * parameters().fold(f64::INFINITY, f64::min);
    // What all settings of a table have in common stands above it.
    let varies: Vec<bool> = (0..answers.axes.len())
        .map(|axis| {
            answers.sets.len() == 1
                || settings.iter().any(|it| it.values[axis] != settings[0].values[axis])
        })
        .collect();
    let columns = Columns { has_pairs, has_test, has_parameters, varies: &varies };
    let axis = axis(answers, settings);
    html! {
        div class=(if settings.len() > TALL { "scroll tall" } else { "scroll" }) {
            table class="data sortable wide" data-filter="settings" {
                thead { tr {
                    th class="number" { "#" }
                    @for (name, _) in answers.axes.iter().zip(&varies).filter(|(_, varies)| **varies) {
                        th title=(name) { (short(name, &answers.axes)) }
                    }
                    th class="number" { "n" }
                    th class="number" { (measure.words()) }
                    th class="plain strip" { (scale(&axis)) }
                    @if has_pairs { th class="number" { "behind the best" } th { "verdict" } }
                    @if has_test { th class="number" { "test " (measure.words().rsplit(' ').next().unwrap_or_default()) } }
                    @if has_parameters { th class="number" { "parameters" } }
                    th class="number" { "time" }
                } }
                tbody {
                    @for (rank, setting) in settings.iter().enumerate() {
                        (row(answers, setting, [first, rank], &axis, columns))
                    }
                }
            }
        }
    }
}

/// What the numbers of the axis of intervals are multiplied with: parts of one are told in per cent.
fn factor(answers: &Answers) -> f64 {
    if answers.measure.is_loss() { 1.0 } else { 100.0 }
}

/// The axis of all drawings of intervals. What lies far behind would push all others together, so it ends
/// where the better half would fit twice more.
fn axis(answers: &Answers, settings: &[Setting]) -> Axis {
    let found: Vec<Estimate> = settings.iter().filter_map(|setting| setting.estimate).collect();
    let (Some(best), Some(middle)) = (found.first(), found.get(found.len() / 2)) else {
        return Axis::exact(0.0, 1.0, EDGE, WIDTH - EDGE);
    };
    let spread = |estimate: &Estimate| estimate.half_width.unwrap_or(0.0);
    let room = 3.0 * (best.mean - middle.mean).abs() + spread(best).min(spread(middle)).max(1e-9);
    let reach = found.iter().flat_map(|estimate| {
        let half = spread(estimate);
        [estimate.mean - half, estimate.mean + half]
            .map(|value| factor(answers) * value.clamp(best.mean - room, best.mean + room))
    });
    Axis::linear(reach, EDGE, WIDTH - EDGE)
}

/// The head of the column of intervals: the numbers of their axis.
fn scale(axis: &Axis) -> Markup {
    html! {
        span class="unseen" { "interval" }
        svg class="chart" width=(WIDTH) height="16" viewBox=(format!("0 0 {WIDTH} 16")) aria-hidden="true" {
            @for (value, text) in axis.ticks(4) {
                @let place = format!("{:.1}", axis.at(value));
                text class="soft middle" x=(place) y="10" { (text) }
                line class="zero" x1=(place) x2=(place) y1="13" y2="16" {}
            }
        }
    }
}

fn row(
    answers: &Answers,
    setting: &Setting,
    [first, rank]: [usize; 2],
    axis: &Axis,
    columns: Columns<'_>,
) -> Markup {
    let Columns { has_pairs, has_test, has_parameters, varies } = columns;
    let value = |estimate: Option<Estimate>| estimate.map(|estimate| estimate.mean);
    let n = setting.estimate.map_or(0, |estimate| estimate.n);
    html! {
        tr class=(if setting.verdict == Verdict::Best { "best" } else { "" }) {
            td class="number" data-value=(rank) { span class=(if setting.estimate.is_some() { format!("key {}", colour(first + rank)) } else { "key".to_owned() }) { (rank + 1) } }
            @for ((value, name), _) in setting.values.iter().zip(&setting.names).zip(varies).filter(|(_, varies)| **varies) {
                td title=(value) { @if name.is_empty() { "–" } @else { (name) } }
            }
            td class="number" data-value=(n) { (n) @if n < setting.trials.len() { " of " (setting.trials.len()) } }
            (cell(value(setting.estimate), setting.estimate.map(|found| estimate(answers, &found))))
            td class="plain" { @if let Some(found) = setting.estimate { (whisker(&found, factor(answers), axis, setting.verdict)) } }
            @if has_pairs {
                @let behind = setting.behind.map(|behind| behind.difference);
                // Behind is behind, whether more or less is better.
                (cell(value(behind), behind.map(|it| section::behind(answers, &it))))
                td { (verdict(setting)) }
            }
            @if has_test { (cell(value(setting.test), setting.test.map(|test| estimate(answers, &test)))) }
            @if has_parameters { (cell(setting.parameters, setting.parameters.map(compact))) }
            (cell(setting.seconds, setting.seconds.map(span)))
        }
    }
}

/// A cell with a number to sort by.
fn cell(value: Option<f64>, words: Option<String>) -> Markup {
    html! {
        td class="number" data-value=(value.map_or(String::new(), |value| value.to_string())) {
            (words.unwrap_or_else(|| "–".to_owned()))
        }
    }
}

fn verdict(setting: &Setting) -> Markup {
    let p = setting.corrected.map(p_value);
    html! {
        @match setting.verdict {
            Verdict::Best => span class="mark best" { "best" },
            Verdict::Tied => {
                // What only the correction for many comparisons keeps from being worse is no clear tie.
                @let is_clear = setting.behind.and_then(|behind| behind.p).is_some_and(|p| p >= ALPHA);
                span class=(if is_clear { "mark tied" } else { "mark" }) { "tied" }
                span class="mark" { ", " (p.unwrap_or_default()) }
            },
            Verdict::Worse => span class="mark" { "worse, " (p.unwrap_or_default()) },
            Verdict::Unknown => span class="mark" title="two seeds or folds in common with the best are needed" { "–" },
        }
    }
}

fn whisker(estimate: &Estimate, factor: f64, axis: &Axis, verdict: Verdict) -> Markup {
    let place = |value: f64| format!("{:.1}", axis.at(factor * value));
    let weak = if matches!(verdict, Verdict::Worse | Verdict::Unknown) { " weak" } else { "" };
    let half = estimate.half_width.unwrap_or(0.0);
    html! {
        svg class="chart" width=(WIDTH) height="14" viewBox=(format!("0 0 {WIDTH} 14")) aria-hidden="true" {
            @for (value, _) in axis.ticks(4) {
                @let place = format!("{:.1}", axis.at(value));
                line class="grid" x1=(place) x2=(place) y1="0" y2="14" {}
            }
            @if half > 0.0 {
                line class=(format!("whisker{weak}")) x1=(place(estimate.mean - half)) x2=(place(estimate.mean + half)) y1="7" y2="7" {}
            }
            @if axis.contains(factor * estimate.mean) {
                circle class=(format!("point{weak}")) cx=(place(estimate.mean)) cy="7" r="3.5" {}
            } @else {
                // An arrow to where it lies, beyond the axis.
                @let edge = axis.at(factor * estimate.mean);
                @let inwards = if edge < WIDTH / 2.0 { 5.0 } else { -5.0 };
                polygon class=(format!("point{weak}")) points=(format!("{edge:.1},7 {0:.1},3.5 {0:.1},10.5", edge + inwards)) {}
            }
        }
    }
}

/// The winner's curse: the best of many is in part the luckiest.
fn luck(answers: &Answers) -> Markup {
    let found: Vec<Estimate> =
        answers.settings.iter().filter_map(|setting| setting.estimate).collect();
    if found.len() < MANY {
        return html! {};
    }
    let luck = answers.luck();
    let measure = answers.measure;
    html! {
        aside class="note" {
            strong { "The winner's curse. " }
            "The best of " (found.len()) " settings is partly lucky, so its value is too good. "
            @if let Some(luck) = luck {
                "If all of them were equally good, the best would still seem to be about "
                (measure.show(luck)) (measure.unit_of_difference())
                " better than they are, by the spread between seeds. "
            }
            @if measure.is_test() {
                "Here the test images chose it, so no images are left for an unbiased score."
            } @else if answers.settings[0].test.is_some() {
                "Report its score on the test images, which did not choose it."
            } @else {
                "There are no test images in this experiment: " code { "data.test" } " sets some aside."
            }
        }
    }
}

/// Seconds in words.
pub(super) fn span(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 10.0 => format!("{seconds:.1} s"),
        seconds if seconds < 120.0 => format!("{seconds:.0} s"),
        seconds if seconds < 7200.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}
