//! What each factor does by itself, whether factors act together, and maps of pairs of them.

use maud::{Markup, html};

use crate::analysis::effects::{Effect, Interaction, effects, interactions, surfaces};
use crate::analysis::statistics::{ALPHA, Paired};
use crate::analysis::{Answers, Factor, Kind};
use crate::charts::Chart;
use crate::charts::forest::{self, forest};
use crate::charts::heat::{Cell, heat};
use crate::charts::parallel::{Column, parallel};
use crate::charts::scatter::{Point, scatter};

use super::section::{self, Section, capital, colour, p_value};

/// Effects and interactions that are drawn.
const ROWS: usize = 24;
/// Maps, and levels of each factor in one.
const MAPS: usize = 6;
const LEVELS: usize = 16;
/// Settings that go through parallel coordinates.
const LINES: usize = 400;
/// Trials in a scatter plot.
const POINTS: usize = 1500;

/// The charts, in the order of the page.
pub(super) fn charts(answers: &Answers) -> Vec<Chart> {
    let (effects, interactions) = (effects(answers), interactions(answers));
    let mut charts: Vec<Chart> = effects_chart(answers, &effects).into_iter().collect();
    charts.extend(interactions_chart(answers, &interactions));
    charts.extend(maps(answers));
    charts.extend(drawn(answers));
    charts.extend(coordinates(answers));
    charts
}

/// "batch − none", or "0.5 − 0".
fn levels(factor: &Factor, to: usize, from: usize) -> String {
    format!("{} − {}", factor.levels[to].name, factor.levels[from].name)
}

fn words(answers: &Answers, paired: &Paired) -> String {
    let measure = answers.measure;
    let mean = measure.show_difference(paired.difference.mean);
    let half = paired.difference.half_width;
    let half = half.map_or(String::new(), |half| format!(" ± {}", measure.show(half)));
    format!("{mean}{half}")
}

fn unit(answers: &Answers) -> String {
    let measure = answers.measure;
    let points = if measure.is_loss() { "" } else { ", points" };
    let direction = if measure.is_loss() { "left is better" } else { "right is better" };
    format!("difference in {}{points} ({direction})", measure.words())
}

/// `1 pair`, `2 pairs`
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn row(answers: &Answers, label: String, paired: &Paired, corrected: Option<f64>) -> forest::Row {
    let scale = if answers.measure.is_loss() { 1.0 } else { 100.0 };
    forest::Row {
        label,
        words: format!("{}, {}", words(answers, paired), counted(paired.difference.n, "pair")),
        mean: scale * paired.difference.mean,
        half_width: paired.difference.half_width.map(|half| scale * half),
        is_strong: corrected.is_some_and(|p| p < ALPHA),
    }
}

fn effects_chart(answers: &Answers, effects: &[Effect]) -> Option<Chart> {
    let rows: Vec<forest::Row> = effects
        .iter()
        .take(ROWS)
        .map(|effect| {
            let factor = &answers.factors[effect.factor];
            let label = format!("{}: {}", factor.name, levels(factor, effect.to, effect.from));
            row(answers, label, &effect.paired, effect.corrected)
        })
        .collect();
    let chart =
        || forest("effects", "Effect of each factor, by matched pairs", &rows, &unit(answers));
    (!rows.is_empty()).then(chart)
}

fn interaction_label(answers: &Answers, found: &Interaction) -> String {
    let [a, b] = found.factors.map(|factor| &answers.factors[factor]);
    let (from, to) = (&b.levels[found.from[1]].name, &b.levels[found.to[1]].name);
    format!(
        "{} {}: at {} {to}, beside {from}",
        a.name,
        levels(a, found.to[0], found.from[0]),
        b.name
    )
}

fn interactions_chart(answers: &Answers, interactions: &[Interaction]) -> Option<Chart> {
    let mut order: Vec<&Interaction> = interactions.iter().collect();
    let size = |found: &Interaction| found.paired.difference.mean.abs();
    order.sort_by(|a, b| size(b).total_cmp(&size(a)));
    let rows: Vec<forest::Row> = order
        .into_iter()
        .take(ROWS / 2)
        .map(|found| {
            let [a, b] = [0, 1].map(|which| {
                let factor = &answers.factors[found.factors[which]];
                format!("{} {}", factor.name, factor.levels[found.to[which]].name)
            });
            let label = format!("{a} × {b}");
            let mut row = row(answers, label, &found.paired, found.corrected);
            row.words = row.words.replace("pair", "quadruple");
            row
        })
        .collect();
    let title = "Interactions: the joint effect minus the sum of the single effects";
    (!rows.is_empty()).then(|| forest("interactions", title, &rows, &unit(answers)))
}

