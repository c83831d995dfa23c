//! A head that starts as the linear head which fits the training images best.

use crate::measures::{LabelledFeatures, linear_head, sample};
use crate::transfer::extractor::Extractor;

use super::{TrainError, Trainer};

/// More images than these add to the time and little to the head, which goes on learning from all of them.
const IMAGES: usize = 2000;

impl Trainer<'_> {
    /// Fits the last layer to what the layers below it make of the training images, if the plan says so.
    pub(super) fn fit_head(&mut self) -> Result<(), TrainError> {
        let plan = &self.plan.model;
        if !plan.transfer.is_some_and(|transfer| transfer.fits_head) {
            return Ok(());
        }
        let (dataset, train) = (&self.data.dataset, &self.data.split.train);
        let all: Vec<u32> = train.iter().map(|image| dataset.label(*image)).collect();
        let chosen = sample(&all, plan.classes, IMAGES, self.plan.seed);
        let images: Vec<u32> = chosen.iter().map(|place| train[*place]).collect();
        let labels: Vec<u32> = chosen.iter().map(|place| all[*place]).collect();
        let below = plan.layers.len() - 1;
        let extractor = Extractor::new(plan, below, &mut self.learner.network)?;
        let inputs = self.inputs.behind(Some(extractor), self.features.clone(), plan);
        inputs.prepare_evaluation(&images, 0)?;
        let features = inputs.evaluation(&images)?.pixels;
        let features = LabelledFeatures::new(&features, &labels, plan.classes)?;
        let head = linear_head(&features, self.plan.seed)?;
        let layer = &plan.layers[below].name;
        let shape = vec![plan.classes, features.width()];
        let mut weights = self.learner.network.weights()?;
        weights.insert(format!("{layer}.weight"), (shape, head.weights));
        weights.insert(format!("{layer}.bias"), (vec![plan.classes], head.bias));
        Ok(self.learner.network.load(&weights)?)
    }
}
