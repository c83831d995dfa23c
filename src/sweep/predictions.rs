//! What a trial's best weights say of images: each prediction, what is taken for what, and what that is worth.

use serde::Serialize;

use crate::basis::record::Scores;
use crate::data::{Dataset, written_labels};
use crate::measures::{LabelScores, PredictionScores};
use crate::results::label_tables::{LABEL_COLUMNS, LABEL_COUNTS};
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
    if dataset.is_multi_label() {
        return write_labels(store, dataset, images, probabilities, set);
    }
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

/// Writes `predictions.csv` of several labels: a row for each of `images`, with its labels, those that have a
/// probability of ½ at least, and the probability of each class in a column with its name.
fn write_labels(
    store: &TrialStore,
    dataset: &Dataset,
    images: &[u32],
    probabilities: &[f32],
    set: &str,
) -> Result<(), StoreError> {
    let classes = dataset.classes();
    let named = LABEL_COLUMNS.into_iter().map(str::to_owned);
    let header: Vec<String> = named.chain(classes.iter().cloned()).collect();
    let rows = images.iter().zip(probabilities.chunks(classes.len())).map(|(image, row)| {
        let is_said = |class: &u32| row[*class as usize] >= 0.5;
        let said: Vec<u32> = (0..classes.len() as u32).filter(is_said).collect();
        let cells = [
            dataset.names()[*image as usize].clone(),
            set.to_owned(),
            dataset.label_names(*image),
            written_labels(&said, classes),
        ];
        cells.into_iter().chain(row.iter().map(f32::to_string)).collect()
    });
    store.write_csv(PREDICTIONS, std::iter::once(header).chain(rows))
}

/// Writes `scores.csv`: `known` on `images`, and what their `probabilities` of `[images, classes]` come to, at the
/// `thresholds` of several labels too, if they were chosen on other images.
pub(super) fn write_scores(
    store: &TrialStore,
    dataset: &Dataset,
    images: &[u32],
    known: Option<&Scores>,
    probabilities: &[f32],
    thresholds: Option<&[f64]>,
    set: &str,
) -> Result<(), StoreError> {
    if dataset.is_multi_label() {
        let classes = dataset.classes().len();
        let has = dataset.labels_at(images).flags(classes);
        let more = LabelScores::of(probabilities, classes, &has, thresholds);
        return store.write_csv(SCORES, scores::label_rows(set, known, &more));
    }
    let labels: Vec<u32> = images.iter().map(|image| dataset.label(*image)).collect();
    let more = PredictionScores::of(probabilities, dataset.classes().len(), &labels);
    store.write_csv(SCORES, scores::rows(set, known, &more))
}

/// Writes `confusion.csv`: rows of true classes, columns of predicted ones; of several labels, how often each was
/// rightly and wrongly said, and wrongly and rightly not said.
pub(super) fn write_confusion(
    store: &TrialStore,
    dataset: &Dataset,
    confusion: &[Vec<u64>],
) -> Result<(), StoreError> {
    let counted = match dataset.is_multi_label() {
        false => dataset.classes().to_vec(),
        true => LABEL_COUNTS.map(str::to_owned).to_vec(),
    };
    let header = std::iter::once("class".to_owned()).chain(counted);
    let rows = confusion.iter().zip(dataset.classes()).map(|(row, class)| {
        std::iter::once(class.clone()).chain(row.iter().map(u64::to_string)).collect::<Vec<_>>()
    });
    let table = std::iter::once(header.collect::<Vec<_>>()).chain(rows);
    store.write_csv(CONFUSION, table)
}
