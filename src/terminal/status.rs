//! How far each trial of a results folder has got on the disk, for a terminal.

use std::collections::BTreeMap;

use crate::analysis::Folder;
use crate::basis::record::{EpochRecord, Status};
use crate::sweep::store::{TrialStore, host};

use super::grid::grid;

/// How far the trials of `folder` have got, as text for a terminal of `width` columns.
pub fn status(folder: &Folder, width: usize) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let header = ["", "settings", "epoch", "best", "status"].map(str::to_owned).to_vec();
    let mut table = grid(header, 2..4, width);
    for row in &folder.trials.rows {
        let store = folder.trial(&row.digest);
        let records = store.epochs();
        let plan = store.plan().ok();
        let (word, more) = match store.outcome() {
            _ if store.is_locked() => ("running", place(&store)),
            _ if row.status == Status::Pruned.name() => ("pruned", row.reason.clone()),
            Some(outcome) => (outcome.status.name(), outcome.reason),
            None if records.is_empty() => ("to run", String::new()),
            None => ("interrupted", String::new()),
        };
        *counts.entry(word).or_insert(0) += 1;
        let epochs = match &plan {
            Some(plan) => format!("{}/{}", records.len(), plan.train.epochs),
            None => String::new(),
        };
        let best = plan.as_ref().and_then(|plan| {
            let metric = plan.train.best;
            let values = records.iter().filter_map(|record: &EpochRecord| metric.of(record));
            let best = values.reduce(|a, b| if metric.improves(b, a, 0.0) { b } else { a })?;
            Some(format!("{} {best:.4}", metric.name()))
        });
        let words = if more.is_empty() { word.to_owned() } else { format!("{word}: {more}") };
        table.add_row(vec![
            row.number.to_string(),
            folder.trials.settings(row),
            epochs,
            best.unwrap_or_default(),
            words,
        ]);
    }
    let order = ["completed", "pruned", "failed", "running", "interrupted", "to run"];
    let counts: Vec<String> = order
        .into_iter()
        .filter_map(|word| Some(format!("{} {word}", counts.get(word)?)))
        .collect();
    let trials = folder.trials.rows.len();
    format!("{}\n{trials} trials: {}\n", table.trim_fmt(), counts.join(", "))
}

/// Where a trial runs, if that is another machine.
fn place(store: &TrialStore) -> String {
    match store.host() {
        Some(there) if there != host() => format!("on {there}"),
        _ => String::new(),
    }
}
