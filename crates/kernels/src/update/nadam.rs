//! The step of NAdam: Adam with Nesterov's look ahead. The state is that of Adam.

use candle_core::{Result, Tensor};
use candlewick_basis::optimizer::NAdam;

use super::adam::correction;
use super::{Row, Update, add_decay, each_piece};
use crate::buffer::Buffer;
use crate::device::update::{average, times, with_decay};

/// The factors of the gradient and of its mean in step `step`, which depend on the momenta of all steps so far.
fn shares(nadam: &NAdam, step: u64) -> [f64; 2] {
    let momentum = |step: u64| {
        let rise = libm::pow(0.96, step as f64 * nadam.momentum_decay);
        nadam.betas[0] * (1.0 - 0.5 * rise)
    };
    let mut product = 1.0;
    for step in 1..=step {
        product *= momentum(step);
        // What is left changes 1 − product no more.
        if product < 1e-17 {
            break;
        }
    }
    let next = momentum(step + 1);
    [(1.0 - momentum(step)) / (1.0 - product), next / (1.0 - product * next)]
}

impl Update for NAdam {
    fn on_host(&self, row: Row<&mut [f32], Vec<f32>>) {
        let Row { values, gradient, state: [first, second], lr, step, .. } = row;
        first.resize(values.len(), 0.0);
        second.resize(values.len(), 0.0);
        let root = correction(self.betas, step)[1].sqrt() as f32;
        let [of_gradient, of_mean] = shares(self, step).map(|share| (lr * share) as f32);
        let (eps, decay) = (self.eps as f32, self.weight_decay as f32);
        let [keep_1, keep_2] = self.betas.map(|beta| beta as f32);
        let [new_1, new_2] = self.betas.map(|beta| (1.0 - beta) as f32);
        each_piece(values, gradient, [first, second], |values, gradient, [first, second]| {
            add_decay(decay, values, gradient);
            let moments = first.iter_mut().zip(second.iter_mut());
            for ((value, g), (m, v)) in values.iter_mut().zip(gradient).zip(moments) {
                *m = keep_1 * *m + new_1 * *g;
                *v = keep_2 * *v + new_2 * *g * *g;
                *value -= (of_gradient * *g + of_mean * *m) / (v.sqrt() / root + eps);
            }
        });
    }

    fn on_device(&self, row: Row<Tensor, Buffer>) -> Result<Tensor> {
        let Row { values, gradient, state: [first, second], lr, step, .. } = row;
        let gradient = with_decay(gradient, &values, self.weight_decay)?;
        let m = average(first, &gradient, self.betas[0], &values)?;
        let v = average(second, &gradient.sqr()?, self.betas[1], &values)?;
        let root = correction(self.betas, step)[1].sqrt();
        let root = (times(&v.sqrt()?, 1.0 / root)? + self.eps)?;
        let [of_gradient, of_mean] = shares(self, step).map(|share| lr * share);
        let direction = (times(&gradient, of_gradient)? + times(&m, of_mean)?)?;
        values - (direction / root)?
    }
}
