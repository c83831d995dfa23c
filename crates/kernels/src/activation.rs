//! Activation functions and their derivatives, as PyTorch defines them.

use candle_core::Result;
use rayon::prelude::*;

use super::device;
use super::exponential::exp;
use super::gelu::{gelu, gelu_slope};
use super::simd::dispatch;
use super::tape::{Gradient, Tape, Value, numbers, tensor};

pub use candlewick_basis::activation::Activation;

/// Elements in one piece of work.
const PIECE: usize = 1 << 12;

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[inline(always)]
fn silu_slope(x: f32) -> f32 {
    let s = sigmoid(x);
    s * (1.0 + x * (1.0 - s))
}

#[inline(always)]
fn hardswish(x: f32) -> f32 {
    x * (x + 3.0).clamp(0.0, 6.0) / 6.0
}

#[inline(always)]
fn hardswish_slope(x: f32) -> f32 {
    if x <= -3.0 {
        0.0
    } else if x >= 3.0 {
        1.0
    } else {
        x / 3.0 + 0.5
    }
}

/// `function` on every element, in place: a loop of its own for each function, so that it is vectorised.
pub(super) fn each(values: &mut [f32], function: impl Fn(f32) -> f32) {
    dispatch(
        #[inline(always)]
        || values.iter_mut().for_each(|x| *x = function(*x)),
    );
}

/// `gradient` times `slope` of the other number, in place.
fn each_slope(gradient: &mut [f32], others: &[f32], slope: impl Fn(f32) -> f32) {
    dispatch(
        #[inline(always)]
        || gradient.iter_mut().zip(others).for_each(|(g, x)| *g *= slope(*x)),
    );
}

/// What kernels do with an activation: it is a function of single numbers.
pub(crate) trait Elementwise: Copy + Sync {
    /// The function.
    fn apply(self, x: f32) -> f32;

    /// The derivative where the result is `y`; NaN where it is not known by the result.
    fn slope_at_result(self, y: f32) -> f32;

    /// The derivative at `x`.
    fn slope_at(self, x: f32) -> f32;

    /// The function on every element, in place.
    fn apply_in_place(self, values: &mut [f32]);

    /// From the gradient of the result to that of the input, in place.
    fn back_in_place(self, gradient: &mut [f32], result: &[f32]);

    /// From the gradient of the result to that of the input `x`, in place.
    fn back_from_input(self, gradient: &mut [f32], x: &[f32]);

    /// [`apply_in_place`](Self::apply_in_place) by all threads.
    fn apply_in_parallel(self, values: &mut [f32]) {
        values.par_chunks_mut(PIECE).for_each(|piece| self.apply_in_place(piece));
    }
}

impl Elementwise for Activation {
    fn apply(self, x: f32) -> f32 {
        match self {
            // Written so that NaN stays NaN.
            Activation::Relu => {
                if x < 0.0 {
                    0.0
                } else {
                    x
                }
            }
            Activation::Relu6 => x.clamp(0.0, 6.0),
            Activation::LeakyRelu(slope) => {
                if x > 0.0 {
                    x
                } else {
                    slope as f32 * x
                }
            }
            Activation::Elu(alpha) => {
                if x > 0.0 {
                    x
                } else {
                    alpha as f32 * libm::expm1f(x)
                }
            }
            Activation::Gelu => gelu(x),
            Activation::Silu => x * sigmoid(x),
            Activation::Hardswish => hardswish(x),
            Activation::Tanh => libm::tanhf(x),
            Activation::Sigmoid => sigmoid(x),
            Activation::Hardsigmoid => (x + 3.0).clamp(0.0, 6.0) / 6.0,
        }
    }

    fn slope_at_result(self, y: f32) -> f32 {
        match self {
            Activation::Relu => {
                if y > 0.0 {
                    1.0
                } else {
                    0.0
                }
            }
            Activation::Relu6 => {
                if y > 0.0 && y < 6.0 {
                    1.0
                } else {
                    0.0
                }
            }
            Activation::LeakyRelu(slope) => {
                if y > 0.0 {
                    1.0
                } else {
                    slope as f32
                }
            }
            Activation::Elu(alpha) => {
                if y > 0.0 {
                    1.0
                } else {
                    y + alpha as f32
                }
            }
            Activation::Tanh => 1.0 - y * y,
            Activation::Sigmoid => y * (1.0 - y),
            Activation::Hardsigmoid => {
                if y > 0.0 && y < 1.0 {
                    1.0 / 6.0
                } else {
                    0.0
                }
            }
            Activation::Gelu | Activation::Silu | Activation::Hardswish => f32::NAN,
        }
    }

