//! Learning curves of a setting: mean and range over its trials.

use super::answers::Answers;
use super::setting::Setting;

/// Scores that curves are drawn of, in the order of the numbers of an [`Answers::curve`] row.
pub const CURVES: [&str; 4] = ["train_loss", "train_accuracy", "val_loss", "val_accuracy"];

/// One curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// For each epoch, the least, the mean and the greatest value.
    pub points: Vec<[f64; 3]>,
}

/// The curve of the score with index `score` in [`CURVES`], over the completed trials of
/// `setting`, as far as all of them have got; none where there are no such numbers.
pub fn curve(answers: &Answers, setting: &Setting, score: usize) -> Option<Curve> {
    let rows: Vec<&[[f64; 4]]> =
        answers.completed(setting).map(|trial| answers.curve(trial)).collect();
    let epochs = rows.iter().map(|rows| rows.len()).min()?;
    let point = |epoch: usize| {
        let values = || rows.iter().map(|rows| rows[epoch][score]);
        let least = values().fold(f64::INFINITY, f64::min);
        let greatest = values().fold(f64::NEG_INFINITY, f64::max);
        [least, values().sum::<f64>() / rows.len() as f64, greatest]
    };
    let points: Vec<[f64; 3]> = (0..epochs).map(point).collect();
    let is_whole = !points.is_empty() && points.iter().flatten().all(|value| value.is_finite());
    is_whole.then_some(Curve { points })
}
