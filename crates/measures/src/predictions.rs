//! Scores of predictions: what the probabilities that a network gives to classes are worth, beside its accuracy.
//!
//! Definitions are those of the functions of scikit-learn that the docstrings name, and agree with them to 1e-9
//! (`tests/goldens/predictions.py`). Sums go over images, and over classes, in their order.

use std::cmp::Ordering;

/// Bins of confidence of the [calibration error](PredictionScores::calibration_error), of equal width.
pub const BINS: usize = 10;

/// Scores of the predictions of a set of images; none where one is not defined.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PredictionScores {
    /// Cohen's kappa: by how much predictions agree with the classes beyond what chance would give, κ = (pₒ − pₑ) /
    /// (1 − pₑ) (Cohen 1960), `cohen_kappa_score`. None where chance alone gives perfect agreement.
    pub cohen_kappa: Option<f64>,
    /// Matthews' correlation of predicted and true classes for any number of classes, R_K (Gorodkin 2004),
    /// `matthews_corrcoef`; 0 where one class alone is predicted or true.
    pub matthews_correlation: Option<f64>,
    /// Area under the receiver operating characteristic. Of two classes, `roc_auc_score` of the second one's
    /// probabilities; of more, the mean over classes of each against the rest (`multi_class="ovr"`). Classes without
    /// images, or with all of them, do not count.
    pub roc_auc: Option<f64>,
    /// The mean over classes of Σ (Rₙ − Rₙ₋₁) Pₙ over all thresholds of a class against the rest,
    /// `average_precision_score`; classes without images do not count. Of two classes both count.
    pub average_precision: Option<f64>,
    /// The expected calibration error (Guo et al. 2017): the mean distance between confidence and accuracy in
    /// [`BINS`] bins of the predicted class's probability, weighted by their images.
    pub calibration_error: Option<f64>,
    /// Mean over images of Σ (p − y)² over classes (Brier 1950), half of it for two classes: `brier_score_loss`.
    pub brier_score: Option<f64>,
}

impl PredictionScores {
    /// The names, in the order of [`values`](Self::values).
    pub const NAMES: [&'static str; 6] = [
        "cohen_kappa",
        "matthews_correlation",
        "roc_auc",
        "average_precision",
        "calibration_error",
        "brier_score",
    ];

    /// The scores in the order of [`NAMES`](Self::NAMES).
    pub fn values(&self) -> [Option<f64>; 6] {
        [
            self.cohen_kappa,
            self.matthews_correlation,
            self.roc_auc,
            self.average_precision,
            self.calibration_error,
            self.brier_score,
        ]
    }

    /// Of `probabilities` `[images, classes]` and the class of each image. All of them are none where there are no
    /// images, or a probability is no number.
    pub fn of(probabilities: &[f32], classes: usize, labels: &[u32]) -> PredictionScores {
        let rows = || probabilities.chunks(classes).zip(labels.iter().map(|label| *label as usize));
        let is_whole = probabilities.len() == classes * labels.len()
            && probabilities.iter().all(|probability| probability.is_finite())
            && labels.iter().all(|label| (*label as usize) < classes);
        if labels.is_empty() || !is_whole {
            return PredictionScores::default();
        }
        let confusion = Confusion::of(rows(), classes);
        let images_of = |class: usize| confusion.actual[class];
        let against_rest = |class: usize| {
            let column = probabilities.iter().skip(class).step_by(classes).copied();
            Ranking::of(column.zip(labels.iter().map(|label| *label as usize == class)))
        };
        // One after the other: the ranks of a class take more memory than its probabilities.
        let mut areas = Vec::new();
        let mut precisions = Vec::new();
        for class in 0..classes {
            let is_mixed = (1..confusion.images).contains(&images_of(class));
            // Of two classes both have one area but for rounding: that of the second one is it.
            let has_area = is_mixed && (classes != 2 || class == 1);
            if images_of(class) > 0 {
                let ranking = against_rest(class);
                areas.extend(has_area.then(|| ranking.area()));
                precisions.push(ranking.average_precision());
            }
        }
        PredictionScores {
            cohen_kappa: confusion.cohen_kappa(),
            matthews_correlation: Some(confusion.matthews_correlation()),
            roc_auc: mean(&areas),
            average_precision: mean(&precisions),
            calibration_error: Some(calibration_error(rows())),
            brier_score: Some(brier_score(rows(), classes, labels.len())),
        }
    }
}

