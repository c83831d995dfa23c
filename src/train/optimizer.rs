//! Optimisers with state that can be saved.

use candle_core::Result;

use crate::basis::optimizer as kinds;
use crate::config::train::Clip;
use crate::config::train::look_ahead::LookAhead;
use crate::config::train::parameters::DecayOn;
use crate::kernels::buffer::{Buffer, global_norm};
use crate::kernels::device::Device;
use crate::kernels::tape::values;
use crate::kernels::update::{apply, exchange};
use crate::model::network::{Parameter, Weights};
use crate::plan::train::TrainPlan;

use super::checkpoint::OPTIMIZER;
use super::steps::Steps;

/// An optimiser and what it remembers of each parameter.
pub struct Optimizer {
    lr: f64,
    clip: Clip,
    look_ahead: Option<LookAhead>,
    /// What moves each parameter.
    moves: Vec<Move>,
    /// Steps taken so far.
    steps: u64,
    /// Three buffers per parameter, empty where not used or not started: two of the optimiser, and the slow weights
    /// of look-ahead.
    buffers: Vec<[Buffer; 3]>,
}

/// What moves one parameter.
struct Move {
    kind: kinds::Optimizer,
    /// The learning rate before the schedule.
    lr: f64,
    /// Factor on it.
    lr_factor: f64,
}

impl Move {
    fn new(recipe: &TrainPlan, parameter: &Parameter) -> Move {
        let kind = recipe.optimizer.of(parameter.is_hidden_matrix);
        let rule = recipe.parameters.iter().find(|rule| rule.fits(&parameter.name));
        let is_weight = parameter.tensor.dims().len() > 1;
        let own = rule.and_then(|rule| rule.weight_decay);
        let none = (recipe.decay_on == DecayOn::Weights && !is_weight).then_some(0.0);
        let decay = own.or(none);
        Move {
            kind: decay.map_or(kind, |decay| kind.with_weight_decay(decay)),
            lr: kind.numbers().lr(),
            lr_factor: rule.map_or(1.0, |rule| rule.lr_factor),
        }
    }
}

impl Optimizer {
    /// That of `recipe` for `parameters`.
    pub fn new(recipe: &TrainPlan, parameters: &[Parameter]) -> Optimizer {
        Optimizer {
            lr: recipe.optimizer.numbers().lr(),
            clip: recipe.clip,
            look_ahead: recipe.look_ahead,
            moves: parameters.iter().map(|parameter| Move::new(recipe, parameter)).collect(),
            steps: 0,
            buffers: vec![Default::default(); parameters.len()],
        }
    }

    /// `kind` for so many parameters, and nothing else.
    pub fn alone(kind: kinds::Optimizer, parameters: usize) -> Optimizer {
        let lr = kind.numbers().lr();
        Optimizer {
            lr,
            clip: Clip::None,
            look_ahead: None,
            moves: (0..parameters).map(|_| Move { kind, lr, lr_factor: 1.0 }).collect(),
            steps: 0,
            buffers: vec![Default::default(); parameters],
        }
    }

    /// Steps taken so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// One step with `gradients` (in the order of `parameters`) at the optimiser's learning rate times
    /// `factor`; that rate. A parameter that does not learn is left alone, and one that has begun
    /// later is at as many steps fewer, of the `spread` of all steps.
    ///
    /// # Errors
    /// If a gradient is not where its parameter is.
    pub fn step(
        &mut self,
        parameters: &[Parameter],
        mut gradients: Vec<Buffer>,
        factor: f64,
        spread: &Steps,
    ) -> Result<f64> {
        clip(&mut gradients, self.clip)?;
        self.steps += 1;
        let all = parameters.iter().zip(gradients).zip(&mut self.buffers).zip(&self.moves);
        for (((parameter, gradient), [first, second, slow]), Move { kind, lr, lr_factor }) in all {
            let Some(from_epoch) = parameter.from_epoch.filter(|_| parameter.learns) else {
                continue;
            };
            if self.look_ahead.is_some() && slow.is_empty() {
                *slow = start_of(parameter, &gradient)?;
            }
            let step = self.steps - spread.before(from_epoch);
            let lr = lr * factor * parameter.lr_factor * lr_factor;
            apply(kind, [first, second], &parameter.tensor, gradient, lr, step)?;
            if let Some(LookAhead { steps, rate }) = self.look_ahead
                && self.steps.is_multiple_of(steps)
            {
                slow.approach_tensor(&parameter.tensor, rate as f32)?;
                exchange(&parameter.tensor, &mut slow.clone())?;
            }
        }
        Ok(self.lr * factor)
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

/// A copy of the numbers of `parameter`, where its `gradient` is.
fn start_of(parameter: &Parameter, gradient: &Buffer) -> Result<Buffer> {
    match gradient {
        Buffer::Host(_) => Ok(Buffer::Host(values(&parameter.tensor)?)),
        Buffer::Device(_) => Ok(Buffer::Device(parameter.tensor.copy()?)),
    }
}

fn buffer_name(parameter: &str, number: usize) -> String {
    format!("{OPTIMIZER}{number}.{parameter}")
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
