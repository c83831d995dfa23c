//! The step of RMSprop. The state is the exponential mean of squared gradients, and the velocity if
//! there is momentum.

use candle_core::{Result, Tensor};
use candlewick_basis::optimizer::Rmsprop;

use super::{Row, Update, add_decay, each_piece};
use crate::buffer::Buffer;
use crate::device::update::{average, moment, times, with_decay};

impl Update for Rmsprop {
    fn on_host(&self, row: Row<&mut [f32], Vec<f32>>) {
        let Row { values, gradient, state: [square, velocity], lr, .. } = row;
        let (lr, decay) = (lr as f32, self.weight_decay as f32);
        let (keep, new) = (self.alpha as f32, (1.0 - self.alpha) as f32);
        let (eps, momentum) = (self.eps as f32, self.momentum as f32);
        square.resize(values.len(), 0.0);
        each_piece(values, gradient, [square], |values, gradient, [square]| {
            add_decay(decay, values, gradient);
            for (g, s) in gradient.iter_mut().zip(square) {
                *s = keep * *s + new * *g * *g;
                *g /= s.sqrt() + eps;
            }
        });
        if self.momentum != 0.0 {
            velocity.resize(values.len(), 0.0);
            each_piece(values, gradient, [velocity], |_, gradient, [velocity]| {
                for (g, v) in gradient.iter_mut().zip(velocity) {
                    *v = momentum * *v + *g;
                    *g = *v;
                }
            });
        }
        each_piece(values, gradient, [], |values, gradient, []| {
            values.iter_mut().zip(gradient).for_each(|(value, g)| *value -= lr * *g);
        });
    }

    fn on_device(&self, row: Row<Tensor, Buffer>) -> Result<Tensor> {
        let Row { values, gradient, state: [square, velocity], lr, .. } = row;
        let gradient = with_decay(gradient, &values, self.weight_decay)?;
        let s = average(square, &gradient.sqr()?, self.alpha, &values)?;
        let mut direction = (gradient / (s.sqrt()? + self.eps)?)?;
        if self.momentum != 0.0 {
            if let Some(old) = moment(velocity, &values)? {
                direction = (times(&old, self.momentum)? + direction)?;
            }
            *velocity = Buffer::Device(direction.clone());
        }
        values - times(&direction, lr)?
    }
}
