//! Where things are in a results folder.
//!
//! ```text
//! results/<name>/trials.csv              one row per trial
//!                metrics.csv             one row per trial and epoch
//!                decisions.csv           with pruning: one row per decision
//!                timings.csv             what the clock said
//!                advice.csv              for a sweep over cases of transfer
//!                experiment.toml         the experiment with all layers merged
//!                frozen.toml             the same for processes elsewhere, with the command line
//!                environment.toml        what the results were computed with
//!                report.html             what all of it answers
//!                trials/images-….toml    the images that trials were run on
//!                trials/<digest>/        a trial; `sweep::store` says what is in it
//!                slurm/<number>/         a submission; `sweep::slurm` says what is in it
//! ```

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
