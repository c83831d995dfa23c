//! What the trials of one setting predicted where an image may have several labels: counts of each label, and mistakes.

use std::collections::BTreeMap;
use std::path::Path;

use crate::basis::regular;
use crate::measures::LabelCounts;
use crate::measures::label_predictions::average_precisions;
use crate::plan::data::SEPARATOR;
use crate::results::label_tables::{LABEL_COLUMNS, LABEL_COUNTS};
use crate::results::layout::{CONFUSION, PREDICTIONS};

use super::answers::Answers;
use super::setting::Setting;

/// The predictions of all completed trials of a setting.
#[derive(Clone, Debug, Default)]
pub struct LabelPredictions {
    /// Trials that left any.
    pub trials: usize,
    /// On which images: `test`, or `validation` where there are no test images.
    pub set: String,
    /// The names of labels.
    pub classes: Vec<String>,
    /// Of each label, summed over trials, at the probability ½.
    pub counts: Vec<LabelCounts>,
    /// Of each label, the mean over trials; none where no image has it.
    pub average_precisions: Vec<Option<f64>>,
    /// Images with a wrong label, those first that the trials were most sure of.
    pub mistakes: Vec<LabelMistake>,
}

/// An image with a wrong label.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelMistake {
    /// Its name in its source.
    pub image: String,
    /// Its labels.
    pub labels: String,
    /// Each label that it has and was not said to have.
    pub missed: Vec<WrongLabel>,
    /// Each label that it was said to have and has not.
    pub added: Vec<WrongLabel>,
}

/// A label that is wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WrongLabel {
    /// Its index.
    pub class: usize,
    /// In how many trials.
    pub trials: usize,
    /// The mean probability that these trials gave to it.
    pub probability: f64,
}

impl WrongLabel {
    /// How sure all trials together were of it.
    fn sureness(&self, is_missed: bool) -> f64 {
        let sure = if is_missed { 1.0 - self.probability } else { self.probability };
        sure * self.trials as f64
    }
}

impl LabelMistake {
    /// How sure all trials together were of what they were most sure of.
    fn sureness(&self) -> f64 {
        let missed = self.missed.iter().map(|wrong| wrong.sureness(true));
        let added = self.added.iter().map(|wrong| wrong.sureness(false));
        missed.chain(added).fold(0.0, f64::max)
    }
}

/// Of each image, its labels and what was wrong: by label, whether it was missed, in how many trials, and the sum of
/// their probabilities.
type Wrong = BTreeMap<String, OfImage>;

/// What [`Wrong`] holds of one image.
type OfImage = (String, BTreeMap<usize, (bool, usize, f64)>);

impl LabelPredictions {
    /// Reads those of `setting`; none if no trial left any.
    pub fn read(answers: &Answers, setting: &Setting) -> Option<LabelPredictions> {
        let mut found = LabelPredictions::default();
        let mut wrong = Wrong::new();
        let mut precisions: Vec<Vec<f64>> = Vec::new();
        for trial in answers.completed(setting) {
            let folder = answers.folder(trial);
            if answers.damaged.iter().any(|damage| damage.path.parent() == Some(&folder)) {
                continue;
            }
            if found.add_counts(&folder.join(CONFUSION)).is_some() {
                found.trials += 1;
                precisions.resize(found.classes.len(), Vec::new());
                found.add_predictions(&folder.join(PREDICTIONS), &mut wrong, &mut precisions);
            }
        }
        let mean = |values: &Vec<f64>| {
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        found.average_precisions = precisions.iter().map(mean).collect();
        found.mistakes = wrong.into_iter().map(mistake).collect();
        found.mistakes.sort_by(|a, b| b.sureness().total_cmp(&a.sureness()));
        (found.trials > 0).then_some(found)
    }

    fn add_counts(&mut self, path: &Path) -> Option<()> {
        let mut reader = csv::Reader::from_reader(regular::open(path).ok()?);
        if !reader.headers().ok()?.iter().skip(1).eq(LABEL_COUNTS) {
            return None;
        }
        let (mut classes, mut counts) = (Vec::new(), Vec::new());
        for record in reader.records() {
            let record = record.ok()?;
            classes.push(record[0].to_owned());
            let mut numbers = [0; 4];
            for (number, cell) in numbers.iter_mut().zip(record.iter().skip(1)) {
                *number = cell.parse().ok()?;
            }
            counts.push(LabelCounts::of_numbers(numbers));
        }
        if self.classes.is_empty() {
            (self.classes, self.counts) = (classes, counts);
        } else if self.classes == classes {
            let both = self.counts.iter_mut().zip(&counts);
            both.for_each(|(sum, more)| *sum = sum.with(more));
        } else {
            return None;
        }
        Some(())
    }

    /// Adds the rows of one trial; those that are none are left out.
    fn add_predictions(&mut self, path: &Path, wrong: &mut Wrong, precisions: &mut [Vec<f64>]) {
        let Ok(file) = regular::open(path) else { return };
        let mut reader = csv::Reader::from_reader(file);
        let classes = self.classes.len();
        let (mut all, mut has) = (Vec::new(), Vec::new());
        for record in reader.records().map_while(Result::ok) {
            let cells = record.iter().skip(LABEL_COLUMNS.len());
            let row: Vec<f32> = cells.map_while(|cell| cell.parse().ok()).collect();
            if row.len() != classes || !row.iter().all(|p| (0.0..=1.0).contains(p)) {
                continue;
            }
            let [image, set, labels] = [0, 1, 2].map(|place| &record[place]);
            let own: Vec<&str> = labels.split(SEPARATOR).collect();
            if self.set != set {
                set.clone_into(&mut self.set);
            }
            for (class, (name, probability)) in self.classes.iter().zip(&row).enumerate() {
                let is_own = own.contains(&name.as_str());
                has.push(is_own);
                if is_own != (*probability >= 0.5) {
                    let (_, of_image) = wrong
                        .entry(image.to_owned())
                        .or_insert_with(|| (labels.to_owned(), BTreeMap::new()));
                    let (_, trials, sum) = of_image.entry(class).or_insert((is_own, 0, 0.0));
                    *trials += 1;
                    *sum += f64::from(*probability);
                }
            }
            all.extend(row);
        }
        for (own, value) in precisions.iter_mut().zip(average_precisions(&all, classes, &has)) {
            own.extend(value);
        }
    }
}

fn mistake((image, (labels, wrong)): (String, OfImage)) -> LabelMistake {
    let those = |wanted: bool| {
        let wrong = wrong.iter().filter(|(_, (is_missed, ..))| *is_missed == wanted);
        let of = |(class, (_, trials, sum)): (&usize, &(bool, usize, f64))| WrongLabel {
            class: *class,
            trials: *trials,
            probability: sum / *trials as f64,
        };
        wrong.map(of).collect()
    };
    LabelMistake { image, labels, missed: those(true), added: those(false) }
}
