//! The names of files and folders in a results folder, beside those of its tables.

use std::path::{Path, PathBuf};

/// The experiment with all layers merged.
pub const EXPERIMENT: &str = "experiment.toml";

/// The experiment as it was frozen for processes elsewhere; also in the folder of a submission.
pub const FROZEN: &str = "frozen.toml";

/// The hashes of the files of a results folder that are written as a whole.
pub const HASHES: &str = "hashes.toml";

/// What the results were computed with.
pub const ENVIRONMENT: &str = "environment.toml";

/// For a sweep over cases of transfer, what is advised.
pub const ADVICE: &str = "advice.csv";

/// The report, for people.
pub const REPORT: &str = "report.html";

/// What the best network is, in the form of a model card.
pub const MODEL_CARD: &str = "model-card.md";

/// The plan that ran, in the folder of its trial.
pub const PLAN: &str = "plan.toml";

/// The rows of a trial's finished epochs, in its folder.
pub const EPOCHS: &str = "epochs.csv";

/// The loss of every batch of a trial, in its folder.
pub const BATCHES: &str = "batches.csv";

/// The weights of a trial's best epoch, in its folder.
pub const BEST: &str = "best.safetensors";

/// Where a trial goes on, in its folder.
pub const LAST: &str = "last.safetensors";

/// Where a trial ran, in its folder.
pub const MACHINES: &str = "machines.csv";

/// How a trial ended, in its folder.
pub const OUTCOME: &str = "outcome.toml";

/// What the best weights took each image for, in the folder of a trial.
pub const PREDICTIONS: &str = "predictions.csv";

/// Rows of true classes and columns of predicted ones, in the folder of a trial.
pub const CONFUSION: &str = "confusion.csv";

/// The scores of the predictions, in the folder of a trial.
pub const SCORES: &str = "scores.csv";

/// The folder of all trials in the results folder `root`.
pub fn trials(root: &Path) -> PathBuf {
    root.join("trials")
}

/// The folder of the trial `digest` in the results folder `root`.
pub fn trial(root: &Path, digest: &str) -> PathBuf {
    trials(root).join(digest)
}

/// The folder of the trial `digest` where it was run for only `epochs` epochs and that of [`trial`] holds
/// more.
pub fn shorter_trial(root: &Path, digest: &str, epochs: impl std::fmt::Display) -> PathBuf {
    trials(root).join(format!("{digest}-{epochs}-epochs"))
}
