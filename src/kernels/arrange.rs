//! Operations that move numbers without changing them, and sums of branches.

use candle_core::Result;

use super::tape::{Tape, Value, numbers, tensor};

/// `[batch, …]` to `[batch, features]`: channels, height and width become one axis, in this order.
pub fn flatten(tape: &mut Tape, x: &Value) -> Result<Value> {
    let batch = x.dims()[0];
    let flat = x.tensor().reshape((batch, x.tensor().elem_count() / batch.max(1)))?;
    Ok(tape.record(flat, &[x], |gradient, _| Ok(vec![Some(gradient)])))
}

/// `x + y`, element by element; both have one shape. The sum of a residual block (He et al., 2016).
pub fn add(tape: &mut Tape, x: &Value, y: &Value) -> Result<Value> {
    if x.dims() != y.dims() {
        candle_core::bail!("cannot add {:?} and {:?}", x.dims(), y.dims());
    }
    let sum = {
        let (x, y) = (numbers(x.tensor())?, numbers(y.tensor())?);
        x.iter().zip(y.iter()).map(|(x, y)| x + y).collect()
    };
    let sum = tensor(sum, x.tensor().shape())?;
    Ok(tape.record(sum, &[x, y], |gradient, wanted| {
        Ok(vec![wanted[0].then(|| gradient.clone()), Some(gradient)])
    }))
}
