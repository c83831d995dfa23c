//! Whether a network that comes from a file is one: its shapes follow from each other, and nothing in it is
//! without bounds. A plan that was made of an experiment is one by the way it was made.

use std::collections::BTreeSet;

use crate::basis::shape::display;
use crate::plan::layer::{LARGEST_SIDE, LARGEST_TENSOR, LARGEST_WIDTH};

use super::{LayerPlan, ModelPlan};

/// A network has at most this many layers.
const MOST_LAYERS: usize = 100_000;

impl ModelPlan {
    /// Finds out whether this is a network.
    ///
    /// # Errors
    /// In words, what it is not for.
    pub fn check(&self) -> Result<(), String> {
        let sides = |shape: &[usize]| shape.iter().all(|side| (1..=LARGEST_SIDE).contains(side));
        if self.input.len() != 3 || !sides(&self.input) {
            return Err(format!("its images of {} are none", display(&self.input)));
        }
        if !(1..=LARGEST_WIDTH).contains(&self.classes) {
            return Err(format!("{} classes are not between 1 and {LARGEST_WIDTH}", self.classes));
        }
        if !(1..=MOST_LAYERS).contains(&self.layers.len()) {
            let layers = self.layers.len();
            return Err(format!("{layers} layers are not between 1 and {MOST_LAYERS}"));
        }
        for (index, layer) in self.layers.iter().enumerate() {
            let wrong = |what: String| format!("layer {}, \"{}\": {what}", index + 1, layer.name);
            self.check_layer(index, layer).map_err(wrong)?;
        }
        let mut names = BTreeSet::new();
        if let Some(twice) =
            self.tensors().into_iter().find(|(name, _)| !names.insert(name.clone()))
        {
            return Err(format!("two tensors are called {}", twice.0));
        }
        let gives_logits = |number: usize| {
            let layer = number.checked_sub(1).and_then(|index| self.layers.get(index));
            layer.is_some_and(|layer| layer.output == [self.classes])
        };
        let heads = self.auxiliary.iter().map(|head| head.logits);
        match heads.chain([self.layers.len()]).find(|number| !gives_logits(*number)) {
            Some(number) => {
                Err(format!("layer {number} does not give the logits of {} classes", self.classes))
            }
            None => Ok(()),
        }
    }

    fn check_layer(&self, index: usize, layer: &LayerPlan) -> Result<(), String> {
        let sources = self.sources(index);
        if let Some(source) = sources.iter().find(|source| **source > index) {
            return Err(format!("it takes its input from layer {source}, which is not before it"));
        }
        let inputs = sources.iter().map(|source| match source {
            0 => &self.input,
            number => &self.layers[number - 1].output,
        });
        let inputs: Vec<&[usize]> = inputs.map(|shape| &shape[..]).collect();
        if layer.input != inputs[0] {
            let (said, is) = (display(&layer.input), display(inputs[0]));
            return Err(format!("its input of {said} is {is}"));
        }
        let output = layer.kind.output(&inputs, &layer.output)?;
        if layer.output != output {
            let (said, is) = (display(&layer.output), display(&output));
            return Err(format!("its output of {said} is {is}"));
        }
        if size(&output) > LARGEST_TENSOR || output.contains(&0) {
            return Err(format!("its output of {} is none", display(&output)));
        }
        match layer.parameter_plans().iter().find(|plan| size(&plan.shape) > LARGEST_TENSOR) {
            Some(plan) => Err(format!("{} would be {}", plan.name, display(&plan.shape))),
            None => Ok(()),
        }
    }
}

/// How many numbers a tensor of this shape holds.
fn size(shape: &[usize]) -> u128 {
    shape.iter().fold(1_u128, |size, side| size.saturating_mul(*side as u128))
}
