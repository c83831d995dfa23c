//! Activation functions in candle's operations.

use candle_core::{Result, Tensor};

use crate::activation::Activation;
use crate::tape::{Tape, Value};

use super::indicator;

/// [`activation`](crate::activation::activation) on a device.
pub(crate) fn activation(tape: &mut Tape, x: &Value, activation: Activation) -> Result<Value> {
    let y = apply(activation, x.tensor())?;
    let kept = if activation.is_known_by_result() { y.clone() } else { x.tensor().clone() };
    let y = tape.record_by_candle(y, &[x], move |gradient, _| {
        let slope = match activation.is_known_by_result() {
            true => slope_at_result(activation, &kept)?,
            false => slope_at(activation, &kept)?,
        };
        Ok(vec![Some((gradient * slope)?)])
    })?;
    Ok(y.counted_in_lanes(x.counts_in_lanes()))
}

/// [`activation`] behind another operation, if there is one.
pub(super) fn then(tape: &mut Tape, x: Value, function: Option<Activation>) -> Result<Value> {
    match function {
        Some(function) => activation(tape, &x, function),
        None => Ok(x),
    }
}

/// A setting in the precision in which the processor's kernels have it.
fn single(number: f64) -> f64 {
    f64::from(number as f32)
}

fn sigmoid(x: &Tensor) -> Result<Tensor> {
    (x.neg()?.exp()? + 1.0)?.recip()
}

/// The distribution function of the standard normal.
fn phi(x: &Tensor) -> Result<Tensor> {
    x.affine(std::f64::consts::FRAC_1_SQRT_2, 0.0)?.erf()?.affine(0.5, 0.5)
}

fn apply(activation: Activation, x: &Tensor) -> Result<Tensor> {
    match activation {
        Activation::Relu => x.relu(),
        Activation::Relu6 => x.clamp(0f32, 6f32),
        Activation::LeakyRelu(slope) => x.gt(0f32)?.where_cond(x, &x.affine(single(slope), 0.0)?),
        Activation::Elu(alpha) => x.elu(single(alpha)),
        Activation::Gelu => x * phi(x)?,
        Activation::Silu => x * sigmoid(x)?,
        Activation::Hardswish => (x * (x + 3.0)?.clamp(0f32, 6f32)?)? / 6.0,
        Activation::Tanh => x.tanh(),
        Activation::Sigmoid => sigmoid(x),
        Activation::Hardsigmoid => (x + 3.0)?.clamp(0f32, 6f32)? / 6.0,
    }
}

/// The derivative where the result is `y`, of those that are known by it.
fn slope_at_result(activation: Activation, y: &Tensor) -> Result<Tensor> {
    let is_positive = y.gt(0f32)?;
    match activation {
        Activation::Relu6 => indicator(&is_positive)? * indicator(&y.lt(6f32)?)?,
        Activation::LeakyRelu(slope) => {
            // 1 above 0, the slope below.
            indicator(&is_positive)?.affine(1.0 - single(slope), single(slope))
        }
        Activation::Elu(alpha) => is_positive.where_cond(&y.ones_like()?, &(y + single(alpha))?),
        Activation::Tanh => y.sqr()?.affine(-1.0, 1.0),
        Activation::Sigmoid => y * y.affine(-1.0, 1.0)?,
        Activation::Hardsigmoid => {
            (indicator(&is_positive)? * indicator(&y.lt(1f32)?)?)?.affine(1.0 / 6.0, 0.0)
        }
        _ => indicator(&is_positive),
    }
}

/// The derivative at `x`, of those that are not known by their result.
fn slope_at(activation: Activation, x: &Tensor) -> Result<Tensor> {
    match activation {
        Activation::Gelu => {
            let density = x.sqr()?.affine(-0.5, 0.0)?.exp()?;
            phi(x)? + (x * density)?.affine(1.0 / std::f64::consts::TAU.sqrt(), 0.0)?
        }
        Activation::Silu => {
            let s = sigmoid(x)?;
            &s * ((x * s.affine(-1.0, 1.0)?)? + 1.0)?
        }
        Activation::Hardswish => {
            let between = (x.affine(1.0 / 3.0, 0.5)? * indicator(&x.gt(-3f32)?)?)?;
            x.lt(3f32)?.where_cond(&between, &x.ones_like()?)
        }
        Activation::Elu(alpha) => {
            let below = x.exp()?.affine(single(alpha), 0.0)?;
            x.gt(0f32)?.where_cond(&x.ones_like()?, &below)
        }
        other => slope_at_result(other, x),
    }
}
