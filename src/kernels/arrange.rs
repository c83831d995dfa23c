//! Operations that move numbers without changing them, and sums of branches.

use candle_core::Result;
use rayon::prelude::*;

use super::lanes;
use super::tape::{Tape, Value, numbers, tensor};

/// Elements in one piece of work.
const PIECE: usize = 1 << 15;

/// `[batch, …]` to `[batch, features]`: channels, height and width become one axis, in this order.
pub fn flatten(tape: &mut Tape, x: &Value) -> Result<Value> {
    let x = &lanes::leave(tape, x)?;
    let batch = x.dims()[0];
    let flat = x.tensor().reshape((batch, x.tensor().elem_count() / batch.max(1)))?;
    Ok(tape.record(flat, &[x], |gradient, _| Ok(vec![Some(gradient)])))
}

/// `x + y`, element by element; both have one shape. The sum of a residual block (He et al., 2016).
pub fn add(tape: &mut Tape, x: &Value, y: &Value) -> Result<Value> {
    if x.dims() != y.dims() {
        candle_core::bail!("cannot add {:?} and {:?}", x.dims(), y.dims());
    }
    // If one is in lanes, both have to be.
    let (x, y) = if x.is_in_lanes() || y.is_in_lanes() {
        (&lanes::enter(tape, x)?, &lanes::enter(tape, y)?)
    } else {
        (x, y)
    };
    let sum = {
        let (x, y) = (numbers(x.tensor())?, numbers(y.tensor())?);
        let mut sum = lanes::overwritten(x.len());
        sum.par_chunks_mut(PIECE).zip(x.par_chunks(PIECE).zip(y.par_chunks(PIECE))).for_each(
            |(sum, (x, y))| {
                sum.iter_mut().zip(x.iter().zip(y)).for_each(|(sum, (x, y))| *sum = x + y);
            },
        );
        sum
    };
    let sum = tensor(sum, x.tensor().shape())?;
    Ok(tape.record_like(x, sum, &[x, y], |gradient, wanted| {
        Ok(vec![wanted[0].then(|| gradient.clone()), Some(gradient)])
    }))
}
