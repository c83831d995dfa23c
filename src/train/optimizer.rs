//! Optimisers with state that can be saved.

use candle_core::Result;

use crate::basis::optimizer as kinds;
use crate::config::train::Clip;
use crate::kernels::buffer::{Buffer, global_norm};
use crate::kernels::device::Device;
use crate::kernels::update::apply;
use crate::model::network::{Parameter, Weights};

/// An optimiser and what it remembers of each parameter.
pub struct Optimizer {
    kind: kinds::Optimizer,
    clip: Clip,
    /// Steps taken so far.
    steps: u64,
    /// Two buffers per parameter, empty where not used or not started.
    buffers: Vec<[Buffer; 2]>,
}

impl Optimizer {
    /// For so many parameters.
    pub fn new(kind: kinds::Optimizer, clip: Clip, parameters: usize) -> Optimizer {
        Optimizer { kind, clip, steps: 0, buffers: vec![Default::default(); parameters] }
    }

    /// Steps taken so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// One step with `gradients` (in the order of `parameters`) at the optimiser's learning rate times
    /// `factor`; that rate. A parameter that does not learn is left alone, and one that has begun
    /// later is at as many steps fewer.
    ///
    /// # Errors
    /// If a gradient is not where its parameter is.
    pub fn step(
        &mut self,
        parameters: &[Parameter],
        mut gradients: Vec<Buffer>,
        factor: f64,
        steps_per_epoch: u64,
    ) -> Result<f64> {
        let lr = self.kind.numbers().lr() * factor;
        clip(&mut gradients, self.clip)?;
        self.steps += 1;
        for ((parameter, gradient), buffers) in
            parameters.iter().zip(gradients).zip(&mut self.buffers)
        {
            let Some(from_epoch) = parameter.from_epoch.filter(|_| parameter.learns) else {
                continue;
            };
            let step = self.steps - steps_per_epoch * (from_epoch as u64 - 1);
            let lr = lr * parameter.lr_factor;
            apply(&self.kind, buffers, &parameter.tensor, gradient, lr, step)?;
        }
        Ok(lr)
    }

    /// The buffers by name, for a checkpoint.
    ///
    /// # Errors
    /// If a device does not give them.
    pub fn state(&self, parameters: &[Parameter]) -> Result<Weights> {
        let mut state = Weights::new();
        for (parameter, buffers) in parameters.iter().zip(&self.buffers) {
            for (number, buffer) in buffers.iter().enumerate().filter(|(_, b)| !b.is_empty()) {
                let name = buffer_name(&parameter.name, number);
                state.insert(name, (parameter.tensor.dims().to_vec(), buffer.numbers()?));
            }
        }
        Ok(state)
    }

    /// Goes on from a checkpoint's state after `steps` steps of the network on `device`.
    ///
    /// # Errors
    /// If the device has no room.
    pub fn load(
        &mut self,
        parameters: &[Parameter],
        state: &Weights,
        steps: u64,
        device: &Device,
    ) -> Result<()> {
        self.steps = steps;
        for (parameter, buffers) in parameters.iter().zip(&mut self.buffers) {
            for (number, buffer) in buffers.iter_mut().enumerate() {
                if let Some((_, values)) = state.get(&buffer_name(&parameter.name, number)) {
                    *buffer = device.buffer(values.clone(), parameter.tensor.dims())?;
                }
            }
        }
        Ok(())
    }
}

fn buffer_name(parameter: &str, number: usize) -> String {
    format!("optimizer.{number}.{parameter}")
}

fn clip(gradients: &mut [Buffer], clip: Clip) -> Result<()> {
    match clip {
        Clip::None => Ok(()),
        Clip::Norm(limit) => {
            let norm = global_norm(gradients)?;
            if norm > limit {
                // PyTorch adds 1e-6 to the norm.
                let factor = (limit / (norm + 1e-6)) as f32;
                gradients.iter_mut().try_for_each(|gradient| gradient.scale(factor))?;
            }
            Ok(())
        }
        Clip::Value(limit) => {
            let limit = limit as f32;
            gradients.iter_mut().try_for_each(|gradient| gradient.clamp(limit))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clipping_keeps_the_common_norm_or_each_value_within_the_limit() {
        for device in [Device::cpu(), Device::cpu_by_candle()] {
            let buffer = |numbers: Vec<f32>| {
                let dims = [numbers.len()];
                device.buffer(numbers, &dims).unwrap()
            };
            let start = vec![buffer(vec![3.0, 0.0]), buffer(vec![-4.0])];
            let numbers = |buffers: &[Buffer]| -> Vec<Vec<f32>> {
                buffers.iter().map(|buffer| buffer.numbers().unwrap()).collect()
            };
            let mut by_norm = start.clone();
            clip(&mut by_norm, Clip::Norm(1.0)).unwrap();
            assert!((global_norm(&by_norm).unwrap() - 1.0).abs() < 1e-5);
            let mut untouched = start.clone();
            clip(&mut untouched, Clip::Norm(5.1)).unwrap();
            assert_eq!(numbers(&untouched), numbers(&start));
            let mut by_value = start;
            clip(&mut by_value, Clip::Value(2.0)).unwrap();
            assert_eq!(numbers(&by_value), [vec![2.0, 0.0], vec![-2.0]]);
        }
    }
}
