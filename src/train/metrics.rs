//! Metrics: what counts of predictions and a few sums say about them.

use candle_core::{Device, Result, Tensor};
use candle_nn::ops::softmax_last_dim;

use crate::basis::loss::LossFunction;
use crate::basis::record::Scores;
use crate::data::Labels;
use crate::kernels::loss::{Loss, Targets, cross_entropy, loss};
use crate::kernels::tape::Tape;
use crate::measures::LabelCounts;
use crate::measures::label_predictions::macro_f1;
use crate::plan::data::Task;

use super::checkpoint::Checkpoint;

/// Counts over any number of batches.
#[derive(Clone, Debug, PartialEq)]
pub struct Tally {
    classes: usize,
    top_k: usize,
    counts: Counts,
    in_top_k: u64,
    loss: f64,
    weight: f64,
}

/// What is counted of predictions.
#[derive(Clone, Debug, PartialEq)]
enum Counts {
    /// Of one label for each image. Row: the true class; column: the predicted one.
    Confusion(Vec<u64>),
    /// Of several labels: of each class, and how many images there are and have all labels right.
    Labels { of_classes: Vec<LabelCounts>, images: u64, right: u64 },
}

impl Tally {
    /// Nothing seen yet.
    pub fn new(classes: usize, top_k: usize, task: Task) -> Tally {
        let counts = match task {
            Task::SingleLabel => Counts::Confusion(vec![0; classes * classes]),
            Task::MultiLabel => {
                let of_classes = vec![LabelCounts::default(); classes];
                Counts::Labels { of_classes, images: 0, right: 0 }
            }
        };
        Tally { classes, top_k, counts, in_top_k: 0, loss: 0.0, weight: 0.0 }
    }

    /// Adds a batch: logits `[batch, classes]`, labels, and the loss's weighted sum and weight.
    ///
    /// Of equal logits the first class wins.
    pub fn add(&mut self, logits: &[f32], labels: &Labels, loss: f64, weight: f64) {
        self.loss += loss;
        self.weight += weight;
        for (row, own) in logits.chunks(self.classes).zip(labels.iter()) {
            for label in own {
                let label = *label as usize;
                // How many classes stand before it.
                let before = |(class, x): &(usize, &f32)| {
                    **x > row[label] || (**x == row[label] && *class < label)
                };
                let rank = row.iter().enumerate().filter(before).count();
                self.in_top_k += u64::from(rank < self.top_k);
            }
            match &mut self.counts {
                Counts::Confusion(confusion) => {
                    let label = own.first().map_or(0, |label| *label as usize);
                    confusion[label * self.classes + prediction(row)] += 1;
                }
                Counts::Labels { of_classes, images, right } => {
                    let mut is_right = true;
                    for (class, (counts, x)) in of_classes.iter_mut().zip(row).enumerate() {
                        let (has, is_said) = (own.contains(&(class as u32)), is_said(*x));
                        counts.add(has, is_said);
                        is_right &= has == is_said;
                    }
                    *images += 1;
                    *right += u64::from(is_right);
                }
            }
        }
    }

    /// Rows of true classes, columns of predicted ones; of several labels, a row for each class: how often it was
    /// rightly and wrongly said, and wrongly and rightly not said.
    pub fn confusion(&self) -> Vec<Vec<u64>> {
        match &self.counts {
            Counts::Confusion(confusion) => {
                confusion.chunks(self.classes).map(<[u64]>::to_vec).collect()
            }
            Counts::Labels { of_classes, .. } => {
                of_classes.iter().map(|counts| counts.numbers().to_vec()).collect()
            }
        }
    }

    /// The scores; none if nothing was seen.
    pub fn scores(&self) -> Option<Scores> {
        match &self.counts {
            Counts::Confusion(confusion) => self.of_classes(confusion),
            Counts::Labels { of_classes, images, right } => {
                self.of_labels(of_classes, *images, *right)
            }
        }
    }

