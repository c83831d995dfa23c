//! The fully connected layer in candle's operations.

use candle_core::Result;

use crate::activation::Activation;
use crate::tape::{Tape, Value};

use super::activation::then;

/// [`dense`](crate::dense::dense) on a device.
pub(crate) fn dense(
    tape: &mut Tape,
    x: &Value,
    w: &Value,
    bias: Option<&Value>,
    activation: Option<Activation>,
) -> Result<Value> {
    let mut y = x.tensor().matmul(&w.tensor().t()?)?;
    if let Some(bias) = bias {
        y = y.broadcast_add(bias.tensor())?;
    }
    let (kept_x, kept_w) = (x.tensor().clone(), w.tensor().clone());
    let mut arguments = vec![x, w];
    arguments.extend(bias);
    let y = tape.record_by_candle(y, &arguments, move |gradient, wanted| {
        let mut gradients = vec![
            wanted[0].then(|| gradient.matmul(&kept_w)).transpose()?,
            wanted[1].then(|| gradient.t()?.matmul(&kept_x)).transpose()?,
        ];
        if wanted.len() == 3 {
            gradients.push(wanted[2].then(|| gradient.sum(0)).transpose()?);
        }
        Ok(gradients)
    })?;
    then(tape, y, activation)
}
