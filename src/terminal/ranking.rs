//! The ranking at the end of a run: settings in order of the metric that chooses the best epoch,
//! each with its mean over seeds and folds.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::analysis::statistics::Estimate;
use crate::basis::record::{Metric, Status};
use crate::plan::sweep::Experiment;
use crate::sweep::standing::Known;
use crate::train::stopping::value;

use super::grid::{fit, grid};
use crate::basis::naming::{names, short};
use crate::basis::number::{count, number};

/// One row: a setting, and what its trials came to.
struct Group<'a> {
    settings: &'a [String],
    trials: Vec<&'a Known<'a>>,
}

/// The ranking, and what failed, as text for a terminal of `width` columns.
pub fn ranking(experiment: &Experiment, known: &[Known], width: usize) -> String {
    let mut groups: BTreeMap<usize, Group> = BTreeMap::new();
    for trial in known {
        let settings = &trial.trial.settings[..];
        let new = || Group { settings, trials: Vec::new() };
        groups.entry(trial.trial.setting).or_insert_with(new).trials.push(trial);
    }
    let metric = known.first().map_or(Metric::ValAccuracy, |known| known.trial.plan.train.best);
    let mut ranked: Vec<(Option<f64>, Group)> =
        groups.into_values().map(|group| (mean(&group.values(metric)), group)).collect();
    // Stable: of equal settings the one that stands first in the plan comes first.
    ranked.sort_by(|(a, _), (b, _)| match (a, b) {
        (Some(a), Some(b)) if metric.is_loss() => a.total_cmp(b),
        (Some(a), Some(b)) => b.total_cmp(a),
        (a, b) => b.is_some().cmp(&a.is_some()),
    });
    let mut header = vec!["".to_owned()];
    header.extend(experiment.axes.iter().map(|axis| short(axis, &experiment.axes)));
    header.extend(["n", metric.name(), "val_loss", "test_accuracy", "epoch"].map(str::to_owned));
    let cost = |group: &Group| {
        let model = &group.trials[0].trial.plan.model;
        [model.parameters(), model.trainable(), model.flops()]
    };
    // What networks cost is of interest where it differs by more than the few numbers of a norm.
    let costs_differ = [0, 1, 2].into_iter().any(|which| {
        let costs = || ranked.iter().map(|(_, group)| cost(group)[which]);
        costs().max() > costs().min().map(|least| least + least / 10)
    });
    if costs_differ {
        header.extend(["parameters", "trainable", "FLOPs"].map(str::to_owned));
    }
    let names: Vec<BTreeMap<&str, String>> = (0..experiment.axes.len())
        .map(|axis| names(ranked.iter().map(|(_, group)| group.settings[axis].as_str())))
        .collect();
    let mut rows = Vec::new();
    for (place, (_, group)) in ranked.iter().enumerate() {
        let done = group.done();
        let mut row = vec![(place + 1).to_string()];
        row.extend(
            group.settings.iter().zip(&names).map(|(value, names)| names[value.as_str()].clone()),
        );
        let tests: Vec<f64> =
            done.iter().filter_map(|known| Some(known.outcome.as_ref()?.test?.accuracy)).collect();
        let epochs: Vec<f64> = done
            .iter()
            .filter_map(|known| Some(known.outcome.as_ref()?.best_epoch as f64))
            .collect();
        row.push(match group.trials.len() - done.len() {
            0 => done.len().to_string(),
            _ => format!("{} of {}", done.len(), group.trials.len()),
        });
        row.push(with_half(&group.values(metric), metric.is_loss()));
        row.push(with_half(&group.values(Metric::ValLoss), true));
        row.push(with_half(&tests, false));
        row.push(mean(&epochs).map_or("–".to_owned(), |mean| format!("{mean:.0}")));
        if costs_differ {
            row.extend(cost(group).map(number));
        }
        rows.push(row);
    }
    // Should the metric that ranks be one of these, its column stands before the other one.
    let dispensable = DISPENSABLE.map(str::to_owned);
    fit(&mut header, &mut rows, &dispensable, width);
    let numbers = 1 + experiment.axes.len()..header.len();
    let mut table = grid(header, numbers, width);
    rows.into_iter().for_each(|row| _ = table.add_row(row));
    let mut text = table.trim_fmt();
    text.push('\n');
    if ranked.iter().any(|(_, group)| group.trials.len() > 1) {
        text.push_str("mean ± half of its 95 % interval over n trials (seeds, folds)\n");
    }
    let pruned = known.iter().filter(|known| known.status() == Status::Pruned).count();
    if pruned > 0 {
        let were = if pruned == 1 { "was" } else { "were" };
        let _ = writeln!(text, "{} {were} pruned: decisions.csv says why", count(pruned, "trial"));
    }
    text.push_str(&failures(known));
    text
}

/// Every reason of failures once, with the trials that have it, in the order of the first of these.
fn failures(known: &[Known]) -> String {
    let mut reasons: Vec<(&str, Vec<usize>)> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for known in known.iter().filter(|known| known.status() == Status::Failed) {
        let reason = known.outcome.as_ref().map_or("", |outcome| outcome.reason.as_str());
        let place = *places.entry(reason).or_insert_with(|| {
            reasons.push((reason, Vec::new()));
            reasons.len() - 1
        });
        reasons[place].1.push(known.trial.number);
    }
    let mut text = String::new();
    for (reason, trials) in reasons {
        let shown: Vec<String> = trials.iter().take(LISTED).map(usize::to_string).collect();
        let _ = match (&trials[..], trials.len().saturating_sub(LISTED)) {
            ([trial], _) => writeln!(text, "trial {trial} failed: {reason}"),
            (_, 0) => writeln!(text, "trials {} failed: {reason}", shown.join(", ")),
            (_, more) => {
                writeln!(text, "trials {} and {more} more failed: {reason}", shown.join(", "))
            }
        };
    }
    text
}

/// So many trials that failed for one reason are named.
const LISTED: usize = 10;

/// What is left out where there is not enough room, first things first; it stands in `trials.csv`.
const DISPENSABLE: [&str; 6] =
    ["FLOPs", "parameters", "trainable", "epoch", "val_loss", "test_accuracy"];

impl<'a> Group<'a> {
    fn done(&self) -> Vec<&'a Known<'a>> {
        let done = |known: &&&Known| known.status() == Status::Completed;
        self.trials.iter().filter(done).copied().collect()
    }

    /// The metric at the best epoch of each completed trial.
    fn values(&self, metric: Metric) -> Vec<f64> {
        let at_best = |known: &Known| -> Option<f64> {
            let outcome = known.outcome.as_ref()?;
            match outcome.best_epoch.checked_sub(1) {
                Some(index) => metric.of(known.records.get(index)?),
                None => value(metric, outcome),
            }
        };
        self.done().iter().filter_map(|known| at_best(known)).collect()
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The mean with half of its interval, as reports have it: losses as they are, parts of one in per cent.
fn with_half(values: &[f64], is_loss: bool) -> String {
    let show = |value: f64| {
        if is_loss { format!("{value:.4}") } else { format!("{:.2}", 100.0 * value) }
    };
    let unit = if is_loss { "" } else { " %" };
    match Estimate::of(values) {
        // A loss that is no number has no interval either.
        None => mean(values).map_or("–".to_owned(), |mean| format!("{}{unit}", show(mean))),
        Some(Estimate { mean, half_width: None, .. }) => format!("{}{unit}", show(mean)),
        Some(Estimate { mean, half_width: Some(half), .. }) => {
            format!("{} ± {}{unit}", show(mean), show(half))
        }
    }
}
