//! Inverted dropout (Srivastava et al., 2014): what is kept is scaled by 1 / (1 − p), so that nothing
//! has to be done at test time.
//!
//! The mask is a function of a random stream and the place of an element; it is drawn again in the
//! backward pass instead of being stored.

use candle_core::Result;
use rayon::prelude::*;

use candlewick_basis::seed::Stream;

use super::device;
use super::lanes;
use super::simd::dispatch;
use super::tape::{Gradient, Tape, Value, numbers, tensor};
use super::update::change;

/// Elements in one piece of work; a multiple of [`BLOCK`].
const PIECE: usize = 1 << 14;

/// Random numbers that are made at once.
const NUMBERS: usize = 8;

/// Elements that they decide about: sixteen bits are enough for each, since no experiment can tell
/// p from a probability that is a few millionths off.
const BLOCK: usize = 4 * NUMBERS;

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
        Granularity::Channels => lanes::leave(tape, x)?.counted_in_lanes(false),
    };
    let x = &x;
    let run = match granularity {
        Granularity::Elements => 1,
        Granularity::Channels => x.dims().iter().skip(2).product(),
    };
    let mask = Mask::new(p, run, stream);
    if tape.is_by_candle() {
        return mask.applied_by_candle(tape, x);
    }
    let result = tensor(mask.applied(&numbers(x.tensor())?), x.tensor().shape())?;
    Ok(tape.record_like(x, result, &[x], move |mut gradient: Gradient, _| {
        mask.apply(&mut gradient);
        Ok(vec![Some(gradient)])
    }))
}