fn maps(answers: &Answers) -> Vec<Chart> {
    let measure = answers.measure;
    let fits = |factor: usize| answers.factors[factor].levels.len() <= LEVELS;
    let maps = surfaces(answers).into_iter();
    let maps = maps.filter(|surface| surface.factors.into_iter().all(fits)).take(MAPS);
    maps.map(|surface| {
        // The factor with more levels goes down, where there is room.
        let [mut a, mut b] = surface.factors.map(|factor| &answers.factors[factor]);
        let mut cells = surface.cells;
        if a.levels.len() < b.levels.len() {
            std::mem::swap(&mut a, &mut b);
            cells = (0..a.levels.len())
                .map(|row| cells.iter().map(|column| column[row]).collect())
                .collect();
        }
        let cells: Vec<Vec<Option<Cell>>> = cells
            .iter()
            .enumerate()
            .map(|(row, cells)| {
                let cell = |(column, estimate): (
                    usize,
                    &Option<crate::analysis::statistics::Estimate>,
                )| {
                    let estimate = (*estimate)?;
                    let (row, column) = (&a.levels[row].name, &b.levels[column].name);
                    Some(Cell {
                        value: estimate.mean,
                        words: measure.show(estimate.mean),
                        title: format!(
                            "{} {row}, {} {column}: {} over {} trials",
                            a.name,
                            b.name,
                            section::estimate(answers, &estimate),
                            estimate.n
                        ),
                    })
                };
                cells.iter().enumerate().map(cell).collect()
            })
            .collect();
        let names = |factor: &Factor| -> Vec<String> {
            factor.levels.iter().map(|level| level.name.clone()).collect()
        };
        let name = format!("map-{}-{}", file_name(&a.name), file_name(&b.name));
        let unit = if measure.is_loss() { "" } else { ", %" };
        let title = format!("Mean {}{unit}, by {} and {}", measure.words(), a.name, b.name);
        let both = [&a.name[..], &b.name[..]];
        heat(&name, &title, both, &names(a), &names(b), &cells, measure.is_loss())
    })
    .collect()
}

