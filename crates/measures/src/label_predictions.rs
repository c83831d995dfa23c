//! Scores of predictions of any number of labels for each image, where each class is a question of its own.
//!
//! Definitions are those of the functions of scikit-learn that the docstrings name, and agree with them to 1e-9
//! (`tests/goldens/label_predictions.py`). Sums go over classes, and over images, in their order.

use super::predictions::{Ranking, mean};

/// How often a class is rightly and wrongly said of an image, and wrongly and rightly not said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LabelCounts {
    /// Images that have the label and are said to have it.
    pub true_positives: u64,
    /// Images that have it not and are said to have it.
    pub false_positives: u64,
    /// Images that have it and are not said to have it.
    pub false_negatives: u64,
    /// Images that have it not and are not said to have it.
    pub true_negatives: u64,
}

impl LabelCounts {
    /// Of numbers in the order of the fields.
    pub fn of_numbers(numbers: [u64; 4]) -> LabelCounts {
        let [true_positives, false_positives, false_negatives, true_negatives] = numbers;
        LabelCounts { true_positives, false_positives, false_negatives, true_negatives }
    }

    /// The numbers, in the order of the fields.
    pub fn numbers(&self) -> [u64; 4] {
        let LabelCounts { true_positives, false_positives, false_negatives, true_negatives } =
            *self;
        [true_positives, false_positives, false_negatives, true_negatives]
    }

    /// Counts one image.
    pub fn add(&mut self, has: bool, is_said: bool) {
        *match (has, is_said) {
            (true, true) => &mut self.true_positives,
            (false, true) => &mut self.false_positives,
            (true, false) => &mut self.false_negatives,
            (false, false) => &mut self.true_negatives,
        } += 1;
    }

    /// These and others together.
    pub fn with(&self, other: &LabelCounts) -> LabelCounts {
        let (own, other) = (self.numbers(), other.numbers());
        LabelCounts::of_numbers([0, 1, 2, 3].map(|place| own[place].saturating_add(other[place])))
    }

    /// Images that have the label.
    pub fn images(&self) -> u64 {
        self.true_positives + self.false_negatives
    }

    /// Part of the images that are said to have the label and have it; 0 if none is said to.
    pub fn precision(&self) -> f64 {
        part(self.true_positives, self.true_positives + self.false_positives)
    }

    /// Part of the images with the label that are said to have it; none if there are none.
    pub fn recall(&self) -> Option<f64> {
        (self.images() > 0).then(|| part(self.true_positives, self.images()))
    }

    /// Harmonic mean of both; none without images that have the label.
    pub fn f1(&self) -> Option<f64> {
        let doubled = 2 * self.true_positives;
        let all = doubled + self.false_positives + self.false_negatives;
        (self.images() > 0).then(|| part(doubled, all))
    }
}

