//! What settings come to against what they cost.

use maud::html;

use crate::analysis::{Answers, Setting};
use crate::charts::Chart;
use crate::charts::scatter::{Point, front, scatter};

use super::section::{self, Section, called, capital, colour};

/// Settings that are drawn.
const POINTS: usize = 800;
/// Costs that differ by less than this factor are not worth a chart.
const WORTH: f64 = 1.1;

/// A cost: file name, title, words below the axis, and the number.
type Cost = (&'static str, &'static str, &'static str, fn(&Setting) -> Option<f64>);

const COSTS: [Cost; 3] = [
    ("cost-parameters", "by parameters", "parameters", |setting| setting.parameters),
    ("cost-flops", "by FLOPs", "multiplications with addition for one image", |setting| {
        setting.flops
    }),
    ("cost-time", "by time", "seconds for a trial", |setting| setting.seconds),
];

/// The charts of all costs that differ between settings.
pub(super) fn charts(answers: &Answers) -> Vec<Chart> {
    let measure = answers.measure;
    let scale = if measure.is_loss() { 1.0 } else { 100.0 };
    let ranked: Vec<&Setting> =
        answers.settings.iter().filter(|setting| setting.estimate.is_some()).collect();
    let shown = &ranked[..ranked.len().min(6)];
    let mut charts = Vec::new();
    for (name, by, across, cost) in COSTS {
        let costs: Vec<f64> = ranked.iter().filter_map(|setting| cost(setting)).collect();
        let least = costs.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = costs.iter().copied().fold(0.0, f64::max);
        if costs.len() < 2 || greatest < WORTH * least {
            continue;
        }
        let points: Vec<Point> = ranked
            .iter()
            .enumerate()
            .take(POINTS)
            .filter_map(|(rank, setting)| {
                let estimate = setting.estimate?;
                Some(Point {
                    x: cost(setting)?,
                    y: scale * estimate.mean,
                    label: if rank < shown.len() { called(shown, rank) } else { String::new() },
                    class: colour(rank),
                    title: format!("{}: {}", setting.label, section::estimate(answers, &estimate)),
                })
            })
            .collect();
        let places: Vec<[f64; 2]> = points.iter().map(|point| [point.x, point.y]).collect();
        let unit = if measure.is_loss() { "" } else { ", %" };
        let title = format!("{}{unit}, {by}", capital(&measure.words()));
        charts.push(scatter(name, &title, across, &points, &front(&places, measure.is_loss())));
    }
    charts
}

/// The section; none if everything costs the same.
pub(super) fn section(answers: &Answers) -> Option<Section> {
    let charts = charts(answers);
    if charts.is_empty() {
        return None;
    }
    let body = html! {
        div class="charts" { @for chart in &charts { (chart.figure()) } }
        p class="note" {
            "The dashed line goes through the settings that nothing cheaper beats. "
            "Time depends on the machine and on what else it did."
        }
    };
    Some(Section { id: "cost", title: "Cost", body })
}
