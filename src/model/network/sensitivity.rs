//! How the logit of a class depends on what one of the layers gives.

use candle_core::{Result, Tensor};

use crate::kernels::arrange::reshape;
use crate::kernels::tape::{Tape, Value, values};

use super::super::layer::Pass;
use super::{Network, no_layers};

/// What a layer gives for images at test time, and how the logit of a class changes with it.
#[derive(Clone, Debug)]
pub struct Sensitivity {
    /// `[images, classes]`.
    pub logits: Vec<f32>,
    /// What the layer gives, one image behind the other, in the layer's shape.
    pub outputs: Vec<f32>,
    /// The derivative of an image's logit by each of these numbers.
    pub gradients: Vec<f32>,
}

impl Network {
    /// What layer number `place`, counted from 1, gives for `images`, and the derivatives of the logit of each
    /// image's class of `classes` by it. Everything is as at test time.
    ///
    /// # Shapes
    /// images `[batch, channels, height, width]`, a class for each.
    ///
    /// # Errors
    /// If evaluation does not need that layer, or there is no such class.
    pub fn sensitivity(
        &mut self,
        images: &Tensor,
        place: usize,
        classes: &[usize],
    ) -> Result<Sensitivity> {
        let last = self.layers.len();
        let asked: Vec<usize> = self.asked(place, false, &[place]).into_iter().collect();

        let mut tape = Tape::inference_on(&self.device);
        let leaves: Vec<Value> =
            self.parameters.iter().map(|p| tape.leaf(&p.tensor, false)).collect();
        let images = tape.leaf(&self.device.bring(images)?, false);
        let mut pass = Pass::inference(tape, &leaves, self.seed);
        let found = self.run(0..place, vec![(0, images)], &asked, &mut pass)?;
        let mut given = Vec::new();
        for (number, value) in asked.into_iter().zip(found) {
            let dims = value.dims().to_vec();
            given.push((number, reshape(&mut pass.tape, &value, &dims)?));
        }

        let mut pass = Pass { tape: Tape::recording_on(&self.device), ..pass };
        let (_, watched) = given.pop().ok_or_else(no_layers)?;
        let outputs = values(watched.tensor())?;
        let watched = pass.tape.leaf(watched.tensor(), true);
        given.push((place, watched.clone()));
        let logits = self.run(place..last, given, &[last], &mut pass)?.pop();
        let logits = logits.ok_or_else(no_layers)?;
        let rows = values(logits.tensor())?;
        let count = rows.len() / classes.len().max(1);
        let mut slopes = vec![0.0; rows.len()];
        for (row, class) in slopes.chunks_mut(count.max(1)).zip(classes) {
            match row.get_mut(*class) {
                Some(slope) => *slope = 1.0,
                None => candle_core::bail!("there is no class {class} among {count}"),
            }
        }
        let mut gradients = pass.tape.backward_from(&logits, slopes)?;
        let gradients = match gradients.take(&watched) {
            Some(found) => found.into_numbers()?,
            None => vec![0.0; outputs.len()],
        };
        Ok(Sensitivity { logits: rows, outputs, gradients })
    }
}