    fn of_classes(&self, confusion: &[u64]) -> Option<Scores> {
        let at = |row: usize, column: usize| confusion[row * self.classes + column];
        let total: u64 = confusion.iter().sum();
        if total == 0 {
            return None;
        }
        let (mut present, mut precision, mut recall, mut f1) = (0u64, 0.0, 0.0, 0.0);
        for class in 0..self.classes {
            let hits = at(class, class);
            let actual: u64 = (0..self.classes).map(|column| at(class, column)).sum();
            let predicted: u64 = (0..self.classes).map(|row| at(row, class)).sum();
            if actual == 0 {
                continue;
            }
            present += 1;
            precision += part(hits, predicted);
            recall += part(hits, actual);
            f1 += part(2 * hits, actual + predicted);
        }
        let hits: u64 = (0..self.classes).map(|class| at(class, class)).sum();
        let mean = |sum: f64| sum / present as f64;
        Some(Scores {
            loss: self.loss / self.weight,
            accuracy: part(hits, total),
            top_k: part(self.in_top_k, total),
            precision: mean(precision),
            recall: mean(recall),
            f1: mean(f1),
        })
    }

    fn of_labels(&self, of_classes: &[LabelCounts], images: u64, right: u64) -> Option<Scores> {
        if images == 0 {
            return None;
        }
        let there: Vec<&LabelCounts> = of_classes.iter().filter(|it| it.images() > 0).collect();
        // Where no image has a label, there is none to be found.
        let mean = |of: &dyn Fn(&LabelCounts) -> f64| match there.len() {
            0 => 0.0,
            count => there.iter().map(|counts| of(counts)).sum::<f64>() / count as f64,
        };
        let labels: u64 = there.iter().map(|counts| counts.images()).sum();
        Some(Scores {
            loss: self.loss / self.weight,
            accuracy: part(right, images),
            top_k: part(self.in_top_k, labels),
            precision: mean(&LabelCounts::precision),
            recall: mean(&|counts| counts.recall().unwrap_or(0.0)),
            f1: macro_f1(of_classes).unwrap_or(0.0),
        })
    }
}

