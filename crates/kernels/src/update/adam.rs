//! The step of Adam. The state is the exponential means of gradients and of their squares.

use candle_core::{Result, Tensor};
use candlewick_basis::optimizer::Adam;

use super::{Row, Update, add_decay, each_piece};
use crate::buffer::Buffer;
use crate::device::update::{average, times, with_decay};

/// What the means, which start at 0, are to be divided by.
pub(super) fn correction(betas: [f64; 2], step: u64) -> [f64; 2] {
    betas.map(|beta| 1.0 - beta.powi(step.min(1 << 30) as i32))
}

/// Adam's step, before which each value is multiplied by `kept`.
pub(super) fn on_host(adam: &Adam, kept: f32, row: Row<&mut [f32], Vec<f32>>) {
    let Row { values, gradient, state: [first, second], lr, step, .. } = row;
    let Adam { betas, eps, weight_decay, .. } = *adam;
    first.resize(values.len(), 0.0);
    second.resize(values.len(), 0.0);
    let correction = correction(betas, step);
    let rate = (f64::from(lr as f32) / correction[0]) as f32;
    let root = correction[1].sqrt() as f32;
    let (eps, decay) = (eps as f32, weight_decay as f32);
    let [keep_1, keep_2] = betas.map(|beta| beta as f32);
    let [new_1, new_2] = betas.map(|beta| (1.0 - beta) as f32);
    each_piece(values, gradient, [first, second], |values, gradient, [first, second]| {
        if kept != 1.0 {
            values.iter_mut().for_each(|value| *value *= kept);
        }
        add_decay(decay, values, gradient);
        let moments = first.iter_mut().zip(second.iter_mut());
        for ((value, g), (m, v)) in values.iter_mut().zip(gradient).zip(moments) {
            *m = keep_1 * *m + new_1 * *g;
            *v = keep_2 * *v + new_2 * *g * *g;
            *value -= rate * *m / (v.sqrt() / root + eps);
        }
    });
}

impl Update for Adam {
    fn on_host(&self, row: Row<&mut [f32], Vec<f32>>) {
        on_host(self, 1.0, row);
    }

    fn on_device(&self, row: Row<Tensor, Buffer>) -> Result<Tensor> {
        let Row { values, gradient, state: [first, second], lr, step, .. } = row;
        let gradient = with_decay(gradient, &values, self.weight_decay)?;
        let correction = correction(self.betas, step);
        let m = average(first, &gradient, self.betas[0], &values)?;
        let v = average(second, &gradient.sqr()?, self.betas[1], &values)?;
        let root = (times(&v.sqrt()?, 1.0 / correction[1].sqrt())? + self.eps)?;
        values - times(&(m / root)?, lr / correction[0])?
    }
}
