//! What the predictions of each setting are worth: every score of them, over seeds and folds.

use crate::results::layout::SCORES;
use crate::results::scores::{self, SetScores};
use crate::sweep::store::{Damage, TrialStore};

use super::answers::Answers;
use super::setting::Setting;
use super::statistics::Estimate;
use super::tables::Trial;

/// The scores of a setting's predictions.
#[derive(Clone, Debug, PartialEq)]
pub struct SettingScores {
    /// On which images: `test`, or `validation` where there are no test images.
    pub set: String,
    /// In the order of [`names`](scores::names), over the completed trials that have the score.
    pub estimates: Vec<Option<Estimate>>,
}

/// What people call a score.
pub fn words(name: &str) -> &str {
    match name {
        "top_k" => "top-k accuracy",
        "f1" => "F1",
        "cohen_kappa" => "Cohen's kappa",
        "matthews_correlation" => "Matthews correlation",
        "roc_auc" => "ROC AUC",
        "average_precision" => "average precision",
        "calibration_error" => "calibration error",
        "brier_score" => "Brier score",
        "hamming_loss" => "Hamming loss",
        "micro_f1" => "micro F1",
        "f1_at_thresholds" => "F1 at thresholds",
        "accuracy_at_thresholds" => "accuracy at thresholds",
        name => name,
    }
}

/// Those that people are shown beside the ranking, which is by accuracy mostly: their places among all, and their
/// names. A recall that is the mean over classes is the balanced accuracy.
pub fn shown(answers: &Answers) -> impl Iterator<Item = (usize, &'static str)> {
    let is_left_out = |name: &str| ["accuracy", "top_k", "precision", "f1"].contains(&name);
    all(answers).filter(move |(_, name)| !is_left_out(name))
}

/// Those that predictions here may have: their places among all, and their names.
pub fn all(answers: &Answers) -> impl Iterator<Item = (usize, &'static str)> {
    let mut kinds = answers.scores.iter().flatten().map(SetScores::are_of_several_labels);
    let several = kinds.clone().any(|several| several);
    let one = kinds.any(|several| !several) || !several;
    let is_here = move |name: &str| {
        (several && scores::is_of(name, true)) || (one && scores::is_of(name, false))
    };
    scores::names().enumerate().filter(move |(_, name)| is_here(name))
}

/// Those of `setting`; none if no trial of it has left any.
pub fn of_setting(answers: &Answers, setting: &Setting) -> Option<SettingScores> {
    let indices = setting.trials.iter().filter(|index| answers.trials[**index].is_completed());
    let found: Vec<&SetScores> =
        indices.filter_map(|index| answers.scores[*index].as_ref()).collect();
    let set = found.first()?.set.clone();
    let of = |place: usize| {
        let values: Vec<f64> = found.iter().filter_map(|scores| scores.values[place]).collect();
        Estimate::of(&values)
    };
    let estimates = (0..scores::names().count()).map(of).collect();
    Some(SettingScores { set, estimates })
}

/// What the completed ones of `trials` left, in their order, and which files are not as they were written.
pub(super) fn read<'a>(
    trials: impl Iterator<Item = (&'a Trial, std::path::PathBuf)>,
) -> (Vec<Option<SetScores>>, Vec<Damage>) {
    let mut damaged = Vec::new();
    let mut of = |(trial, folder): (&Trial, std::path::PathBuf)| {
        if !trial.is_completed() {
            return None;
        }
        let path = folder.join(SCORES);
        match TrialStore::at(folder).vouch(SCORES) {
            Ok(()) => scores::read(&path),
            Err(damage) => {
                damaged.push(damage);
                None
            }
        }
    };
    let found = trials.map(&mut of).collect();
    (found, damaged)
}