/// Drops single elements of `x` with probability `p`, 0 ≤ p < 1, in its own place in memory.
///
/// `x` is the result of a ReLU at the end of another operation, and nothing else looks at it. What was
/// dropped is 0 then, and through a 0 the ReLU would send no gradient back: neither a second copy of
/// the values nor the mask is needed any more.
pub fn drop_in_place(tape: &mut Tape, x: &Value, p: f64, stream: Stream) -> Result<Value> {
    let mask = Mask::new(p, 1, stream);
    if tape.is_by_candle() {
        return mask.applied_by_candle(tape, x);
    }
    change(x.tensor(), |values| mask.apply(values))?;
    let kept = x.tensor().clone();
    Ok(tape.record_like(x, kept.clone(), &[x], move |mut gradient: Gradient, _| {
        let kept = numbers(&kept)?;
        gradient.par_chunks_mut(PIECE).zip(kept.par_chunks(PIECE)).for_each(|(gradient, kept)| {
            dispatch(
                #[inline(always)]
                || {
                    for (g, y) in gradient.iter_mut().zip(kept) {
                        *g = if *y > 0.0 { *g * mask.scale } else { 0.0 };
                    }
                },
            );
        });
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
    if tape.is_by_candle() {
        let factors: Vec<f32> = (0..x.dims()[0]).map(|image| mask.at(image)).collect();
        let mut dims = vec![1; x.dims().len()];
        dims[0] = factors.len();
        return device::dropout::times(tape, x, factors, &dims);
    }
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

/// Which elements are dropped, and what the others are multiplied by.
#[derive(Clone, Copy)]
pub(super) struct Mask {
    stream: Stream,
    /// Neighbours that share one decision.
    run: usize,
    /// Of 2¹⁶: 16 random bits below it drop.
    threshold: u32,
    scale: f32,
}

impl Mask {
    /// Runs of `run` elements are dropped with probability `p`.
    pub(super) fn new(p: f64, run: usize, stream: Stream) -> Mask {
        let threshold = (p * 65_536.0).round() as u32;
        Mask { stream, run, threshold, scale: (1.0 / (1.0 - p)) as f32 }
    }

    /// The factor of the run `index`, of more than one element.
    fn at(&self, index: usize) -> f32 {
        self.factor(self.stream.at(index as u64) as u16)
    }

    #[inline(always)]
    fn factor(&self, bits: u16) -> f32 {
        if u32::from(bits) < self.threshold { 0.0 } else { self.scale }
    }

    /// The factors of the block `index` of single elements.
    #[inline(always)]
    fn block(&self, index: usize) -> [f32; BLOCK] {
        let first = (index * NUMBERS) as u64;
        let mut numbers = [0; NUMBERS];
        for (offset, number) in numbers.iter_mut().enumerate() {
            *number = self.stream.at(first + offset as u64);
        }
        let mut factors = [0.0; BLOCK];
        for (number, factors) in numbers.iter().zip(factors.as_chunks_mut::<4>().0) {
            for (place, factor) in factors.iter_mut().enumerate() {
                *factor = self.factor((number >> (16 * place)) as u16);
            }
        }
        factors
    }

    /// The mask on a device, which gets the same factors for the same elements as the kernels.
    fn applied_by_candle(&self, tape: &mut Tape, x: &Value) -> Result<Value> {
        let dims = x.dims();
        if self.run != 1 {
            let runs = dims[..2].iter().product();
            let factors = (0..runs).map(|run| self.at(run)).collect();
            let mut stretched = dims.to_vec();
            stretched[2..].fill(1);
            return device::dropout::times(tape, x, factors, &stretched);
        }
        let (batch, size) = (dims[0], dims[1..].iter().product::<usize>());
        let factors = match x.counts_in_lanes() {
            false => self.applied(&vec![1.0; batch * size]),
            true => {
                let whole = batch.next_multiple_of(lanes::LANES) * size;
                lanes::from_lanes(&self.applied(&vec![1.0; whole]), batch, size)
            }
        };
        device::dropout::times(tape, x, factors, dims)
    }

    /// What elements are multiplied by that stay.
    pub(super) fn scale(&self) -> f32 {
        self.scale
    }

    /// Applies the mask to single elements, of which `values` are those from number `first` on.
    pub(super) fn apply_from(&self, first: usize, values: &mut [f32]) {
        dispatch(
            #[inline(always)]
            || {
                let (mut block, offset) = (first / BLOCK, first % BLOCK);
                let before = values.len().min((BLOCK - offset) % BLOCK);
                let (start, values) = values.split_at_mut(before);
                if !start.is_empty() {
                    let factors = &self.block(block)[offset..];
                    start.iter_mut().zip(factors).for_each(|(value, factor)| *value *= factor);
                    block += 1;
                }
                for values in values.chunks_mut(BLOCK) {
                    let factors = self.block(block);
                    values.iter_mut().zip(&factors).for_each(|(value, factor)| *value *= factor);
                    block += 1;
                }
            },
        );
    }

    fn apply(&self, values: &mut [f32]) {
        let piece = self.piece();
        values.par_chunks_mut(piece).enumerate().for_each(|(index, values)| {
            self.apply_to(index, values);
        });
    }

    /// What [`apply`](Self::apply) makes of `values`, in one pass over the memory.
    fn applied(&self, values: &[f32]) -> Vec<f32> {
        let mut result = Box::<[f32]>::new_uninit_slice(values.len());
        let piece = self.piece();
        let pieces = result.par_chunks_mut(piece).zip(values.par_chunks(piece));
        pieces.enumerate().for_each(|(index, (result, values))| {
            self.apply_to(index, result.write_copy_of_slice(values));
        });
        // SAFETY: each piece was written.
        unsafe { result.assume_init() }.into_vec()
    }

    /// Elements that are worked on as one.
    fn piece(&self) -> usize {
        if self.run == 1 { PIECE } else { self.run.max(1) }
    }

    /// Applies the mask to the piece `index`.
    fn apply_to(&self, index: usize, values: &mut [f32]) {
        if self.run != 1 {
            let factor = self.at(index);
            values.iter_mut().for_each(|value| *value *= factor);
            return;
        }
        dispatch(
            #[inline(always)]
            || {
                let first = index * (PIECE / BLOCK);
                let (blocks, rest) = values.as_chunks_mut::<BLOCK>();
                for (index, block) in blocks.iter_mut().enumerate() {
                    let factors = self.block(first + index);
                    for (value, factor) in block.iter_mut().zip(&factors) {
                        *value *= factor;
                    }
                }
                let factors = self.block(first + blocks.len());
                for (value, factor) in rest.iter_mut().zip(&factors) {
                    *value *= factor;
                }
            },
        );
    }
}
