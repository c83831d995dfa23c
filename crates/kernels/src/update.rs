//! Optimiser updates in place, one parameter at a time, with PyTorch's formulas.

use std::sync::Mutex;

use candle_core::{CpuStorage, Device, InplaceOp1, Layout, Result, Tensor};
use rayon::prelude::*;

use super::buffer::Buffer;
use super::device as on_device;
use super::pieces::PIECE;
use super::simd::vectorised;

/// One step of an optimiser on one parameter: its state is read and written in place.
pub enum Update<'a> {
    /// Stochastic gradient descent. `velocity` is empty before the first step.
    Sgd {
        /// Momentum buffer.
        velocity: &'a mut Buffer,
        /// Its decay; 0 needs no buffer.
        momentum: f64,
        /// Look ahead along the velocity.
        nesterov: bool,
    },
    /// Adam, or AdamW if `decoupled`.
    Adam {
        /// Exponential mean of gradients; empty before the first step.
        first: &'a mut Buffer,
        /// Exponential mean of squared gradients; empty before the first step.
        second: &'a mut Buffer,
        /// Decay of both.
        betas: [f64; 2],
        /// Added to the root.
        eps: f64,
        /// Counted from 1, for the correction of bias.
        step: u64,
        /// Whether weight decay acts on the parameter itself.
        decoupled: bool,
    },
    /// RMSprop.
    Rmsprop {
        /// Exponential mean of squared gradients; empty before the first step.
        square: &'a mut Buffer,
        /// Momentum buffer; empty before the first step.
        velocity: &'a mut Buffer,
        /// Decay of the squares.
        alpha: f64,
        /// Added to the root.
        eps: f64,
        /// Decay of the velocity; 0 needs no buffer.
        momentum: f64,
    },
}

/// Applies `update` with learning rate `lr` and weight decay to `parameter`, for all tensors that share its storage;
/// its gradient is used up.
///
/// # Errors
/// If the state or the gradient is not where the parameter is.
pub fn apply(
    update: Update,
    parameter: &Tensor,
    gradient: Buffer,
    lr: f64,
    weight_decay: f64,
) -> Result<()> {
    let mut gradient = match gradient {
        Buffer::Host(numbers) => numbers,
        Buffer::Device(gradient) => {
            return on_device::update::apply(update, parameter, &gradient, lr, weight_decay);
        }
    };
    let (mut update, mut outcome) = (Some(update), Ok(()));
    change(parameter, |values| {
        if let Some(update) = update.take() {
            outcome = update.run(values, &mut gradient, lr as f32, weight_decay as f32);
        }
    })?;
    outcome
}

/// Overwrites `parameter` with `values`, for all tensors that share its storage.
///
/// # Errors
/// If they are not as many.
pub fn assign(parameter: &Tensor, values: &[f32]) -> Result<()> {
    if parameter.elem_count() != values.len() {
        candle_core::bail!("{} values do not fit {:?}", values.len(), parameter.dims());
    }
    match parameter.device() {
        Device::Cpu => change(parameter, |into| into.copy_from_slice(values)),
        device => {
            let values = Tensor::from_slice(values, parameter.shape(), device)?;
            on_device::update::assign(parameter, &values)
        }
    }
}

/// Changes the numbers of `tensor`, which is on the CPU, for all tensors that share its storage.
pub(super) fn change(tensor: &Tensor, change: impl FnMut(&mut [f32])) -> Result<()> {
    tensor.inplace_op1(&InPlace(Mutex::new(change)))
}

struct InPlace<F>(Mutex<F>);

impl<F: FnMut(&mut [f32])> InplaceOp1 for InPlace<F> {
    fn name(&self) -> &'static str {
        "update"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (CpuStorage::F32(values), Some((start, end))) = (storage, layout.contiguous_offsets())
        else {
            candle_core::bail!("updates work on contiguous f32 parameters");
        };
        let mut run = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        run(&mut values[start..end]);
        Ok(())
    }
}