    fn slope_at(self, x: f32) -> f32 {
        match self {
            Activation::Gelu => gelu_slope(x),
            Activation::Silu => silu_slope(x),
            Activation::Hardswish => hardswish_slope(x),
            Activation::LeakyRelu(slope) => {
                if x > 0.0 {
                    1.0
                } else {
                    slope as f32
                }
            }
            Activation::Elu(alpha) => {
                if x > 0.0 {
                    1.0
                } else {
                    alpha as f32 * libm::expf(x)
                }
            }
            other => other.slope_at_result(other.apply(x)),
        }
    }

    fn apply_in_place(self, values: &mut [f32]) {
        match self {
            Activation::Relu => each(
                values,
                #[inline(always)]
                |x| if x < 0.0 { 0.0 } else { x },
            ),
            Activation::Relu6 => each(
                values,
                #[inline(always)]
                |x| x.clamp(0.0, 6.0),
            ),
            Activation::Silu => each(
                values,
                #[inline(always)]
                |x| x * sigmoid(x),
            ),
            Activation::Gelu => each(values, gelu),
            Activation::Hardswish => each(values, hardswish),
            Activation::Sigmoid => each(values, sigmoid),
            _ => each(values, |x| self.apply(x)),
        }
    }

    fn back_from_input(self, gradient: &mut [f32], x: &[f32]) {
        match self {
            Activation::Silu => each_slope(gradient, x, silu_slope),
            Activation::Gelu => each_slope(gradient, x, gelu_slope),
            Activation::Hardswish => each_slope(gradient, x, hardswish_slope),
            _ => each_slope(gradient, x, |x| self.slope_at(x)),
        }
    }

    fn back_in_place(self, gradient: &mut [f32], result: &[f32]) {
        match self {
            Activation::Relu => dispatch(
                #[inline(always)]
                || {
                    for (g, y) in gradient.iter_mut().zip(result) {
                        *g = if *y > 0.0 { *g } else { 0.0 };
                    }
                },
            ),
            Activation::Relu6 => each_slope(
                gradient,
                result,
                #[inline(always)]
                |y| if y > 0.0 && y < 6.0 { 1.0 } else { 0.0 },
            ),
            Activation::Sigmoid => each_slope(
                gradient,
                result,
                #[inline(always)]
                |y| y * (1.0 - y),
            ),
            _ => each_slope(gradient, result, |y| self.slope_at_result(y)),
        }
    }
}

/// The activation of every element of `x`, which has any shape.
pub fn activation(tape: &mut Tape, x: &Value, activation: Activation) -> Result<Value> {
    if tape.is_by_candle() {
        return device::activation::activation(tape, x, activation);
    }
    let mut result = Box::<[f32]>::new_uninit_slice(x.tensor().elem_count());
    result.par_chunks_mut(PIECE).zip(numbers(x.tensor())?.par_chunks(PIECE)).for_each(
        |(piece, x)| {
            activation.apply_in_place(piece.write_copy_of_slice(x));
        },
    );
    // SAFETY: each piece was written.
    let result = unsafe { result.assume_init() }.into_vec();
    let result = tensor(result, x.tensor().shape())?;
    let kept = if activation.is_known_by_result() { result.clone() } else { x.tensor().clone() };
    Ok(tape.record_like(x, result, &[x], move |mut gradient: Gradient, _| {
        let kept = numbers(&kept)?;
        gradient.par_chunks_mut(PIECE).zip(kept.par_chunks(PIECE)).for_each(|(gradient, kept)| {
            if activation.is_known_by_result() {
                activation.back_in_place(gradient, kept);
            } else {
                activation.back_from_input(gradient, kept);
            }
        });
        Ok(vec![Some(gradient)])
    }))
}
