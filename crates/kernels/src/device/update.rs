//! Optimiser updates in candle's operations, with the formulas of the kernels.

use candle_core::{Result, Tensor};

use crate::buffer::Buffer;
use crate::update::Update;

/// Applies `update` to `parameter`, for all tensors that share its storage.
pub(crate) fn apply(
    update: Update,
    parameter: &Tensor,
    gradient: &Tensor,
    lr: f64,
    weight_decay: f64,
) -> Result<()> {
    let mut values = parameter.clone();
    let mut gradient = gradient.reshape(parameter.shape())?;
    if let Update::Adam { decoupled: true, .. } = update {
        values = times(&values, 1.0 - lr * weight_decay)?;
    } else if weight_decay != 0.0 {
        gradient = (gradient + times(&values, weight_decay)?)?;
    }
    let away = match update {
        Update::Sgd { momentum: 0.0, .. } => times(&gradient, lr)?,
        Update::Sgd { velocity, momentum, nesterov } => {
            // PyTorch starts with the first gradient, not with zero.
            let new = match moment(velocity, parameter)? {
                None => gradient.clone(),
                Some(old) => (times(&old, momentum)? + &gradient)?,
            };
            *velocity = Buffer::Device(new.clone());
            let direction = match nesterov {
                true => (gradient + times(&new, momentum)?)?,
                false => new,
            };
            times(&direction, lr)?
        }
        Update::Adam { first, second, betas, eps, step, .. } => {
            let correction = betas.map(|beta| 1.0 - beta.powi(step.min(1 << 30) as i32));
            let m = average(first, &gradient, betas[0], parameter)?;
            let v = average(second, &gradient.sqr()?, betas[1], parameter)?;
            let root = (times(&v.sqrt()?, 1.0 / correction[1].sqrt())? + eps)?;
            times(&(m / root)?, lr / correction[0])?
        }
        Update::Rmsprop { square, velocity, alpha, eps, momentum } => {
            let s = average(square, &gradient.sqr()?, alpha, parameter)?;
            let mut direction = (gradient / (s.sqrt()? + eps)?)?;
            if momentum != 0.0 {
                if let Some(old) = moment(velocity, parameter)? {
                    direction = (times(&old, momentum)? + direction)?;
                }
                *velocity = Buffer::Device(direction.clone());
            }
            times(&direction, lr)?
        }
    };
    assign(parameter, &(values - away)?)
}

/// Overwrites `parameter` with the numbers of `values`, which has its shape, for all tensors that share its storage.
pub(crate) fn assign(parameter: &Tensor, values: &Tensor) -> Result<()> {
    match parameter.dims() {
        [] => candle_core::bail!("a parameter has one axis at least"),
        _ => parameter.slice_set(&values.contiguous()?, 0, 0),
    }
}

fn times(tensor: &Tensor, factor: f64) -> Result<Tensor> {
    tensor.affine(factor, 0.0)
}

/// What an optimiser remembers of `parameter`; none before the first step.
fn moment(buffer: &Buffer, parameter: &Tensor) -> Result<Option<Tensor>> {
    let found = || buffer.clone().into_tensor(parameter.dims(), parameter.device());
    (!buffer.is_empty()).then(found).transpose()
}

/// The exponential mean of what `buffer` remembers and of `new`, which it remembers from now on.
fn average(buffer: &mut Buffer, new: &Tensor, keep: f64, parameter: &Tensor) -> Result<Tensor> {
    let new = times(new, 1.0 - keep)?;
    let mean = match moment(buffer, parameter)? {
        None => new,
        Some(old) => (times(&old, keep)? + new)?,
    };
    *buffer = Buffer::Device(mean.clone());
    Ok(mean)
}
