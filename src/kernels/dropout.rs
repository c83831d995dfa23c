//! Inverted dropout (Srivastava et al., 2014): what is kept is scaled by 1 / (1 − p), so that nothing
//! has to be done at test time.
//!
//! The mask is a function of a random stream and the place of an element; it is drawn again in the
//! backward pass instead of being stored.

use candle_core::Result;
use rayon::prelude::*;

use crate::basis::seed::Stream;

use super::lanes;
use super::tape::{Gradient, Tape, Value, numbers, tensor};

/// Elements in one piece of work; even, since one random number decides about two elements.
const PIECE: usize = 1 << 14;

/// What is dropped as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granularity {
    /// Each element on its own.
    Elements,
    /// All elements of a channel of an image (Tompson et al., 2015); of `[batch, features]`, each
    /// element.
    Channels,
}

/// Drops elements of `x` with probability `p`, 0 ≤ p < 1.
///
/// # Shapes
/// x has any shape with the batch first and channels second; the result has the same.
pub fn dropout(
    tape: &mut Tape,
    x: &Value,
    p: f64,
    granularity: Granularity,
    stream: Stream,
) -> Result<Value> {
    // A channel of an image is not one run of numbers in lanes; each element is one in any order.
    let x = match granularity {
        Granularity::Elements => x.clone(),
        Granularity::Channels => lanes::leave(tape, x)?,
    };
    let x = &x;
    let run = match granularity {
        Granularity::Elements => 1,
        Granularity::Channels => x.dims().iter().skip(2).product(),
    };
    let mask = Mask::new(p, run, stream);
    let mut result = numbers(x.tensor())?.to_vec();
    mask.apply(&mut result);
    let result = tensor(result, x.tensor().shape())?;
    Ok(tape.record_like(x, result, &[x], move |mut gradient: Gradient, _| {
        mask.apply(&mut gradient);
        Ok(vec![Some(gradient)])
    }))
}

/// Drops whole images of `x` with probability `p`, 0 ≤ p < 1: stochastic depth (Huang et al., 2016),
/// scaled in training as dropout is.
///
/// # Shapes
/// x has any shape with the batch first; the result has the same.
pub fn drop_images(tape: &mut Tape, x: &Value, p: f64, stream: Stream) -> Result<Value> {
    let mask = Mask::new(p, 1, stream);
    let lanes = if x.is_in_lanes() { lanes::LANES } else { 1 };
    let group = (x.tensor().elem_count() / x.tensor().dims()[0].max(1)).max(1);
    let apply = move |values: &mut [f32]| {
        values.par_chunks_mut(group).enumerate().for_each(|(index, group)| {
            let factors: Vec<f32> =
                (index * lanes..(index + 1) * lanes).map(|image| mask.at(image)).collect();
            for pixel in group.chunks_mut(lanes) {
                pixel.iter_mut().zip(&factors).for_each(|(value, factor)| *value *= factor);
            }
        });
    };
    let mut result = numbers(x.tensor())?.to_vec();
    apply(&mut result);
    let result = tensor(result, x.tensor().shape())?;
    Ok(tape.record_like(x, result, &[x], move |mut gradient: Gradient, _| {
        apply(&mut gradient);
        Ok(vec![Some(gradient)])
    }))
}

#[derive(Clone, Copy)]
struct Mask {
    stream: Stream,
    /// Neighbours that share one decision.
    run: usize,
    /// Of 2³²: 32 random bits below it drop.
    threshold: u64,
    scale: f32,
}

impl Mask {
    fn new(p: f64, run: usize, stream: Stream) -> Mask {
        let threshold = (p * 4_294_967_296.0) as u64;
        Mask { stream, run, threshold, scale: (1.0 / (1.0 - p)) as f32 }
    }

    /// The factor of the run `index`, of more than one element.
    fn at(&self, index: usize) -> f32 {
        self.factor(self.stream.at(index as u64) & 0xffff_ffff)
    }

    fn factor(&self, bits: u64) -> f32 {
        if bits < self.threshold { 0.0 } else { self.scale }
    }

    fn apply(&self, values: &mut [f32]) {
        if self.run == 1 {
            values.par_chunks_mut(PIECE).enumerate().for_each(|(piece, values)| {
                pulp::Arch::new().dispatch(|| {
                    let first = (piece * PIECE / 2) as u64;
                    for (index, pair) in values.chunks_mut(2).enumerate() {
                        let bits = self.stream.at(first + index as u64);
                        pair[0] *= self.factor(bits & 0xffff_ffff);
                        if let Some(second) = pair.get_mut(1) {
                            *second *= self.factor(bits >> 32);
                        }
                    }
                });
            });
        } else {
            values.par_chunks_mut(self.run).enumerate().for_each(|(index, values)| {
                let factor = self.at(index);
                values.iter_mut().for_each(|value| *value *= factor);
            });
        }
    }
}
