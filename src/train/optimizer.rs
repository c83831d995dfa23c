//! Optimisers with state that can be saved.

use candle_core::Result;

use crate::kernels::update::{Update, apply, global_norm};
use crate::model::network::{Parameter, Weights};
use crate::plan::train::{self, Clip};

/// An optimiser and what it remembers of each parameter.
pub struct Optimizer {
    plan: train::Optimizer,
    clip: Clip,
    /// Steps taken so far.
    steps: u64,
    /// Two buffers per parameter, empty where not used or not started.
    buffers: Vec<[Vec<f32>; 2]>,
}

impl Optimizer {
    /// For so many parameters.
    pub fn new(plan: train::Optimizer, clip: Clip, parameters: usize) -> Optimizer {
        Optimizer { plan, clip, steps: 0, buffers: vec![Default::default(); parameters] }
    }

    /// Steps taken so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// One step with `gradients` (in the order of `parameters`) at rate `lr`. A parameter that does
    /// not learn is left alone, and one that has begun later is at as many steps fewer.
    pub fn step(
        &mut self,
        parameters: &[Parameter],
        mut gradients: Vec<Vec<f32>>,
        lr: f64,
        steps_per_epoch: u64,
    ) -> Result<()> {
        clip(&mut gradients, self.clip);
        self.steps += 1;
        for ((parameter, mut gradient), buffers) in
            parameters.iter().zip(gradients).zip(&mut self.buffers)
        {
            let Some(from_epoch) = parameter.from_epoch.filter(|_| parameter.learns) else {
                continue;
            };
            let step = self.steps - steps_per_epoch * (from_epoch as u64 - 1);
            let lr = lr * parameter.lr_factor;
            let [first, second] = buffers;
            let (update, weight_decay) = match self.plan {
                train::Optimizer::Sgd { momentum, nesterov, weight_decay, .. } => {
                    (Update::Sgd { velocity: first, momentum, nesterov }, weight_decay)
                }
                train::Optimizer::Adam { betas, eps, weight_decay, .. } => {
                    let decoupled = false;
                    (Update::Adam { first, second, betas, eps, step, decoupled }, weight_decay)
                }
                train::Optimizer::Adamw { betas, eps, weight_decay, .. } => {
                    let decoupled = true;
                    (Update::Adam { first, second, betas, eps, step, decoupled }, weight_decay)
                }
                train::Optimizer::Rmsprop { alpha, eps, momentum, weight_decay, .. } => {
                    let update =
                        Update::Rmsprop { square: first, velocity: second, alpha, eps, momentum };
                    (update, weight_decay)
                }
            };
            apply(update, &parameter.tensor, &mut gradient, lr, weight_decay)?;
        }
        Ok(())
    }

    /// The buffers by name, for a checkpoint.
    pub fn state(&self, parameters: &[Parameter]) -> Weights {
        let mut state = Weights::new();
        for (parameter, buffers) in parameters.iter().zip(&self.buffers) {
            for (number, buffer) in buffers.iter().enumerate().filter(|(_, b)| !b.is_empty()) {
                let name = buffer_name(&parameter.name, number);
                state.insert(name, (parameter.tensor.dims().to_vec(), buffer.clone()));
            }
        }
        state
    }

    /// Goes on from a checkpoint's state after `steps` steps.
    pub fn load(&mut self, parameters: &[Parameter], state: &Weights, steps: u64) {
        self.steps = steps;
        for (parameter, buffers) in parameters.iter().zip(&mut self.buffers) {
            for (number, buffer) in buffers.iter_mut().enumerate() {
                if let Some((_, values)) = state.get(&buffer_name(&parameter.name, number)) {
                    buffer.clone_from(values);
                }
            }
        }
    }
}

fn buffer_name(parameter: &str, number: usize) -> String {
    format!("optimizer.{number}.{parameter}")
}

fn clip(gradients: &mut [Vec<f32>], clip: Clip) {
    match clip {
        Clip::None => {}
        Clip::Norm(limit) => {
            let norm = global_norm(gradients);
            if norm > limit {
                // PyTorch adds 1e-6 to the norm.
                let factor = (limit / (norm + 1e-6)) as f32;
                gradients.iter_mut().flatten().for_each(|g| *g *= factor);
            }
        }
        Clip::Value(limit) => {
            let limit = limit as f32;
            gradients.iter_mut().flatten().for_each(|g| *g = g.clamp(-limit, limit));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clipping_keeps_the_common_norm_or_each_value_within_the_limit() {
        let start = vec![vec![3.0f32, 0.0], vec![-4.0]];
        let mut by_norm = start.clone();
        clip(&mut by_norm, Clip::Norm(1.0));
        assert!((global_norm(&by_norm) - 1.0).abs() < 1e-5);
        let mut untouched = start.clone();
        clip(&mut untouched, Clip::Norm(5.1));
        assert_eq!(untouched, start);
        let mut by_value = start;
        clip(&mut by_value, Clip::Value(2.0));
        assert_eq!(by_value, [vec![2.0, 0.0], vec![-2.0]]);
    }
}