fn part(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Where a checkpoint holds the confusion matrix of an epoch under way.
const CONFUSION: &str = "tally.confusion";

/// The words of a checkpoint that hold the counts of several labels.
const LABELS: [&str; 3] = ["tally-labels", "tally-images", "tally-right"];

/// The counts of an epoch under way, on their way through a checkpoint. Sums go as their bits:
/// whoever goes on has to add to exactly the same numbers.
impl Tally {
    /// Puts the counts into `checkpoint`.
    pub fn save(&self, checkpoint: &mut Checkpoint) {
        match &self.counts {
            Counts::Confusion(confusion) => {
                let counts = confusion.iter().map(|count| *count as f32).collect();
                checkpoint.tensors.insert(CONFUSION.to_owned(), (vec![self.classes; 2], counts));
            }
            Counts::Labels { of_classes, images, right } => {
                let numbers = of_classes.iter().flat_map(|counts| counts.numbers());
                let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
                let words = [numbers.join(" "), images.to_string(), right.to_string()];
                for (name, word) in LABELS.into_iter().zip(words) {
                    checkpoint.words.insert(name.to_owned(), word);
                }
            }
        }
        let sums = [self.in_top_k, self.loss.to_bits(), self.weight.to_bits()];
        for (name, bits) in ["in-top-k", "loss", "weight"].into_iter().zip(sums) {
            checkpoint.words.insert(format!("tally-{name}"), bits.to_string());
        }
    }

    /// The counts that [`save`](Self::save) put there.
    pub fn load(checkpoint: &Checkpoint, top_k: usize) -> Option<Tally> {
        let (classes, counts) = match checkpoint.words.get(LABELS[0]) {
            None => {
                let (shape, counts) = checkpoint.tensors.get(CONFUSION)?;
                let counts = counts.iter().map(|count| *count as u64).collect();
                (*shape.first()?, Counts::Confusion(counts))
            }
            Some(numbers) => {
                let numbers = numbers
                    .split(' ')
                    .map(str::parse)
                    .collect::<std::result::Result<Vec<u64>, _>>();
                let numbers = numbers.ok()?;
                let of_classes: Vec<LabelCounts> = numbers
                    .chunks_exact(4)
                    .map(|four| LabelCounts::of_numbers([four[0], four[1], four[2], four[3]]))
                    .collect();
                let [images, right] = [LABELS[1], LABELS[2]].map(|name| checkpoint.number(name));
                (of_classes.len(), Counts::Labels { of_classes, images, right })
            }
        };
        let [in_top_k, loss, weight] =
            ["in-top-k", "loss", "weight"].map(|name| checkpoint.number(&format!("tally-{name}")));
        let (loss, weight) = (f64::from_bits(loss), f64::from_bits(weight));
        Some(Tally { classes, top_k, counts, in_top_k, loss, weight })
    }
}

/// The loss that evaluation tells of logits `[images, classes]`, whatever was minimised: the cross-entropy, or the
/// binary one of several labels.
///
/// # Errors
/// If labels do not fit.
pub fn loss_of(logits: &[f32], labels: &Labels, classes: usize) -> Result<Loss> {
    let mut tape = Tape::inference();
    let rows = Tensor::from_slice(logits, (labels.len(), classes), &Device::Cpu)?;
    let rows = tape.leaf(&rows, false);
    match labels {
        Labels::One(labels) => cross_entropy(&mut tape, &rows, labels, 0.0, None),
        Labels::Several(_) => {
            let targets = labels.multi_hot(classes);
            loss(&mut tape, &rows, Targets::MultiHot(&targets), LossFunction::Bce, 0.0, None)
        }
    }
}

/// The probabilities of logits `[images, classes]`: the softmax of a row, or, of several labels, the sigmoid of each.
///
/// # Errors
/// If these are no whole rows.
pub fn probabilities(logits: Vec<f32>, classes: usize, task: Task) -> Result<Vec<f32>> {
    match task {
        Task::SingleLabel => {
            let shape = (logits.len() / classes.max(1), classes);
            let logits = Tensor::from_vec(logits, shape, &Device::Cpu)?;
            softmax_last_dim(&logits)?.flatten_all()?.to_vec1()
        }
        Task::MultiLabel => Ok(logits.into_iter().map(sigmoid).collect()),
    }
}

/// The probability of a label with this logit.
pub fn sigmoid(logit: f32) -> f32 {
    let small = libm::exp(-f64::from(logit).abs());
    let p = if logit >= 0.0 { 1.0 / (1.0 + small) } else { small / (1.0 + small) };
    p as f32
}

/// Whether a label with this logit has a probability of one half at least.
fn is_said(logit: f32) -> bool {
    sigmoid(logit) >= 0.5
}

/// The class with the highest score; of equal ones the first.
pub fn prediction(row: &[f32]) -> usize {
    let mut best = 0;
    for (class, x) in row.iter().enumerate() {
        if *x > row[best] {
            best = class;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_scikit_learn() {
        // y_true = [0, 0, 0, 1, 1, 2], y_pred = [0, 0, 1, 1, 2, 2]:
        // precision_recall_fscore_support(average="macro") and accuracy_score.
        let mut tally = Tally::new(3, 2, Task::SingleLabel);
        let rows = [
            [9.0, 1.0, 0.0],
            [9.0, 1.0, 0.0],
            [1.0, 9.0, 0.0],
            [1.0, 9.0, 0.0],
            [1.0, 2.0, 9.0],
            [0.0, 0.0, 9.0],
        ];
        for (row, label) in rows.iter().zip([0, 0, 0, 1, 1, 2]) {
            tally.add(row, &vec![label].into(), 0.5, 1.0);
        }
        let scores = tally.scores().unwrap();
        assert_eq!(scores.loss, 0.5);
        assert!((scores.accuracy - 4.0 / 6.0).abs() < 1e-12);
        assert_eq!(scores.top_k, 1.0);
        assert!((scores.precision - (1.0 + 0.5 + 0.5) / 3.0).abs() < 1e-12);
        assert!((scores.recall - (2.0 / 3.0 + 0.5 + 1.0) / 3.0).abs() < 1e-12);
        assert!((scores.f1 - (0.8 + 0.5 + 2.0 / 3.0) / 3.0).abs() < 1e-12);
        assert_eq!(tally.confusion(), [[2, 1, 0], [0, 1, 1], [0, 0, 1]]);
    }

    #[test]
    fn classes_without_images_do_not_count_and_nothing_seen_gives_no_scores() {
        let mut tally = Tally::new(3, 1, Task::SingleLabel);
        assert_eq!(tally.scores(), None);
        tally.add(&[5.0, 1.0, 0.0], &vec![0].into(), 1.0, 1.0);
        assert_eq!(tally.scores().unwrap().recall, 1.0);
    }

    #[test]
    fn counts_come_back_from_a_checkpoint_as_they_were() {
        let mut tally = Tally::new(3, 2, Task::SingleLabel);
        tally.add(&[5.0, 1.0, 0.0], &vec![0].into(), 0.1, 1.0 / 3.0);
        tally.add(&[5.0, 1.0, 0.0], &vec![2].into(), f64::MAX, 0.7);
        let mut checkpoint = Checkpoint::default();
        assert_eq!(Tally::load(&checkpoint, 2), None);
        tally.save(&mut checkpoint);
        let bytes = checkpoint.to_bytes().unwrap();
        let back = Checkpoint::from_bytes(&bytes).unwrap();
        assert_eq!(Tally::load(&back, 2), Some(tally));
    }

    #[test]
    fn of_equal_scores_the_first_class_wins() {
        assert_eq!(prediction(&[1.0, 1.0]), 0);
        let mut tally = Tally::new(2, 1, Task::SingleLabel);
        tally.add(&[1.0, 1.0], &vec![1].into(), 0.0, 1.0);
        assert_eq!(tally.scores().unwrap().top_k, 0.0);
    }

    #[test]
    fn scores_of_several_labels_are_those_of_scikit_learn() {
        // y_true = [[1,0,1,0],[0,0,0,0],[1,1,0,0],[0,1,1,0]], y_pred = [[1,0,0,0],[0,0,0,0],[1,1,1,0],[1,0,1,1]]:
        // accuracy_score, and precision_recall_fscore_support(average="macro", labels=[0, 1, 2]).
        let mut tally = Tally::new(4, 1, Task::MultiLabel);
        assert_eq!(tally.scores(), None);
        let rows = [
            [9.0, -1.0, -0.5, -2.0],
            [-9.0, -1.0, -0.5, -2.0],
            [1.0, 9.0, 0.5, -2.0],
            [1.0, -1.0, 2.0, 0.0],
        ];
        let labels = Labels::Several(vec![vec![0, 2], vec![], vec![0, 1], vec![1, 2]]);
        tally.add(rows.as_flattened(), &labels, 8.0, 16.0);
        let scores = tally.scores().unwrap();
        assert_eq!((scores.loss, scores.accuracy), (0.5, 0.25));
        // Of six labels, three are the first ones of their image.
        assert_eq!(scores.top_k, 0.5);
        assert!((scores.precision - (2.0 / 3.0 + 1.0 + 0.5) / 3.0).abs() < 1e-12);
        assert!((scores.recall - (1.0 + 0.5 + 0.5) / 3.0).abs() < 1e-12);
        assert!((scores.f1 - (0.8 + 2.0 / 3.0 + 0.5) / 3.0).abs() < 1e-12);
        assert_eq!(tally.confusion()[0], [2, 1, 0, 1]);
        let mut checkpoint = Checkpoint::default();
        tally.save(&mut checkpoint);
        let back = Checkpoint::from_bytes(&checkpoint.to_bytes().unwrap()).unwrap();
        assert_eq!(Tally::load(&back, 1), Some(tally));
    }

    #[test]
    fn probabilities_of_several_labels_do_not_overflow() {
        let found = probabilities(vec![0.0, 1000.0, -1000.0, -1e-20], 2, Task::MultiLabel).unwrap();
        assert_eq!(found, [0.5, 1.0, 0.0, 0.5]);
    }
}
