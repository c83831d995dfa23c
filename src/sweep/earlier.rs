//! Weights and trials of an earlier experiment, whose results lie beside those of the one that asks.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use crate::basis::record::{EpochRecord, Metric, Scores, Status};
use crate::config::weights::Which;
use crate::document::suggest;
use crate::plan::survey::Tried;
use crate::results::layout::{self, BEST};
use crate::results::table::TableError;
use crate::results::trials::{self, Row, Trials};

use super::store::TrialStore;

/// The checkpoint of the best epoch of a trial of `experiment`, under the folder `results`.
///
/// # Errors
/// If there are no such results, or the trial has not ended well.
pub fn checkpoint(results: &Path, experiment: &str, trial: Which) -> Result<PathBuf, String> {
    let root = results.join(experiment);
    let table = table(results, experiment)?;
    let folder = |row: &Row| layout::trial(&root, &row.digest);
    match trial {
        Which::Number(wanted) => {
            let Some(row) = table.rows.iter().find(|row| row.number == wanted) else {
                return Err(format!(
                    "{experiment} has no trial {wanted}: trials are numbered from 1 to {}",
                    table.rows.len()
                ));
            };
            let folder = folder(row);
            match ended(&folder) {
                Some(_) => Ok(folder.join(BEST)),
                None => Err(format!(
                    "trial {wanted} of {experiment} has not been completed; run that experiment first"
                )),
            }
        }
        Which::Best => {
            let folders = table.rows.iter().map(folder);
            let ended = folders.filter_map(|folder| Some((ended(&folder)?, folder)));
            let best = ended.min_by(|((metric, a), _), ((_, b), _)| {
                // The first of equals.
                metric.better_first(*a, *b).then(Ordering::Equal)
            });
            match best {
                Some((_, folder)) => Ok(folder.join(BEST)),
                None => Err(format!(
                    "no trial of {experiment} has been completed; run that experiment first"
                )),
            }
        }
    }
}

/// The trials of the sweep `experiment`, under the folder `results`, in plan order.
///
/// # Errors
/// If there are no such results, or one of the trials has not ended: what follows from them would change.
pub fn tried(results: &Path, experiment: &str) -> Result<Vec<Tried>, String> {
    let Trials { axes, rows } = table(results, experiment)?;
    let root = results.join(experiment);
    let open = rows.iter().filter(|row| row.status == Status::Unfinished.name()).count();
    if open > 0 {
        let of = rows.len();
        return Err(format!(
            "{open} of {of} trials of {experiment} have not ended; run that experiment first"
        ));
    }
    let tried = |row: &Row| {
        let store = TrialStore::at(layout::trial(&root, &row.digest));
        let number = row.number;
        let unreadable = |what: &str| format!("trial {number} of {experiment} {what}");
        let plan = store.plan().map_err(|error| unreadable(&format!("has no plan: {error}")))?;
        let settings = axes.iter().cloned().zip(row.values.iter().cloned()).collect();
        let records = if row.status == Status::Failed.name() { Vec::new() } else { store.epochs() };
        if row.is_completed() && store.outcome_of(&records).is_none() {
            return Err(unreadable("is damaged; run that experiment again"));
        }
        Ok(Tried { settings, metric: plan.train.best, records })
    };
    rows.iter().map(tried).collect()
}

fn table(results: &Path, experiment: &str) -> Result<Trials, String> {
    Trials::read(&results.join(experiment)).map_err(|error| match error {
        TableError::NoTable(_) => nothing(results, experiment),
        error => format!("failed to read {error}"),
    })
}

/// The metric that a completed trial was chosen by, and what it came to.
fn ended(folder: &Path) -> Option<(Metric, f64)> {
    let store = TrialStore::at(folder.to_owned());
    let records = store.epochs();
    let outcome = store.outcome_of(&records)?;
    let metric = store.plan().ok()?.train.best;
    if outcome.status != Status::Completed {
        return None;
    }
    let value = match outcome.epochs {
        // A network that was evaluated as it started.
        0 => {
            let (train, validation) = (Scores::from([f64::NAN; 6]), outcome.validation);
            let record = EpochRecord { epoch: 0, steps: 0, lr: 0.0, train, validation };
            metric.of(&record).unwrap_or(f64::NAN)
        }
        _ if outcome.best_epoch == 0 => return None,
        _ => metric.best(&records),
    };
    Some((metric, value))
}

fn nothing(results: &Path, experiment: &str) -> String {
    let mut names: Vec<String> = std::fs::read_dir(results)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().join(trials::FILE).is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let hint = match (suggest::nearest(experiment, &names), names.is_empty()) {
        (Some(near), _) => format!("did you mean \"{near}\"?"),
        (None, true) => "run that experiment first".to_owned(),
        (None, false) => format!("there are results of {}", names.join(", ")),
    };
    format!("there are no results of \"{experiment}\" in {}: {hint}", results.display())
}
