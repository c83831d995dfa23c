//! Learning curves: the best settings in colours, the others behind them.

use maud::html;

use crate::analysis::curves::{CURVES, curve};
use crate::analysis::{Answers, Setting};
use crate::charts::lines::{Series, lines};
use crate::charts::{COLOURS, Chart};

use super::section::{Section, called};

/// Curves of further settings, drawn without colours.
const BEHIND: usize = 60;

/// Charts, in the order of the page: index into [`CURVES`], title, index of the one whose range it shares.
const ORDER: [(usize, &str, usize); 4] = [
    (3, "Validation accuracy, %", 1),
    (1, "Training accuracy, %", 3),
    (2, "Validation loss", 0),
    (0, "Training loss", 2),
];

fn ranked(answers: &Answers) -> Vec<&Setting> {
    answers.settings.iter().filter(|setting| setting.estimate.is_some()).collect()
}

/// The charts of all scores that there are; none of trials of a single epoch.
pub(super) fn charts(answers: &Answers) -> Vec<Chart> {
    let ranked = ranked(answers);
    let shown = &ranked[..ranked.len().min(COLOURS)];
    let behind = &ranked[shown.len()..];
    // Evenly from the second best to the worst.
    let every = behind.len().div_ceil(BEHIND).max(1);
    let all: Vec<Vec<Series>> = (0..CURVES.len())
        .map(|score| {
            let is_part = CURVES[score].ends_with("accuracy");
            let series = |setting: &Setting, label: String, class: String| {
                let mut points = curve(answers, setting, score)?.points;
                if is_part {
                    points.iter_mut().flatten().for_each(|value| *value *= 100.0);
                }
                Some(Series { label, class, points })
            };
            let best = shown.iter().enumerate().filter_map(|(rank, setting)| {
                let label = if shown.len() > 1 { called(shown, rank) } else { String::new() };
                series(setting, label, format!("s{rank}"))
            });
            let others = behind.iter().step_by(every);
            let others =
                others.filter_map(|setting| series(setting, String::new(), "rest".to_owned()));
            best.chain(others).collect()
        })
        .collect();
    let legend: Vec<(String, String)> = shown
        .iter()
        .enumerate()
        .map(|(rank, setting)| (format!("s{rank}"), format!("#{} {}", rank + 1, setting.label)))
        .collect();
    ORDER
        .into_iter()
        // One epoch is no curve.
        .filter(|(score, ..)| all[*score].iter().any(|series| series.points.len() > 1))
        .map(|(score, title, other)| {
            let range = range(all[score].iter().chain(&all[other]));
            let name = format!("curve-{}", CURVES[score].replace('_', "-"));
            Chart { legend: legend.clone(), ..lines(&name, title, &all[score], range) }
        })
        .collect()
}

/// The range of the means. Of losses that explode, what lies above three times the usual start is cut.
fn range<'a>(series: impl Iterator<Item = &'a Series>) -> [f64; 2] {
    let (mut least, mut peaks) = (f64::INFINITY, Vec::new());
    for series in series {
        let means = || series.points.iter().map(|point| point[1]);
        least = means().fold(least, f64::min);
        peaks.push(means().fold(f64::NEG_INFINITY, f64::max));
    }
    peaks.sort_by(f64::total_cmp);
    let usual = peaks.get(peaks.len() / 2).copied().unwrap_or(1.0);
    let greatest = peaks.last().copied().unwrap_or(1.0);
    [least, greatest.min(least + 3.0 * (usual - least).max(1e-9))]
}

/// The section; none if there are no curves.
pub(super) fn section(answers: &Answers) -> Option<Section> {
    let charts = charts(answers);
    let ranked = ranked(answers);
    let legend = charts.first()?.legend.clone();
    let is_repeated =
        ranked.iter().any(|setting| setting.estimate.is_some_and(|found| found.n > 1));
    let body = html! {
        ul class="legend" {
            @for (class, words) in &legend { li { span class=(format!("swatch {class}")) {} (words) } }
            @if ranked.len() > legend.len() { li { span class="swatch rest" {} (ranked.len() - legend.len()) " other settings" } }
        }
        div class="charts" { @for chart in &charts { (chart.figure()) } }
        p class="note" {
            @if is_repeated { "Lines are means over the trials of a setting, bands go from the lowest to the \
                               highest trial. " }
            "Training scores are those of the training batches, with dropout and augmentation, while the weights move."
        }
    };
    Some(Section { id: "curves", title: "Learning curves", body })
}