fn part(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Scores of the predictions of a set of images; none where one is not defined.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LabelScores {
    /// The mean over classes of the area under the receiver operating characteristic, `roc_auc_score`. Classes that no
    /// image has, or all have, do not count.
    pub roc_auc: Option<f64>,
    /// The mean over classes of their average precision, which is called mAP: `average_precision_score`. Classes that no
    /// image has do not count.
    pub average_precision: Option<f64>,
    /// Part of all answers, one for each image and class, that are wrong at the probability ½: `hamming_loss`.
    pub hamming_loss: Option<f64>,
    /// F1 of all answers together at the probability ½: `f1_score(average="micro")`.
    pub micro_f1: Option<f64>,
    /// The mean over classes of F1 at the threshold of each; classes that no image has do not count.
    pub f1_at_thresholds: Option<f64>,
    /// Part of the images all of whose labels are right at the threshold of each: `accuracy_score`.
    pub accuracy_at_thresholds: Option<f64>,
}

impl LabelScores {
    /// The names of those that predictions of one label for each image have not.
    pub const OWN: [&'static str; 4] =
        ["hamming_loss", "micro_f1", "f1_at_thresholds", "accuracy_at_thresholds"];

    /// Those of [`OWN`](Self::OWN), in its order.
    pub fn own(&self) -> [Option<f64>; 4] {
        [self.hamming_loss, self.micro_f1, self.f1_at_thresholds, self.accuracy_at_thresholds]
    }

    /// Of `probabilities` `[images, classes]`, whether each image `has` each label, and the thresholds of classes, if
    /// they were chosen. All of them are none where there are no images, or a probability is no number.
    pub fn of(
        probabilities: &[f32],
        classes: usize,
        has: &[bool],
        thresholds: Option<&[f64]>,
    ) -> LabelScores {
        if !are_sound(probabilities, classes, has) {
            return LabelScores::default();
        }
        let (mut areas, mut precisions) = (Vec::new(), Vec::new());
        for class in 0..classes {
            let ranking = ranking(probabilities, classes, has, class);
            if ranking.own() > 0 {
                areas.extend(ranking.has_others().then(|| ranking.area()));
                precisions.push(ranking.average_precision());
            }
        }
        let (counts, _) = counts(probabilities, classes, has, &vec![0.5; classes]);
        let all = counts.iter().fold(LabelCounts::default(), |sum, own| sum.with(own));
        let wrong = all.false_positives + all.false_negatives;
        let tuned = thresholds.filter(|thresholds| thresholds.len() == classes);
        let tuned = tuned.map(|thresholds| self::counts(probabilities, classes, has, thresholds));
        let images = (has.len() / classes) as u64;
        LabelScores {
            roc_auc: mean(&areas),
            average_precision: mean(&precisions),
            hamming_loss: Some(part(wrong, has.len() as u64)),
            micro_f1: Some(all.f1().unwrap_or(0.0)),
            f1_at_thresholds: tuned.as_ref().and_then(|(counts, _)| macro_f1(counts)),
            accuracy_at_thresholds: tuned.map(|(_, right)| part(right, images)),
        }
    }
}

/// The mean over classes of F1; those that no image has do not count.
pub fn macro_f1(counts: &[LabelCounts]) -> Option<f64> {
    mean(&counts.iter().filter_map(LabelCounts::f1).collect::<Vec<f64>>())
}

/// The average precision of each class; none for one that no image has.
pub fn average_precisions(probabilities: &[f32], classes: usize, has: &[bool]) -> Vec<Option<f64>> {
    let of = |class: usize| {
        let ranking = ranking(probabilities, classes, has, class);
        (ranking.own() > 0).then(|| ranking.average_precision())
    };
    match are_sound(probabilities, classes, has) {
        true => (0..classes).map(of).collect(),
        false => vec![None; classes],
    }
}

/// The threshold of each class that has the highest F1 on these images: an image is said to have the label where its
/// probability is at least that. It lies in the middle between two probabilities that occur; of equally good ones it is
/// the one nearest to ½, which it is too for a class that no image has, or where a probability is no number.
pub fn thresholds(probabilities: &[f32], classes: usize, has: &[bool]) -> Vec<f64> {
    match are_sound(probabilities, classes, has) {
        true => (0..classes).map(|class| threshold(probabilities, classes, has, class)).collect(),
        false => vec![0.5; classes],
    }
}

fn threshold(probabilities: &[f32], classes: usize, has: &[bool], class: usize) -> f64 {
    let mut images: Vec<(f32, bool)> = column(probabilities, classes, has, class).collect();
    images.sort_by(|a, b| b.0.total_cmp(&a.0));
    let own = images.iter().filter(|(_, has)| *has).count() as u64;
    let (mut hits, mut said) = (0, 0);
    let (mut best, mut chosen) = (0.0, 0.5);
    let groups: Vec<&[(f32, bool)]> = images.chunk_by(|a, b| a.0 == b.0).collect();
    for (place, group) in groups.iter().enumerate() {
        hits += group.iter().filter(|(_, has)| *has).count() as u64;
        said += group.len() as u64;
        let f1 = part(2 * hits, own + said);
        let below = groups.get(place + 1).map_or(0.0, |next| f64::from(next[0].0));
        let at = (f64::from(group[0].0) + below) / 2.0;
        // ½ itself is as good as the middle where both say the same.
        let at = if below < 0.5 && f64::from(group[0].0) >= 0.5 { 0.5 } else { at };
        let is_nearer = (at - 0.5_f64).abs() < (chosen - 0.5_f64).abs();
        if f1 > best || (f1 == best && f1 > 0.0 && is_nearer) {
            (best, chosen) = (f1, at);
        }
    }
    chosen
}

/// How often each class is rightly and wrongly said at `thresholds`, and how many images have all labels right.
pub fn counts(
    probabilities: &[f32],
    classes: usize,
    has: &[bool],
    thresholds: &[f64],
) -> (Vec<LabelCounts>, u64) {
    let mut counts = vec![LabelCounts::default(); classes];
    let mut right = 0;
    for (row, has) in probabilities.chunks(classes.max(1)).zip(has.chunks(classes.max(1))) {
        let mut is_right = true;
        let all = row.iter().zip(has).zip(thresholds).zip(&mut counts);
        for (((probability, has), threshold), counts) in all {
            let is_said = f64::from(*probability) >= *threshold;
            counts.add(*has, is_said);
            is_right &= is_said == *has;
        }
        right += u64::from(is_right);
    }
    (counts, right)
}

fn are_sound(probabilities: &[f32], classes: usize, has: &[bool]) -> bool {
    let are_numbers = probabilities.iter().all(|probability| probability.is_finite());
    classes > 0
        && !has.is_empty()
        && probabilities.len() == has.len()
        && are_numbers
        && has.len().is_multiple_of(classes)
}

fn column<'a>(
    probabilities: &'a [f32],
    classes: usize,
    has: &'a [bool],
    class: usize,
) -> impl Iterator<Item = (f32, bool)> + 'a {
    let has = has.iter().skip(class).step_by(classes);
    probabilities.iter().skip(class).step_by(classes).copied().zip(has.copied())
}

