//! The step of Adagrad. The state is the sum of squared gradients.

use candle_core::{Result, Tensor};
use candlewick_basis::optimizer::Adagrad;

use super::{Row, Update, add_decay, each_piece};
use crate::buffer::Buffer;
use crate::device::update::{moment, times, with_decay};

impl Update for Adagrad {
    fn on_host(&self, row: Row<&mut [f32], Vec<f32>>) {
        let Row { values, gradient, state: [sum, _], lr, step, .. } = row;
        sum.resize(values.len(), 0.0);
        let (lr, eps) = ((lr * self.factor(step)) as f32, self.eps as f32);
        let decay = self.weight_decay as f32;
        each_piece(values, gradient, [sum], |values, gradient, [sum]| {
            add_decay(decay, values, gradient);
            for ((value, g), s) in values.iter_mut().zip(gradient).zip(sum) {
                *s += *g * *g;
                *value -= lr * *g / (s.sqrt() + eps);
            }
        });
    }

    fn on_device(&self, row: Row<Tensor, Buffer>) -> Result<Tensor> {
        let Row { values, gradient, state: [sum, _], lr, step, .. } = row;
        let gradient = with_decay(gradient, &values, self.weight_decay)?;
        let squares = gradient.sqr()?;
        let new = match moment(sum, &values)? {
            None => squares,
            Some(old) => (old + squares)?,
        };
        *sum = Buffer::Device(new.clone());
        let direction = (gradient / (new.sqrt()? + self.eps)?)?;
        values - times(&direction, lr * self.factor(step))?
    }
}