pub(super) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The class with the greatest probability; of equal ones the first.
fn predicted(row: &[f32]) -> usize {
    (1..row.len()).fold(0, |best, class| if row[class] > row[best] { class } else { best })
}

/// What is needed of a confusion matrix.
struct Confusion {
    images: u64,
    right: u64,
    /// Images of each class.
    actual: Vec<u64>,
    /// Predictions of each class.
    predicted: Vec<u64>,
}

impl Confusion {
    fn of<'a>(rows: impl Iterator<Item = (&'a [f32], usize)>, classes: usize) -> Confusion {
        let none = vec![0; classes];
        let mut found = Confusion { images: 0, right: 0, actual: none.clone(), predicted: none };
        for (row, label) in rows {
            let predicted = predicted(row);
            found.images += 1;
            found.right += u64::from(predicted == label);
            found.actual[label] += 1;
            found.predicted[predicted] += 1;
        }
        found
    }

    /// Σ over classes of a · b, which is exact.
    fn products(a: &[u64], b: &[u64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| u128::from(*a) * u128::from(*b)).sum::<u128>() as f64
    }

    fn cohen_kappa(&self) -> Option<f64> {
        let (images, right) = (self.images as f64, self.right as f64);
        let by_chance = Self::products(&self.actual, &self.predicted) / images;
        (by_chance < images).then(|| 1.0 - (images - right) / (images - by_chance))
    }

    fn matthews_correlation(&self) -> f64 {
        let (images, right) = (self.images as f64, self.right as f64);
        let squares = |counts: &[u64]| images * images - Self::products(counts, counts);
        let both = squares(&self.actual) * squares(&self.predicted);
        let agreement = right * images - Self::products(&self.actual, &self.predicted);
        if both == 0.0 { 0.0 } else { agreement / both.sqrt() }
    }
}

/// Images by the probability of one class, the highest first, those of one probability together.
pub(super) struct Ranking {
    /// How many are of the class, and how many are not.
    groups: Vec<[u64; 2]>,
}

impl Ranking {
    pub(super) fn of(images: impl Iterator<Item = (f32, bool)>) -> Ranking {
        let mut images: Vec<(f32, bool)> = images.collect();
        let order = |a: &(f32, bool), b: &(f32, bool)| b.0.partial_cmp(&a.0);
        images.sort_unstable_by(|a, b| order(a, b).unwrap_or(Ordering::Equal));
        let counts = |group: &[(f32, bool)]| {
            let own = group.iter().filter(|(_, is_own)| *is_own).count() as u64;
            [own, group.len() as u64 - own]
        };
        Ranking { groups: images.chunk_by(|a, b| a.0 == b.0).map(counts).collect() }
    }

    pub(super) fn own(&self) -> u64 {
        self.groups.iter().map(|[own, _]| own).sum()
    }

    /// Whether there are images that are not of the class.
    pub(super) fn has_others(&self) -> bool {
        self.groups.iter().any(|[_, others]| *others > 0)
    }

    /// The part of the pairs of an image of the class and another one in which the former is the more probable;
    /// equal ones count half.
    pub(super) fn area(&self) -> f64 {
        let (mut above, mut halves) = (0_u128, 0_u128);
        for [own, others] in &self.groups {
            halves += u128::from(*others) * (2 * above + u128::from(*own));
            above += u128::from(*own);
        }
        let others: u64 = self.groups.iter().map(|[_, others]| others).sum();
        halves as f64 / (2.0 * self.own() as f64 * others as f64)
    }