/// A part of a file's name.
fn file_name(words: &str) -> String {
    words.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

/// For factors that were drawn or suggested: every trial by its value.
fn drawn(answers: &Answers) -> Vec<Chart> {
    let mut charts = Vec::new();
    for factor in answers.varied().filter(|factor| factor.kind == Kind::Drawn) {
        let number = |level: usize| factor.levels[level].values[0].parse::<f64>().ok();
        let has_numbers = (0..factor.levels.len()).filter(|level| number(*level).is_some()).count();
        if has_numbers < 3 {
            continue;
        }
        let scale = if answers.measure.is_loss() { 1.0 } else { 100.0 };
        let every = answers.trials.len().div_ceil(POINTS).max(1);
        let points: Vec<Point> = (0..answers.trials.len())
            .step_by(every)
            .filter_map(|index| {
                let trial = &answers.trials[index];
                Some(Point {
                    x: number(factor.of_trial[index])?,
                    y: scale * answers.value(trial)?,
                    label: String::new(),
                    class: "s0".to_owned(),
                    title: format!("trial {}", trial.number),
                })
            })
            .collect();
        if points.is_empty() {
            continue;
        }
        let name = format!("drawn-{}", file_name(&factor.name));
        let title =
            format!("{} of every trial, by {}", capital(&answers.measure.words()), factor.name);
        charts.push(scatter(&name, &title, &factor.name, &points, &[]));
    }
    charts
}

/// Three factors or more together.
fn coordinates(answers: &Answers) -> Option<Chart> {
    let varied: Vec<&Factor> = answers.varied().filter(|factor| is_drawable(factor)).collect();
    let ranked: Vec<usize> = (0..answers.settings.len())
        .filter(|index| answers.settings[*index].estimate.is_some())
        .collect();
    if !(3..=8).contains(&varied.len()) || ranked.len() < 3 {
        return None;
    }
    let every = ranked.len().div_ceil(LINES).max(1);
    let shown: Vec<usize> = ranked
        .iter()
        .enumerate()
        .filter(|(rank, _)| *rank < 5 || rank % every == 0)
        .map(|(_, index)| *index)
        .collect();
    let level = |factor: &Factor, index: usize| factor.of_trial[answers.settings[index].trials[0]];
    let mut columns: Vec<Column> = varied
        .iter()
        .map(|factor| {
            let numbers = factor.numbers().filter(|numbers| numbers.len() > 8);
            let value = |index: &usize| match &numbers {
                Some(numbers) => numbers[level(factor, *index)],
                None => level(factor, *index) as f64,
            };
            let levels = factor.levels.iter().map(|level| level.name.clone());
            Column {
                name: factor.name.clone(),
                values: shown.iter().map(value).collect(),
                levels: if numbers.is_some() { Vec::new() } else { levels.collect() },
            }
        })
        .collect();
    let scale = if answers.measure.is_loss() { 1.0 } else { 100.0 };
    let mean = |index: &usize| answers.settings[*index].estimate.map_or(0.0, |found| found.mean);
    columns.push(Column {
        name: answers.measure.name(),
        values: shown.iter().map(|index| scale * mean(index)).collect(),
        levels: Vec::new(),
    });
    let best = |rank: usize| if rank < 5 { colour(rank) } else { "rest".to_owned() };
    let classes: Vec<String> = (0..shown.len()).map(best).collect();
    let title = "Every setting as a line through its values; the best five in colours";
    Some(parallel("coordinates", title, &columns, &classes))
}

/// A factor of few levels, or of numbers.
fn is_drawable(factor: &Factor) -> bool {
    factor.levels.len() <= 24 || factor.numbers().is_some()
}

/// The section; none if nothing was varied or nothing can be compared.
pub(super) fn section(answers: &Answers) -> Option<Section> {
    let (effects, interactions) = (effects(answers), interactions(answers));
    let (maps, drawn, coordinates) = (maps(answers), drawn(answers), coordinates(answers));
    if effects.is_empty() && maps.is_empty() && drawn.is_empty() && coordinates.is_none() {
        return None;
    }
    let forests = [effects_chart(answers, &effects), interactions_chart(answers, &interactions)];
    let body = html! {
        @if let Some(sentence) = sentence(answers, &effects) { p { (sentence) } }
        div class="charts" { @for chart in forests.iter().flatten() { (chart.figure()) } }
        @if !effects.is_empty() {
            (table(answers, &effects, &interactions))
            p class="note" {
                "A pair is two completed trials that differ only in the factor, with the same other settings, \
                 seed and fold. "
                "Intervals are 95 % (Student's t over the pairs), p-values have Holm's correction over the rows \
                 of their kind; grey is not significant at 5 %. "
                "Pairs with the same seed count as independent; with few seeds and many settings, intervals are \
                 slightly too narrow."
            }
        } @else if answers.varied().any(|factor| factor.kind == Kind::Chosen) {
            p class="note" { "No two completed trials differ in only one factor, so there are no matched pairs." }
        }
        div class="charts" { @for chart in maps.iter().chain(&drawn) { (chart.figure()) } }
        @if let Some(chart) = &coordinates { div class="scroll wide" { (chart.figure()) } }
    };
    Some(Section { id: "effects", title: "Effects", body })
}

/// The largest significant effect in words.
fn sentence(answers: &Answers, effects: &[Effect]) -> Option<Markup> {
    let strong = effects.iter().filter(|effect| effect.corrected.is_some_and(|p| p < ALPHA));
    let size = |effect: &Effect| effect.paired.difference.mean.abs();
    let effect = strong.max_by(|a, b| size(a).total_cmp(&size(b)))?;
    let factor = &answers.factors[effect.factor];
    let measure = answers.measure;
    Some(html! {
        "The largest effect is that of " strong { (factor.name) " " (factor.levels[effect.to].name) } " against " (factor.levels[effect.from].name) ": "
        strong { (words(answers, &effect.paired)) (measure.unit_of_difference()) }
        " over " (counted(effect.paired.difference.n, "pair")) "."
    })
}

fn table(answers: &Answers, effects: &[Effect], interactions: &[Interaction]) -> Markup {
    let line = |name: String, paired: &Paired, corrected: Option<f64>| {
        html! {
            tr {
                td { (name) }
                td class="number" data-value=(paired.difference.mean) { (words(answers, paired)) (answers.measure.unit_of_difference()) }
                td class="number" data-value=(paired.difference.n) { (paired.difference.n) }
                td class="number" data-value=(corrected.map_or(String::new(), |p| p.to_string())) { (corrected.map_or("–".to_owned(), p_value)) }
            }
        }
    };
    html! {
        details {
            summary { "All effects and interactions as a table" }
            div class="scroll" { table class="data sortable" {
                thead { tr { th { "comparison" } th class="number" { "difference" } th class="number" { "pairs" } th class="number" { "p" } } }
                tbody {
                    @for effect in effects.iter().take(500) {
                        @let factor = &answers.factors[effect.factor];
                        (line(format!("{}: {}", factor.name, levels(factor, effect.to, effect.from)), &effect.paired, effect.corrected))
                    }
                    @for found in interactions.iter().take(500) {
                        (line(interaction_label(answers, found), &found.paired, found.corrected))
                    }
                }
            } }
        }
    }
}
