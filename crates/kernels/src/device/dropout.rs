//! Dropout on a device: the masks of the kernels, drawn on the processor and copied.

use candle_core::{Result, Tensor};

use crate::tape::{Tape, Value};

/// `x` times `factors`, which are of the kernels' making, stretched to the shape of `x` from `dims`.
pub(crate) fn times(
    tape: &mut Tape,
    x: &Value,
    factors: Vec<f32>,
    dims: &[usize],
) -> Result<Value> {
    let factors = Tensor::from_vec(factors, dims, x.tensor().device())?;
    let y = x.tensor().broadcast_mul(&factors)?;
    let y = tape.record_by_candle(y, &[x], move |gradient, _| {
        Ok(vec![Some(gradient.broadcast_mul(&factors)?)])
    })?;
    Ok(y.counted_in_lanes(x.counts_in_lanes()))
}
