//! Weights of an earlier experiment, whose results lie beside those of the one that asks.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use crate::basis::record::Status;
use crate::config::suggest;
use crate::config::transfer::Which;

use super::store::TrialStore;

/// The checkpoint of the best epoch of a trial of `experiment`, under the folder `results`.
///
/// # Errors
/// If there are no such results, or the trial has not ended well.
pub fn checkpoint(results: &Path, experiment: &str, trial: Which) -> Result<PathBuf, String> {
    let root = results.join(experiment);
    let table = root.join("trials.csv");
    let Ok(mut reader) = csv::Reader::from_path(&table) else {
        return Err(nothing(results, experiment));
    };
    let broken = |error: csv::Error| format!("failed to read {}: {error}", table.display());
    let headers = reader.headers().map_err(broken)?.clone();
    let column = |name: &str| headers.iter().position(|header| header == name);
    let (Some(number), Some(digest)) = (column("trial"), column("digest")) else {
        return Err(format!("{} is not the table of an experiment's trials", table.display()));
    };
    let mut trials = Vec::new();
    for row in reader.records() {
        let row = row.map_err(broken)?;
        trials.push((row[number].to_owned(), root.join("trials").join(&row[digest])));
    }
    match trial {
        Which::Number(wanted) => {
            let found = trials.iter().find(|(number, _)| *number == wanted.to_string());
            let Some((_, folder)) = found else {
                return Err(format!(
                    "{experiment} has no trial {wanted}: they go from 1 to {}",
                    trials.len()
                ));
            };
            match ended(folder) {
                Some(_) => Ok(folder.join("best.safetensors")),
                None => Err(format!(
                    "trial {wanted} of {experiment} has not been completed; run that experiment first"
                )),
            }
        }
        Which::Best => {
            let ended: Vec<_> = trials
                .into_iter()
                .filter_map(|(_, folder)| Some((ended(&folder)?, folder)))
                .collect();
            let best = ended.into_iter().min_by(|((metric, a), _), ((_, b), _)| {
                // The first of equals.
                metric.better_first(*a, *b).then(Ordering::Equal)
            });
            match best {
                Some((_, folder)) => Ok(folder.join("best.safetensors")),
                None => Err(format!(
                    "no trial of {experiment} has been completed; run that experiment first"
                )),
            }
        }
    }
}

/// The metric that a completed trial was chosen by, and what it came to.
fn ended(folder: &Path) -> Option<(crate::basis::record::Metric, f64)> {
    let store = TrialStore::at(folder.to_owned());
    let records = store.epochs();
    let outcome = store.outcome_of(&records)?;
    let metric = store.plan().ok()?.train.best;
    (outcome.status == Status::Completed && outcome.best_epoch > 0)
        .then(|| (metric, metric.best(&records)))
}

fn nothing(results: &Path, experiment: &str) -> String {
    let mut names: Vec<String> = std::fs::read_dir(results)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().join("trials.csv").is_file())
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
