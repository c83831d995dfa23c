//! The step of Adadelta. The state is the exponential means of squared gradients and of squared changes.

use candle_core::{Result, Tensor};
use candlewick_basis::optimizer::Adadelta;

use super::{Row, Update, add_decay, each_piece};
use crate::buffer::Buffer;
use crate::device::update::{average, moment, times, with_decay};

impl Update for Adadelta {
    fn on_host(&self, row: Row<&mut [f32], Vec<f32>>) {
        let Row { values, gradient, state: [square, change], lr, .. } = row;
        square.resize(values.len(), 0.0);
        change.resize(values.len(), 0.0);
        let (lr, eps, decay) = (lr as f32, self.eps as f32, self.weight_decay as f32);
        let (keep, new) = (self.rho as f32, (1.0 - self.rho) as f32);
        each_piece(values, gradient, [square, change], |values, gradient, [square, change]| {
            add_decay(decay, values, gradient);
            let state = square.iter_mut().zip(change.iter_mut());
            for ((value, g), (s, c)) in values.iter_mut().zip(gradient).zip(state) {
                *s = keep * *s + new * *g * *g;
                let delta = (*c + eps).sqrt() / (*s + eps).sqrt() * *g;
                *c = keep * *c + new * delta * delta;
                *value -= lr * delta;
            }
        });
    }

    fn on_device(&self, row: Row<Tensor, Buffer>) -> Result<Tensor> {
        let Row { values, gradient, state: [square, change], lr, .. } = row;
        let gradient = with_decay(gradient, &values, self.weight_decay)?;
        let s = average(square, &gradient.sqr()?, self.rho, &values)?;
        let old = match moment(change, &values)? {
            Some(old) => old,
            None => gradient.zeros_like()?,
        };
        let root = ((old + self.eps)?.sqrt()? / (s + self.eps)?.sqrt()?)?;
        let delta = (root * gradient)?;
        average(change, &delta.sqr()?, self.rho, &values)?;
        values - times(&delta, lr)?
    }
}
