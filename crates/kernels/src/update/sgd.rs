//! The step of stochastic gradient descent. The state is the velocity, if there is momentum.

use candle_core::{Result, Tensor};
use candlewick_basis::optimizer::Sgd;

use super::{Row, Update, add_decay, each_piece};
use crate::buffer::Buffer;
use crate::device::update::{moment, times, with_decay};

impl Update for Sgd {
    fn on_host(&self, row: Row<&mut [f32], Vec<f32>>) {
        let Row { values, gradient, state: [velocity, _], lr, .. } = row;
        let (lr, decay) = (lr as f32, self.weight_decay as f32);
        if self.momentum == 0.0 {
            each_piece(values, gradient, [], |values, gradient, []| {
                add_decay(decay, values, gradient);
                values.iter_mut().zip(gradient).for_each(|(value, g)| *value -= lr * *g);
            });
            return;
        }
        let (momentum, nesterov) = (self.momentum as f32, self.nesterov);
        // PyTorch starts with the first gradient, not with zero.
        let is_first = velocity.is_empty();
        velocity.resize(values.len(), 0.0);
        each_piece(values, gradient, [velocity], |values, gradient, [velocity]| {
            add_decay(decay, values, gradient);
            if is_first {
                velocity.copy_from_slice(gradient);
            } else {
                velocity.iter_mut().zip(&*gradient).for_each(|(v, g)| *v = momentum * *v + g);
            }
            for ((value, g), v) in values.iter_mut().zip(gradient).zip(velocity) {
                *value -= lr * if nesterov { *g + momentum * *v } else { *v };
            }
        });
    }

    fn on_device(&self, row: Row<Tensor, Buffer>) -> Result<Tensor> {
        let Row { values, gradient, state: [velocity, _], lr, .. } = row;
        let gradient = with_decay(gradient, &values, self.weight_decay)?;
        if self.momentum == 0.0 {
            return values - times(&gradient, lr)?;
        }
        let new = match moment(velocity, &values)? {
            None => gradient.clone(),
            Some(old) => (times(&old, self.momentum)? + &gradient)?,
        };
        *velocity = Buffer::Device(new.clone());
        let direction = match self.nesterov {
            true => (gradient + times(&new, self.momentum)?)?,
            false => new,
        };
        values - times(&direction, lr)?
    }
}
