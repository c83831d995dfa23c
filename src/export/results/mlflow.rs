//! An `mlruns` folder as MLflow's file store lays it out: an experiment, and a run for each trial.
//!
//! ```text
//! mlruns/<experiment>/meta.yaml              name and number of the experiment
//!                    /tags/                  its description
//!                    /<run>/meta.yaml        name, status, duration
//!                          /metrics/<name>   a line for each epoch: time, value, step
//!                          /params/<name>    settings, seed and fold
//!                          /tags/<name>
//!                          /artifacts/        nothing
//! ```
//!
//! Numbers of experiments and runs come from names and digests, so that an export that is made again takes
//! the place of the earlier one, and several experiments share a folder.

use std::path::Path;

use serde_json::json;

use crate::analysis::Answers;
use crate::basis::record::Status;

use super::error::{ExportError, failed, write};
use super::names::{distinct, plain};
use super::runs::{Run, column, measures, runs};

/// Where artifacts would be: a place that does not depend on where the folder lies. There are none.
const ARTIFACTS: &str = "mlflow-artifacts:";

/// Writes the experiment into the folder `mlruns`, beside those that are there, and returns how many runs
/// it has.
///
/// # Errors
/// If a table of the results folder is damaged, or a file cannot be written.
pub fn mlflow(answers: &Answers, mlruns: &Path) -> Result<usize, ExportError> {
    let runs = runs(answers)?;
    let id = experiment_id(&answers.name);
    let root = mlruns.join(&id);
    let meta = [
        ("artifact_location", json!(format!("{ARTIFACTS}/{id}"))),
        ("creation_time", json!(0)),
        ("experiment_id", json!(id)),
        ("last_update_time", json!(0)),
        ("lifecycle_stage", json!("active")),
        ("name", json!(answers.name)),
    ];
    write(&root.join("meta.yaml"), yaml(&meta).as_bytes())?;
    if !answers.description.trim().is_empty() {
        write(&root.join("tags/mlflow.note.content"), answers.description.trim().as_bytes())?;
    }
    let settings = distinct(answers.axes.iter().map(|axis| plain(axis, "")));
    let mut labels = vec![""; runs.len()];
    for setting in &answers.settings {
        setting.trials.iter().for_each(|index| labels[*index] = &setting.label);
    }
    for (run, label) in runs.iter().zip(labels) {
        write_run(answers, &settings, run, label, &root)?;
    }
    Ok(runs.len())
}

/// The hash of `parts`.
fn hash(parts: &[&str]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize()
}

/// 18 digits, as MLflow numbers experiments.
fn experiment_id(name: &str) -> String {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash(&["experiment", name]).as_bytes()[..8]);
    let least = 100_000_000_000_000_000;
    (least + u64::from_le_bytes(bytes) % (9 * least)).to_string()
}

/// 32 hexadecimal digits, as MLflow numbers runs.
fn run_id(experiment: &str, run: &Run) -> String {
    let parts = ["run", experiment, &run.trial.digest, &run.trial.seed, &run.trial.fold];
    hash(&parts).to_hex()[..32].to_owned()
}

/// A file of keys and values. JSON is YAML, whatever letters a name has.
fn yaml(pairs: &[(&str, serde_json::Value)]) -> String {
    pairs.iter().map(|(key, value)| format!("{key}: {value}\n")).collect()
}

/// One line: MLflow reads no more of a parameter.
fn line(text: &str) -> String {
    text.split(['\n', '\r']).collect::<Vec<_>>().join(" ")
}

/// Milliseconds.
fn milliseconds(seconds: f64) -> u64 {
    (1000.0 * seconds).round() as u64
}

fn write_run(
    answers: &Answers,
    settings: &[String],
    run: &Run,
    label: &str,
    root: &Path,
) -> Result<(), ExportError> {
    let trial = run.trial;
    let id = run_id(&answers.name, run);
    let root = root.join(&id);
    let experiment = experiment_id(&answers.name);
    let (ends, end) = run.clock();
    let is = |status: Status| trial.status == status.name();
    // MLflow's numbers: 1 running, 3 finished, 4 failed, 5 killed.
    let status = match () {
        () if is(Status::Completed) => 3,
        () if is(Status::Failed) => 4,
        () if is(Status::Pruned) => 5,
        () => 1,
    };
    let has_ended = status != 1;
    let name =
        format!("trial-{:0width$}", trial.number, width = answers.trials.len().to_string().len());
    let meta = [
        ("artifact_uri", json!(format!("{ARTIFACTS}/{experiment}/{id}/artifacts"))),
        ("end_time", if has_ended { json!(milliseconds(end)) } else { json!(null) }),
        ("entry_point_name", json!("")),
        ("experiment_id", json!(experiment)),
        ("lifecycle_stage", json!("active")),
        ("run_id", json!(id)),
        ("run_name", json!(name)),
        ("run_uuid", json!(id)),
        ("source_name", json!("")),
        ("source_type", json!(4)),
        ("source_version", json!("")),
        ("start_time", json!(0)),
        ("status", json!(status)),
        ("tags", json!([])),
        ("user_id", json!("")),
    ];
    write(&root.join("meta.yaml"), yaml(&meta).as_bytes())?;
    // MLflow takes no folder for a run that lacks one of these.
    for folder in ["metrics", "params", "artifacts"] {
        let folder = root.join(folder);
        std::fs::create_dir_all(&folder).map_err(failed(&folder))?;
    }
    for (place, name) in measures().map(column).into_iter().enumerate() {
        let mut lines = String::new();
        for (epoch, seconds) in run.epochs.iter().zip(&ends) {
            if let Some(value) = epoch.values[place] {
                lines += &format!("{} {value} {}\n", milliseconds(*seconds), epoch.number);
            }
        }
        if !lines.is_empty() {
            write(&root.join("metrics").join(name), lines.as_bytes())?;
        }
    }
    for (name, value) in run.results() {
        let text = format!("{} {value} {}\n", milliseconds(end), trial.best_epoch);
        write(&root.join("metrics").join(name), text.as_bytes())?;
    }
    let parameters = settings.iter().map(String::as_str).zip(trial.values.iter());
    // A setting that is called like these two is one of them.
    let repeats = [("seed", &trial.seed), ("fold", &trial.fold)];
    for (name, value) in parameters.chain(repeats).filter(|(_, value)| !value.is_empty()) {
        write(&root.join("params").join(name), line(value).as_bytes())?;
    }
    let tags = [
        ("mlflow.runName", name.as_str()),
        ("mlflow.source.name", "candlewick"),
        ("mlflow.source.type", "LOCAL"),
        ("candlewick.trial", &trial.number.to_string()),
        ("candlewick.digest", &trial.digest),
        ("candlewick.setting", label),
        ("candlewick.status", &trial.status),
        ("candlewick.reason", &trial.reason),
    ];
    for (name, value) in tags.into_iter().filter(|(_, value)| !value.is_empty()) {
        write(&root.join("tags").join(name), line(value).as_bytes())?;
    }
    Ok(())
}
