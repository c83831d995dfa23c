//! Operations that move numbers without changing them.

use candle_core::{Result, Tensor};

use super::lanes;
use super::tape::{Tape, Value};

/// `[batch, …]` to `[batch, features]`: channels, height and width become one axis, in this order.
pub fn flatten(tape: &mut Tape, x: &Value) -> Result<Value> {
    let x = &lanes::leave(tape, x)?;
    let batch = x.dims()[0];
    let flat = x.tensor().reshape((batch, x.tensor().elem_count() / batch.max(1)))?;
    if tape.is_by_candle() {
        let dims = x.dims().to_vec();
        let back = move |gradient: Tensor, _: &[bool]| Ok(vec![Some(gradient.reshape(&dims[..])?)]);
        return tape.record_by_candle(flat, &[x], back);
    }
    Ok(tape.record(flat, &[x], |gradient, _| Ok(vec![Some(gradient)])))
}