    pub(super) fn average_precision(&self) -> f64 {
        let all = self.own() as f64;
        let (mut own, mut seen) = (0, 0);
        let mut sum = 0.0;
        for [more, others] in &self.groups {
            own += more;
            seen += more + others;
            sum += *more as f64 / all * (own as f64 / seen as f64);
        }
        sum
    }
}

fn calibration_error<'a>(rows: impl Iterator<Item = (&'a [f32], usize)>) -> f64 {
    let mut images = 0_u64;
    // Confidences less what was right.
    let mut bins = [0.0_f64; BINS];
    for (row, label) in rows {
        let predicted = predicted(row);
        let confidence = f64::from(row[predicted]);
        let bin = ((confidence * BINS as f64) as usize).min(BINS - 1);
        bins[bin] += confidence - f64::from(u8::from(predicted == label));
        images += 1;
    }
    bins.iter().map(|distance| distance.abs()).sum::<f64>() / images as f64
}

fn brier_score<'a>(
    rows: impl Iterator<Item = (&'a [f32], usize)>,
    classes: usize,
    images: usize,
) -> f64 {
    let mut sum = 0.0;
    for (row, label) in rows {
        for (class, probability) in row.iter().enumerate() {
            let expected = if class == label { 1.0 } else { 0.0 };
            sum += (f64::from(*probability) - expected).powi(2);
        }
    }
    sum / images as f64 / if classes == 2 { 2.0 } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Golden {
        name: String,
        classes: usize,
        labels: Vec<u32>,
        probabilities: Vec<f32>,
        scores: [Option<f64>; 6],
    }

    #[test]
    fn scores_are_those_of_scikit_learn() {
        let text = include_str!("../../../tests/goldens/predictions.json");
        let cases: Vec<Golden> = serde_json::from_str(text).unwrap();
        assert!(cases.len() >= 8);
        for Golden { name, classes, labels, probabilities, scores } in cases {
            let found = PredictionScores::of(&probabilities, classes, &labels).values();
            for ((score, found), expected) in PredictionScores::NAMES.iter().zip(found).zip(scores)
            {
                let is_close = match (found, expected) {
                    (Some(found), Some(expected)) => (found - expected).abs() < 1e-9,
                    (found, expected) => found == expected,
                };
                assert!(is_close, "{name}: {score} is {found:?}, not {expected:?}");
            }
        }
    }

    #[test]
    fn what_is_not_defined_is_none() {
        let nothing = PredictionScores::default();
        assert_eq!(PredictionScores::of(&[], 3, &[]), nothing);
        assert_eq!(PredictionScores::of(&[f32::NAN, 0.5], 2, &[0]), nothing);
        assert_eq!(PredictionScores::of(&[0.5, 0.5], 2, &[2]), nothing);
        assert_eq!(PredictionScores::of(&[0.5, 0.5], 2, &[0, 1]), nothing);
        let one_class = PredictionScores::of(&[1.0, 1.0], 1, &[0, 0]);
        assert_eq!((one_class.cohen_kappa, one_class.roc_auc), (None, None));
        assert_eq!(one_class.average_precision, Some(1.0));
    }

    #[test]
    fn of_two_classes_it_does_not_matter_which_is_the_first() {
        let there = PredictionScores::of(&[0.75, 0.25, 0.5, 0.5, 0.125, 0.875], 2, &[0, 1, 0]);
        let back = PredictionScores::of(&[0.25, 0.75, 0.5, 0.5, 0.875, 0.125], 2, &[1, 0, 1]);
        assert_eq!(there.roc_auc, back.roc_auc);
        assert_eq!(there.average_precision, back.average_precision);
        assert_eq!(there.brier_score, back.brier_score);
    }
}
