//! How far each trial of a results folder has got on the disk, for a terminal.

use std::collections::BTreeMap;

use crate::analysis::{Folder, State};
use crate::basis::number::count;
use crate::basis::record::EpochRecord;
use crate::sweep::store::{TrialStore, host};

use super::grid::grid;

/// How far the trials of `folder` have got, as text for a terminal of `width` columns.
pub fn status(folder: &Folder, width: usize) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let header = ["", "settings", "epoch", "best", "status"].map(str::to_owned).to_vec();
    let mut table = grid(header, 2..4, width);
    for row in &folder.trials.rows {
        let store = folder.trial(row);
        let mut records = store.epochs();
        let plan = store.plan().ok();
        // The plan that ran last may have been that of a longer trial, or of a shorter one.
        let planned = folder.folders.epochs(row).or(plan.as_ref().map(|plan| plan.train.epochs));
        let outcome = store.outcome_of(&records);
        let is_locked = store.is_locked();
        let (state, reason) = State::of(row, is_locked, outcome.as_ref(), planned, records.len());
        let (word, more) = (state.name(), if is_locked { place(&store) } else { reason });
        *counts.entry(word).or_insert(0) += 1;
        records.truncate(planned.unwrap_or(records.len()));
        let epochs = match planned {
            Some(planned) if plan.is_some() => format!("{}/{planned}", records.len()),
            _ => String::new(),
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
    let counts: Vec<String> = State::ALL
        .into_iter()
        .map(State::name)
        .filter_map(|word| Some(format!("{} {word}", counts.get(word)?)))
        .collect();
    let trials = count(folder.trials.rows.len(), "trial");
    format!("{}\n{trials}: {}\n", table.trim_fmt(), counts.join(", "))
}

/// Where a trial runs, if that is another machine.
fn place(store: &TrialStore) -> String {
    match store.host() {
        Some(there) if there != host() => format!("on {there}"),
        _ => String::new(),
    }
}