impl Update<'_> {
    fn run(
        self,
        values: &mut [f32],
        gradient: &mut [f32],
        lr: f32,
        weight_decay: f32,
    ) -> Result<()> {
        let decoupled = matches!(self, Update::Adam { decoupled: true, .. });
        let decay = Decay { decoupled, lr, weight_decay };
        match self {
            Update::Sgd { momentum: 0.0, .. } => {
                each_piece(values, gradient, [], |values, gradient, []| {
                    decay.apply(values, gradient);
                    values.iter_mut().zip(gradient).for_each(|(value, g)| *value -= lr * *g);
                });
            }
            Update::Sgd { velocity, momentum, nesterov } => {
                let (velocity, momentum) = (on_host(velocity)?, momentum as f32);
                // PyTorch starts with the first gradient, not with zero.
                let is_first = velocity.is_empty();
                velocity.resize(values.len(), 0.0);
                each_piece(values, gradient, [velocity], |values, gradient, [velocity]| {
                    decay.apply(values, gradient);
                    if is_first {
                        velocity.copy_from_slice(gradient);
                    } else {
                        velocity
                            .iter_mut()
                            .zip(&*gradient)
                            .for_each(|(v, g)| *v = momentum * *v + g);
                    }
                    for ((value, g), v) in values.iter_mut().zip(gradient).zip(velocity) {
                        *value -= lr * if nesterov { *g + momentum * *v } else { *v };
                    }
                });
            }
            Update::Adam { first, second, betas, eps, step, .. } => {
                let (first, second) = (on_host(first)?, on_host(second)?);
                first.resize(values.len(), 0.0);
                second.resize(values.len(), 0.0);
                let correction = betas.map(|beta| 1.0 - beta.powi(step.min(1 << 30) as i32));
                let rate = (f64::from(lr) / correction[0]) as f32;
                let root = correction[1].sqrt() as f32;
                let eps = eps as f32;
                let [keep_1, keep_2] = betas.map(|beta| beta as f32);
                let [new_1, new_2] = betas.map(|beta| (1.0 - beta) as f32);
                each_piece(values, gradient, [first, second], |values, gradient, moments| {
                    decay.apply(values, gradient);
                    let [first, second] = moments;
                    let moments = first.iter_mut().zip(second.iter_mut());
                    for ((value, g), (m, v)) in values.iter_mut().zip(gradient).zip(moments) {
                        *m = keep_1 * *m + new_1 * *g;
                        *v = keep_2 * *v + new_2 * *g * *g;
                        *value -= rate * *m / (v.sqrt() / root + eps);
                    }
                });
            }
            Update::Rmsprop { square, velocity, alpha, eps, momentum } => {
                let (square, velocity) = (on_host(square)?, on_host(velocity)?);
                square.resize(values.len(), 0.0);
                let (keep, new) = (alpha as f32, (1.0 - alpha) as f32);
                let (eps, momentum) = (eps as f32, momentum as f32);
                each_piece(values, gradient, [square], |values, gradient, [square]| {
                    decay.apply(values, gradient);
                    for (g, s) in gradient.iter_mut().zip(square) {
                        *s = keep * *s + new * *g * *g;
                        *g /= s.sqrt() + eps;
                    }
                });
                if momentum != 0.0 {
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
        }
        Ok(())
    }
}

/// The state of a parameter on the host.
fn on_host(state: &mut Buffer) -> Result<&mut Vec<f32>> {
    match state {
        Buffer::Host(numbers) => Ok(numbers),
        Buffer::Device(_) => candle_core::bail!("a parameter and its state are on two devices"),
    }
}

/// How weights shrink.
#[derive(Clone, Copy)]
struct Decay {
    decoupled: bool,
    lr: f32,
    weight_decay: f32,
}

impl Decay {
    #[inline(always)]
    fn apply(self, values: &mut [f32], gradient: &mut [f32]) {
        if self.decoupled {
            values.iter_mut().for_each(|value| *value *= 1.0 - self.lr * self.weight_decay);
        } else if self.weight_decay != 0.0 {
            gradient.iter_mut().zip(values).for_each(|(g, value)| *g += self.weight_decay * *value);
        }
    }
}

/// Runs `work` on equal pieces of values, gradient and `N` rows of state, all equally long.
fn each_piece<const N: usize>(
    values: &mut [f32],
    gradient: &mut [f32],
    state: [&mut Vec<f32>; N],
    work: impl Fn(&mut [f32], &mut [f32], [&mut [f32]; N]) + Sync,
) {
    let mut rest = state.map(|state| &mut state[..]);
    let mut pieces = Vec::new();
    for (values, gradient) in values.chunks_mut(PIECE).zip(gradient.chunks_mut(PIECE)) {
        let state = rest.each_mut().map(|rest| {
            let (piece, behind) = std::mem::take(rest).split_at_mut(values.len());
            *rest = behind;
            piece
        });
        pieces.push((values, gradient, state));
    }
    pieces.into_par_iter().for_each(|(values, gradient, state)| {
        vectorised(
            #[inline(always)]
            || work(values, gradient, state),
        );
    });
}
