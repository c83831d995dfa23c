//! The step of Lion. The state is the exponential mean of gradients.

use candle_core::{Result, Tensor};
use candlewick_basis::optimizer::Lion;

use super::{Row, Update, each_piece};
use crate::buffer::Buffer;
use crate::device::update::{moment, times};

/// −1, 0 or 1. `f32::signum` has no 0.
fn sign(number: f32) -> f32 {
    if number > 0.0 {
        1.0
    } else if number < 0.0 {
        -1.0
    } else {
        number
    }
}

impl Update for Lion {
    fn on_host(&self, row: Row<&mut [f32], Vec<f32>>) {
        let Row { values, gradient, state: [mean, _], lr, .. } = row;
        mean.resize(values.len(), 0.0);
        let (lr, kept) = (lr as f32, 1.0 - lr as f32 * self.weight_decay as f32);
        let [keep_1, keep_2] = self.betas.map(|beta| beta as f32);
        let [new_1, new_2] = self.betas.map(|beta| (1.0 - beta) as f32);
        each_piece(values, gradient, [mean], |values, gradient, [mean]| {
            for ((value, g), m) in values.iter_mut().zip(gradient).zip(mean) {
                *value = *value * kept - lr * sign(keep_1 * *m + new_1 * *g);
                *m = keep_2 * *m + new_2 * *g;
            }
        });
    }

    fn on_device(&self, row: Row<Tensor, Buffer>) -> Result<Tensor> {
        let Row { values, gradient, state: [mean, _], lr, .. } = row;
        let old = match moment(mean, &values)? {
            Some(old) => old,
            None => gradient.zeros_like()?,
        };
        let [beta_1, beta_2] = self.betas;
        let direction = (times(&old, beta_1)? + times(&gradient, 1.0 - beta_1)?)?.sign()?;
        *mean = Buffer::Device((times(&old, beta_2)? + times(&gradient, 1.0 - beta_2)?)?);
        times(&values, 1.0 - lr * self.weight_decay)? - times(&direction, lr)?
    }
}