fn ranking(probabilities: &[f32], classes: usize, has: &[bool], class: usize) -> Ranking {
    Ranking::of(column(probabilities, classes, has, class))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Golden {
        name: String,
        classes: usize,
        labels: Vec<u8>,
        probabilities: Vec<f32>,
        thresholds: Vec<f64>,
        scores: [Option<f64>; 6],
        average_precisions: Vec<Option<f64>>,
        counts: Vec<[u64; 4]>,
        best_f1: Vec<f64>,
    }

    fn close(found: Option<f64>, expected: Option<f64>) -> bool {
        match (found, expected) {
            (Some(found), Some(expected)) => (found - expected).abs() < 1e-9,
            (found, expected) => found == expected,
        }
    }

    #[test]
    fn scores_are_those_of_scikit_learn() {
        let text = include_str!("../../../tests/goldens/label_predictions.json");
        let cases: Vec<Golden> = serde_json::from_str(text).unwrap();
        assert!(cases.len() >= 8);
        for case in cases {
            let Golden { name, classes, probabilities, .. } = &case;
            let has: Vec<bool> = case.labels.iter().map(|label| *label == 1).collect();
            let found = LabelScores::of(probabilities, *classes, &has, Some(&case.thresholds));
            let found = [found.roc_auc, found.average_precision].into_iter().chain(found.own());
            for (place, (found, expected)) in found.zip(case.scores).enumerate() {
                assert!(close(found, expected), "{name}, {place}: {found:?}, not {expected:?}");
            }
            let precisions = average_precisions(probabilities, *classes, &has);
            for (found, expected) in precisions.into_iter().zip(&case.average_precisions) {
                assert!(close(found, *expected), "{name}: {found:?}, not {expected:?}");
            }
            let (found, _) = counts(probabilities, *classes, &has, &vec![0.5; *classes]);
            let found: Vec<[u64; 4]> = found.iter().map(LabelCounts::numbers).collect();
            assert_eq!(found, case.counts, "{name}");
            // No threshold has a higher F1 than the one that is chosen.
            let chosen = thresholds(probabilities, *classes, &has);
            let (found, _) = counts(probabilities, *classes, &has, &chosen);
            for ((found, best), threshold) in found.iter().zip(&case.best_f1).zip(chosen) {
                let f1 = found.f1().unwrap_or(0.0);
                assert!((f1 - best).abs() < 1e-9, "{name}: {f1} at {threshold}, not {best}");
                assert!((0.0..=1.0).contains(&threshold));
            }
        }
    }

    #[test]
    fn what_is_not_defined_is_none_and_a_class_without_images_keeps_a_half() {
        let nothing = LabelScores::default();
        assert_eq!(LabelScores::of(&[], 2, &[], None), nothing);
        assert_eq!(LabelScores::of(&[f32::NAN, 0.5], 2, &[true, false], None), nothing);
        assert_eq!(LabelScores::of(&[0.5], 2, &[true, false], None), nothing);
        let found = LabelScores::of(&[0.2, 0.9], 2, &[false, true], None);
        assert_eq!((found.roc_auc, found.average_precision), (None, Some(1.0)));
        assert_eq!((found.hamming_loss, found.f1_at_thresholds), (Some(0.0), None));
        assert_eq!(thresholds(&[0.9, 0.8, 0.7, 0.2], 1, &[false; 4]), [0.5]);
    }

    #[test]
    fn a_threshold_lies_between_the_images_with_the_label_and_those_without() {
        let chosen = thresholds(&[0.1, 0.2, 0.3, 0.375], 1, &[false, false, true, true]);
        assert!((chosen[0] - 0.25).abs() < 1e-6, "{chosen:?}");
        // Where one half says the same as the middle, it is one half.
        assert_eq!(thresholds(&[0.1, 0.2, 0.8, 0.9], 1, &[false, false, true, true]), [0.5]);
        assert_eq!(thresholds(&[0.25, 0.5], 1, &[true, true]), [0.125]);
    }
}
