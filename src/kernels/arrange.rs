//! Operations that move numbers without changing them.

use candle_core::Result;

use super::lanes;
use super::tape::{Tape, Value};

/// `[batch, …]` to `[batch, features]`: channels, height and width become one axis, in this order.
pub fn flatten(tape: &mut Tape, x: &Value) -> Result<Value> {
    let x = &lanes::leave(tape, x)?;
    let batch = x.dims()[0];
    let flat = x.tensor().reshape((batch, x.tensor().elem_count() / batch.max(1)))?;
    Ok(tape.record(flat, &[x], |gradient, _| Ok(vec![Some(gradient)])))
}
