//! Metrics: what a confusion matrix and a few sums say about predictions.

use crate::basis::record::Scores;

use super::checkpoint::Checkpoint;

/// Counts over any number of batches.
#[derive(Clone, Debug, PartialEq)]
pub struct Tally {
    classes: usize,
    top_k: usize,
    /// Row: the true class; column: the predicted one.
    confusion: Vec<u64>,
    in_top_k: u64,
    loss: f64,
    weight: f64,
}

impl Tally {
    /// Nothing seen yet.
    pub fn new(classes: usize, top_k: usize) -> Tally {
        Tally {
            classes,
            top_k,
            confusion: vec![0; classes * classes],
            in_top_k: 0,
            loss: 0.0,
            weight: 0.0,
        }
    }

    /// Adds a batch: logits `[batch, classes]`, labels, and the loss's weighted sum and weight.
    ///
    /// Of equal logits the first class wins.
    pub fn add(&mut self, logits: &[f32], labels: &[u32], loss: f64, weight: f64) {
        self.loss += loss;
        self.weight += weight;
        for (row, label) in logits.chunks(self.classes).zip(labels) {
            let label = *label as usize;
            let own = row[label];
            // How many classes stand before the true one.
            let rank = row
                .iter()
                .enumerate()
                .filter(|(class, x)| **x > own || (**x == own && *class < label))
                .count();
            self.confusion[label * self.classes + prediction(row)] += 1;
            self.in_top_k += u64::from(rank < self.top_k);
        }
    }

    /// Rows of true classes, columns of predicted ones.
    pub fn confusion(&self) -> Vec<Vec<u64>> {
        self.confusion.chunks(self.classes).map(<[u64]>::to_vec).collect()
    }

    /// The scores; none if nothing was seen.
    pub fn scores(&self) -> Option<Scores> {
        let at = |row: usize, column: usize| self.confusion[row * self.classes + column];
        let total: u64 = self.confusion.iter().sum();
        if total == 0 {
            return None;
        }
        let part =
            |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
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
}

/// Where a checkpoint holds the confusion matrix of an epoch under way.
const CONFUSION: &str = "tally.confusion";

/// The counts of an epoch under way, on their way through a checkpoint. Sums go as their bits:
/// whoever goes on has to add to exactly the same numbers.
impl Tally {
    /// Puts the counts into `checkpoint`.
    pub fn save(&self, checkpoint: &mut Checkpoint) {
        let counts = self.confusion.iter().map(|count| *count as f32).collect();
        checkpoint.tensors.insert(CONFUSION.to_owned(), (vec![self.classes; 2], counts));
        let sums = [self.in_top_k, self.loss.to_bits(), self.weight.to_bits()];
        for (name, bits) in ["in-top-k", "loss", "weight"].into_iter().zip(sums) {
            checkpoint.words.insert(format!("tally-{name}"), bits.to_string());
        }
    }

    /// The counts that [`save`](Self::save) put there.
    pub fn load(checkpoint: &Checkpoint, top_k: usize) -> Option<Tally> {
        let (shape, counts) = checkpoint.tensors.get(CONFUSION)?;
        let [in_top_k, loss, weight] =
            ["in-top-k", "loss", "weight"].map(|name| checkpoint.number(&format!("tally-{name}")));
        Some(Tally {
            classes: *shape.first()?,
            top_k,
            confusion: counts.iter().map(|count| *count as u64).collect(),
            in_top_k,
            loss: f64::from_bits(loss),
            weight: f64::from_bits(weight),
        })
    }
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
        let mut tally = Tally::new(3, 2);
        let rows = [
            [9.0, 1.0, 0.0],
            [9.0, 1.0, 0.0],
            [1.0, 9.0, 0.0],
            [1.0, 9.0, 0.0],
            [1.0, 2.0, 9.0],
            [0.0, 0.0, 9.0],
        ];
        for (row, label) in rows.iter().zip([0, 0, 0, 1, 1, 2]) {
            tally.add(row, &[label], 0.5, 1.0);
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
        let mut tally = Tally::new(3, 1);
        assert_eq!(tally.scores(), None);
        tally.add(&[5.0, 1.0, 0.0], &[0], 1.0, 1.0);
        assert_eq!(tally.scores().unwrap().recall, 1.0);
    }

    #[test]
    fn counts_come_back_from_a_checkpoint_as_they_were() {
        let mut tally = Tally::new(3, 2);
        tally.add(&[5.0, 1.0, 0.0], &[0], 0.1, 1.0 / 3.0);
        tally.add(&[5.0, 1.0, 0.0], &[2], f64::MAX, 0.7);
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
        let mut tally = Tally::new(2, 1);
        tally.add(&[1.0, 1.0], &[1], 0.0, 1.0);
        assert_eq!(tally.scores().unwrap().top_k, 0.0);
    }
}
