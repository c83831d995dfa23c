//! What a network says of images.

use crate::basis::record::Scores;
use crate::kernels::loss::Loss;
use crate::kernels::tape::values;
use crate::model::network::Weights;
use crate::train::ahead::ahead;
use crate::train::metrics::{Tally, loss_of, probabilities};

use super::{Made, TrainError, Trainer};

/// Scores, confusion matrix and probabilities on a set of images. The loss is the mean cross-entropy, of several labels
/// the mean binary one, without label smoothing and class weights.
pub struct Evaluation {
    /// None for an empty set.
    pub scores: Option<Scores>,
    /// Rows of true classes, columns of predicted ones; of several labels, for each class how often it was rightly and
    /// wrongly said, and wrongly and rightly not said, each at the probability ½.
    pub confusion: Vec<Vec<u64>>,
    /// `[images, classes]`, in the order of the images: the softmax of the logits, or, of several labels, the sigmoid
    /// of each.
    pub probabilities: Vec<f32>,
}

/// What is counted on a set of images, and their logits in its order.
pub(super) struct Evaluated {
    pub(super) tally: Tally,
    logits: Vec<f32>,
}

impl Trainer<'_> {
    /// Scores of `weights` on `images`; the logits of an image are the mean over its plain view and
    /// those of test-time augmentation.
    pub fn evaluate(
        &mut self,
        weights: &Weights,
        images: &[u32],
    ) -> Result<Evaluation, TrainError> {
        let whole = self.whole(weights)?;
        self.learner.network.load(&whole)?;
        self.begin(self.records.len().max(1))?;
        let views = self.inputs.views().test_time();
        let Evaluated { tally, logits } = self.evaluate_on(images, views)?;
        let probabilities = match images {
            [] => Vec::new(),
            _ => probabilities(logits, self.plan.model.classes, self.plan.data.task)?,
        };
        Ok(Evaluation { scores: tally.scores(), confusion: tally.confusion(), probabilities })
    }

    /// Scores of `weights` on the validation images, as at the end of an epoch.
    pub fn validate(&mut self, weights: &Weights) -> Result<Option<Scores>, TrainError> {
        let whole = self.whole(weights)?;
        self.learner.network.load(&whole)?;
        self.begin(self.records.len().max(1))?;
        let split = self.data.split.clone();
        Ok(self.evaluate_on(&split.validation, 0)?.tally.scores())
    }

    /// Evaluates on `images`, each seen plainly and through the first `views` of the test-time views.
    pub(super) fn evaluate_on(
        &mut self,
        images: &[u32],
        views: usize,
    ) -> Result<Evaluated, TrainError> {
        let plan = &self.plan.train;
        let classes = self.plan.model.classes;
        let mut tally = Tally::new(classes, plan.top_k, self.plan.data.task);
        let mut all = Vec::with_capacity(images.len() * classes);
        let seen = self.inputs.clone();
        let is_made = seen.prepare_evaluation(images, views)?;
        let maker = self.maker(is_made)?;
        let chunks: Vec<&[u32]> = images.chunks(plan.batch_size).collect();
        // Each batch is seen plainly first, then in its other views.
        let make = |index: usize| {
            let images = chunks[index / (views + 1)];
            match index % (views + 1) {
                0 => seen.evaluation(images),
                view => seen.test_view(images, view - 1),
            }
        };
        let mut take = |made: &mut Made| -> Result<(), TrainError> {
            while let Some(plain) = made.next() {
                let plain = plain?;
                let labels = plain.labels;
                let mut logits = self.logits(plain.pixels, labels.len())?;
                for _ in 0..views {
                    let Some(other) = made.next() else { break };
                    let other = self.logits(other?.pixels, labels.len())?;
                    logits.iter_mut().zip(other).for_each(|(sum, more)| *sum += more);
                }
                let share = 1.0 / (views + 1) as f32;
                logits.iter_mut().for_each(|logit| *logit *= share);
                // Plain, whatever is minimised: a trial that smooths labels or weighs classes compares
                // with one that does not.
                let Loss { sum, weight, .. } = loss_of(&logits, &labels, classes)?;
                tally.add(&logits, &labels, sum, weight);
                all.extend_from_slice(&logits);
            }
            Ok(())
        };
        ahead(maker.as_deref(), chunks.len() * (views + 1), make, &mut take)?;
        Ok(Evaluated { tally, logits: all })
    }

    /// Has the running statistics of the network become those of the training images, seen plainly. A smaller last
    /// batch does not count.
    pub(super) fn estimate_statistics(&mut self) -> Result<(), TrainError> {
        let split = self.data.split.clone();
        let seen = self.inputs.clone();
        let is_made = seen.prepare_evaluation(&split.train, 0)?;
        let maker = self.maker(is_made)?;
        let size = self.plan.train.batch_size.min(split.train.len());
        let batches: Vec<&[u32]> = split.train.chunks_exact(size.max(1)).collect();
        let make = |index: usize| seen.evaluation(batches[index]);
        let take = |made: &mut Made| -> Result<(), TrainError> {
            for (index, batch) in made.enumerate() {
                let batch = batch?;
                let inputs = self.tensor(batch.pixels, batch.labels.len())?;
                let (from, number) = (self.inputs.from(), index as u64 + 1);
                self.learner.network.estimate_statistics(from, &inputs, number)?;
            }
            Ok(())
        };
        ahead(maker.as_deref(), batches.len(), make, take)
    }

    fn logits(&mut self, pixels: Vec<f32>, images: usize) -> Result<Vec<f32>, TrainError> {
        let inputs = self.tensor(pixels, images)?;
        let forward = self.learner.network.forward_from(self.inputs.from(), &inputs, false, 0)?;
        Ok(values(forward.logits.tensor())?)
    }
}
