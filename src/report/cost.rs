//! What settings come to against what they cost.

use maud::{Markup, html};

use crate::analysis::cost::Cost;
use crate::analysis::{Answers, Setting};
use crate::basis::naming::short;
use crate::charts::Chart;
use crate::charts::axis::compact;
use crate::charts::scatter::{Point, scatter};

use super::section::{self, Section, called, capital, colour};

/// Settings that are drawn beside those on the front.
const POINTS: usize = 800;

const COSTS: [Cost; 3] = [Cost::Parameters, Cost::Flops, Cost::Time];

/// File name, title and words below the axis.
fn words(cost: Cost) -> [&'static str; 3] {
    match cost {
        Cost::Parameters => ["cost-parameters", "by parameters", "parameters"],
        Cost::Flops => ["cost-flops", "by FLOPs", "multiplications with addition for one image"],
        Cost::Time => ["cost-time", "by time", "seconds for a trial"],
    }
}

/// The charts of all costs that differ between settings.
pub(super) fn charts(answers: &Answers) -> Vec<Chart> {
    let matter = COSTS.into_iter().filter(|cost| cost.matters(answers.settings.iter()));
    matter.map(|cost| chart(answers, cost)).collect()
}

fn chart(answers: &Answers, cost: Cost) -> Chart {
    let measure = answers.measure;
    let scale = if measure.is_loss() { 1.0 } else { 100.0 };
    let ranked: Vec<&Setting> =
        answers.settings.iter().filter(|setting| setting.estimate.is_some()).collect();
    let shown = &ranked[..ranked.len().min(6)];
    let front = cost.front(answers);
    let mut points = Vec::new();
    let mut places = vec![None; ranked.len()];
    for (rank, setting) in ranked.iter().enumerate() {
        let is_drawn = rank < POINTS || front.contains(&rank);
        let (Some(estimate), Some(x), true) = (setting.estimate, cost.of(setting), is_drawn) else {
            continue;
        };
        places[rank] = Some(points.len());
        points.push(Point {
            x,
            y: scale * estimate.mean,
            label: if rank < shown.len() { called(shown, rank) } else { String::new() },
            class: colour(rank),
            title: format!("{}: {}", setting.label, section::estimate(answers, &estimate)),
        });
    }
    let front: Vec<usize> = front.into_iter().filter_map(|rank| places[rank]).collect();
    let [name, by, across] = words(cost);
    let unit = if measure.is_loss() { "" } else { ", %" };
    let title = format!("{}{unit}, {by}", capital(&measure.words()));
    scatter(name, &title, across, &points, &front)
}

/// The section; none if everything costs the same.
pub(super) fn section(answers: &Answers) -> Option<Section> {
    let charts = charts(answers);
    if charts.is_empty() {
        return None;
    }
    let body = html! {
        div class=(if charts.len() == 1 { "split" } else { "" }) {
        div class="charts" { @for chart in &charts { (chart.figure()) } }
        p class="note" {
            "Rings and the dashed line are the Pareto front: no other setting is at least as cheap "
            "and at least as good, and better in one of them. It uses only means: neighbours may be tied. "
            "Time depends on the machine and its other work."
        }
        }
        (table(answers))
    };
    Some(Section { id: "cost", title: "Cost", body })
}

/// The settings on a front of what does not depend on the clock, the cheapest first.
fn table(answers: &Answers) -> Markup {
    let costs: Vec<Cost> =
        Cost::EXACT.into_iter().filter(|cost| cost.matters(answers.settings.iter())).collect();
    let Some(first) = costs.first() else { return html! {} };
    let fronts: Vec<Vec<usize>> = costs.iter().map(|cost| cost.front(answers)).collect();
    let mut ranks: Vec<usize> = fronts.iter().flatten().copied().collect();
    ranks.sort_unstable();
    ranks.dedup();
    let price = |rank: &usize| first.of(&answers.settings[*rank]).unwrap_or(f64::INFINITY);
    ranks.sort_by(|a, b| price(a).total_cmp(&price(b)));
    html! {
        div class="scroll" { table class="data sortable" {
            thead { tr {
                th class="number" { "#" }
                @for name in &answers.axes { th title=(name) { (short(name, &answers.axes)) } }
                th class="number" { (answers.measure.words()) }
                @for cost in Cost::EXACT { th class="number" { (cost.words()) } }
                th { "on the front by" }
            } }
            tbody {
                @for rank in ranks {
                    @let setting = &answers.settings[rank];
                    tr {
                        td class="number" data-value=(rank) { span class=(format!("key {}", colour(rank))) { (rank + 1) } }
                        @for (value, name) in setting.values.iter().zip(&setting.names) {
                            td title=(value) { @if name.is_empty() { "–" } @else { (name) } }
                        }
                        td class="number" data-value=[setting.estimate.map(|found| found.mean)] {
                            @if let Some(found) = &setting.estimate { (section::estimate(answers, found)) }
                        }
                        @for cost in Cost::EXACT {
                            @let value = cost.of(setting);
                            td class="number" data-value=[value] { (value.map_or("–".to_owned(), compact)) }
                        }
                        td {
                            @let on: Vec<&str> = costs.iter().zip(&fronts).filter(|(_, front)| front.contains(&rank)).map(|(cost, _)| cost.words()).collect();
                            (on.join(", "))
                        }
                    }
                }
            }
        } }
    }
}
