//! The names of files and folders in a results folder, beside those of its tables.

use std::path::{Path, PathBuf};

/// The experiment with all layers merged.
pub const EXPERIMENT: &str = "experiment.toml";

/// The experiment as it was frozen for processes elsewhere; also in the folder of a submission.
pub const FROZEN: &str = "frozen.toml";

/// What the results were computed with.
pub const ENVIRONMENT: &str = "environment.toml";

/// For a sweep over cases of transfer, what is advised.
pub const ADVICE: &str = "advice.csv";

/// The plan that ran, in the folder of its trial.
pub const PLAN: &str = "plan.toml";

/// What the best weights took each image for, in the folder of a trial.
pub const PREDICTIONS: &str = "predictions.csv";

/// Rows of true classes and columns of predicted ones, in the folder of a trial.
pub const CONFUSION: &str = "confusion.csv";

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
