//! What the trials of one setting predicted: confusion, scores by class, mistakes and calibration.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::basis::regular;
use crate::results::label_tables::LABEL_COUNTS;
use crate::results::layout::{CONFUSION, PREDICTIONS};
use crate::sweep::store::{Damage, TrialStore};

use super::answers::Answers;
use super::setting::Setting;
use super::tables::Trial;

pub use crate::measures::BINS;

/// The predictions of all completed trials of a setting.
#[derive(Clone, Debug, Default)]
pub struct Predictions {
    /// Trials that left any.
    pub trials: usize,
    /// On which images: `test`, or `validation` where there are no test images.
    pub set: String,
    /// Class names.
    pub classes: Vec<String>,
    /// Rows of true classes, columns of predicted ones, summed over trials.
    pub confusion: Vec<Vec<u64>>,
    /// By the probability that all trials together gave to the wrong class, the highest first.
    pub mistakes: Vec<Mistake>,
    /// By confidence, [`BINS`] of them.
    pub bins: [Bin; BINS],
}

/// An image that was taken for another class.
#[derive(Clone, Debug, PartialEq)]
pub struct Mistake {
    /// Its name in its source.
    pub image: String,
    /// Index of its class.
    pub class: usize,
    /// Index of the class that it was taken for.
    pub predicted: usize,
    /// In how many trials.
    pub trials: usize,
    /// The mean probability that these trials gave to the predicted class.
    pub probability: f64,
}

/// Predictions of about one confidence.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    /// How many.
    pub count: u64,
    /// Sum of the probabilities of the predicted classes.
    pub confidence: f64,
    /// How many are right.
    pub right: u64,
}

/// Precision, recall and F1 of one class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassScores {
    /// Images of the class, over all trials.
    pub images: u64,
    /// Part of the predictions of the class that are right; 0 if there are none.
    pub precision: f64,
    /// Part of the images of the class that are found; none if there are none.
    pub recall: Option<f64>,
    /// Harmonic mean of both; none without images.
    pub f1: Option<f64>,
}

#[derive(Deserialize)]
struct Row {
    image: String,
    set: String,
    class: String,
    predicted: String,
    probability: f64,
}

impl Predictions {
    /// Reads those of `setting`; none if no trial left a confusion matrix that can be read.
    pub fn read(answers: &Answers, setting: &Setting) -> Option<Predictions> {
        let mut found = Predictions::default();
        let mut mistakes: BTreeMap<(String, usize, usize), (usize, f64)> = BTreeMap::new();
        for trial in answers.completed(setting) {
            let folder = answers.folder(trial);
            if answers.damaged.iter().any(|damage| damage.path.parent() == Some(&folder)) {
                continue;
            }
            if found.add_confusion(&folder.join(CONFUSION)).is_some() {
                found.trials += 1;
                found.add_predictions(&folder.join(PREDICTIONS), &mut mistakes);
            }
        }
        found.mistakes = mistakes
            .into_iter()
            .map(|((image, class, predicted), (trials, sum))| {
                let probability = sum / trials as f64;
                Mistake { image, class, predicted, trials, probability }
            })
            .collect();
        let sure = |mistake: &Mistake| mistake.probability * mistake.trials as f64;
        found.mistakes.sort_by(|a, b| sure(b).total_cmp(&sure(a)));
        (found.trials > 0).then_some(found)
    }

    fn add_confusion(&mut self, path: &std::path::Path) -> Option<()> {
        let mut reader = csv::Reader::from_reader(regular::open(path).ok()?);
        if reader.headers().ok()?.iter().skip(1).eq(LABEL_COUNTS) {
            // Counts of several labels for an image are no matrix.
            return None;
        }
        let classes: Vec<String> =
            reader.headers().ok()?.iter().skip(1).map(str::to_owned).collect();
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.ok()?;
            let row: Option<Vec<u64>> =
                record.iter().skip(1).map(|cell| cell.parse().ok()).collect();
            rows.push(row?);
        }
        if rows.len() != classes.len() || classes.is_empty() {
            return None;
        }
        if self.classes.is_empty() {
            self.confusion = vec![vec![0; classes.len()]; classes.len()];
            self.classes = classes;
        } else if self.classes != classes {
            return None;
        }
        for (sum, row) in self.confusion.iter_mut().flatten().zip(rows.iter().flatten()) {
            *sum = sum.saturating_add(*row);
        }
        Some(())
    }

    fn add_predictions(
        &mut self,
        path: &std::path::Path,
        mistakes: &mut BTreeMap<(String, usize, usize), (usize, f64)>,
    ) {
        let Ok(file) = regular::open(path) else { return };
        let mut reader = csv::Reader::from_reader(file);
        let index: BTreeMap<&str, usize> =
            self.classes.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
        for row in reader.deserialize::<Row>().map_while(Result::ok) {
            let indices = (index.get(row.class.as_str()), index.get(row.predicted.as_str()));
            let (Some(class), Some(predicted)) = indices else { continue };
            let is_right = class == predicted;
            if (0.0..=1.0).contains(&row.probability) {
                let bin = ((row.probability * BINS as f64) as usize).min(BINS - 1);
                let bin = &mut self.bins[bin];
                bin.count += 1;
                bin.confidence += row.probability;
                bin.right += u64::from(is_right);
            }
            if !is_right {
                let key = (row.image, *class, *predicted);
                let (trials, sum) = mistakes.entry(key).or_default();
                *trials += 1;
                *sum += row.probability;
            }
            if self.set != row.set {
                self.set = row.set;
            }
        }
    }

    /// Precision, recall and F1 of every class.
    pub fn by_class(&self) -> Vec<ClassScores> {
        let part = |part: u64, whole: u64| part as f64 / whole as f64;
        (0..self.classes.len())
            .map(|class| {
                let hits = self.confusion[class][class];
                let images: u64 = self.confusion[class].iter().sum();
                let predicted: u64 = self.confusion.iter().map(|row| row[class]).sum();
                ClassScores {
                    images,
                    precision: if predicted == 0 { 0.0 } else { part(hits, predicted) },
                    recall: (images > 0).then(|| part(hits, images)),
                    f1: (images > 0).then(|| part(2 * hits, images + predicted)),
                }
            })
            .collect()
    }

    /// The part of the images that have the most frequent class: what always saying that one would come to.
    pub fn most_frequent(&self) -> Option<f64> {
        let counts = self.confusion.iter().map(|row| row.iter().sum::<u64>());
        let all: u64 = counts.clone().sum();
        (all > 0).then(|| counts.max().unwrap_or(0) as f64 / all as f64)
    }

    /// The expected calibration error: the mean distance between confidence and accuracy over the bins,
    /// weighted by their predictions (Guo et al. 2017); none without probabilities.
    pub fn calibration_error(&self) -> Option<f64> {
        let count: u64 = self.bins.iter().map(|bin| bin.count).sum();
        let distance = |bin: &Bin| (bin.confidence - bin.right as f64).abs();
        (count > 0).then(|| self.bins.iter().map(distance).sum::<f64>() / count as f64)
    }
}

/// What is not as it was written of the predictions of the best setting.
pub(super) fn damaged(answers: &Answers) -> Vec<Damage> {
    let Some(best) = answers.best() else { return Vec::new() };
    let vouched = |trial: &Trial| {
        let store = TrialStore::at(answers.folder(trial));
        [CONFUSION, PREDICTIONS].map(|name| store.vouch(name).err())
    };
    let mut damaged: Vec<Damage> = answers.completed(best).flat_map(vouched).flatten().collect();
    // An outcome vouches for both.
    damaged.dedup();
    damaged
}
