//! What updates of parameters have in common in candle's operations.

use candle_core::{Result, Tensor};

use crate::buffer::Buffer;

/// Overwrites `parameter` with the numbers of `values`, which has its shape, for all tensors that share its storage.
pub(crate) fn assign(parameter: &Tensor, values: &Tensor) -> Result<()> {
    match parameter.dims() {
        [] => candle_core::bail!("a parameter has one axis at least"),
        _ => parameter.slice_set(&values.contiguous()?, 0, 0),
    }
}

pub(crate) fn times(tensor: &Tensor, factor: f64) -> Result<Tensor> {
    tensor.affine(factor, 0.0)
}

/// `gradient` with that of an L2 term of `values`.
pub(crate) fn with_decay(gradient: Tensor, values: &Tensor, weight_decay: f64) -> Result<Tensor> {
    if weight_decay == 0.0 { Ok(gradient) } else { gradient + times(values, weight_decay)? }
}

/// What an optimiser remembers of `parameter`; none before the first step.
pub(crate) fn moment(buffer: &Buffer, parameter: &Tensor) -> Result<Option<Tensor>> {
    let found = || buffer.clone().into_tensor(parameter.dims(), parameter.device());
    (!buffer.is_empty()).then(found).transpose()
}

/// The exponential mean of what `buffer` remembers and of `new`, which it remembers from now on.
pub(crate) fn average(
    buffer: &mut Buffer,
    new: &Tensor,
    keep: f64,
    parameter: &Tensor,
) -> Result<Tensor> {
    let new = times(new, 1.0 - keep)?;
    let mean = match moment(buffer, parameter)? {
        None => new,
        Some(old) => (times(&old, keep)? + new)?,
    };
    *buffer = Buffer::Device(mean.clone());
    Ok(mean)
}
