//! What a trial's best weights say of images: each prediction, what is taken for what, and what that is worth.

use serde::Serialize;

use crate::basis::record::Scores;
use crate::data::Dataset;
use crate::measures::PredictionScores;
use crate::results::layout::{CONFUSION, PREDICTIONS, SCORES};
use crate::results::scores;
use crate::train::metrics::prediction;

use super::store::{StoreError, TrialStore};

#[derive(Serialize)]
struct Prediction<'a> {
    image: &'a str,
    set: &'a str,
    class: &'a str,
    predicted: &'a str,
    /// The probability of the predicted class.
    probability: f32,
    /// The probability of the true class.
    class_probability: f32,
}

/// Writes `predictions.csv`: a row for each of `images`, with `probabilities` of `[images, classes]`.
pub(super) fn write_predictions(
    store: &TrialStore,
    dataset: &Dataset,
    images: &[u32],
    probabilities: &[f32],
    set: &str,
) -> Result<(), StoreError> {
    let classes = dataset.classes();
    let rows = images.iter().zip(probabilities.chunks(classes.len())).map(|(image, row)| {
        let label = dataset.label(*image) as usize;
        let predicted = prediction(row);
        Prediction {
            image: &dataset.names()[*image as usize],
            set,
            class: &classes[label],
            predicted: &classes[predicted],
            probability: row[predicted],
            class_probability: row[label],
        }
    });
    store.write_csv(PREDICTIONS, rows)
}

/// Writes `scores.csv`: `known` on `images`, and what their `probabilities` of `[images, classes]` come to.
pub(super) fn write_scores(
    store: &TrialStore,
    dataset: &Dataset,
    images: &[u32],
    known: Option<&Scores>,
    probabilities: &[f32],
    set: &str,
) -> Result<(), StoreError> {
    let labels: Vec<u32> = images.iter().map(|image| dataset.label(*image)).collect();
    let more = PredictionScores::of(probabilities, dataset.classes().len(), &labels);
    store.write_csv(SCORES, scores::rows(set, known, &more))
}

/// Writes `confusion.csv`: rows of true classes, columns of predicted ones.
pub(super) fn write_confusion(
    store: &TrialStore,
    dataset: &Dataset,
    confusion: &[Vec<u64>],
) -> Result<(), StoreError> {
    let header = std::iter::once("class".to_owned()).chain(dataset.classes().iter().cloned());
    let rows = confusion.iter().zip(dataset.classes()).map(|(row, class)| {
        std::iter::once(class.clone()).chain(row.iter().map(u64::to_string)).collect::<Vec<_>>()
    });
    let table = std::iter::once(header.collect::<Vec<_>>()).chain(rows);
    store.write_csv(CONFUSION, table)
}
