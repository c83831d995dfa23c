//! Batches with sixteen images side by side: `[⌈batch / 16⌉, channels, height, width, 16]`.
//!
//! In this order every operation of an image network is the same for neighbouring numbers, so it
//! fills vector registers whatever the size of the maps, the stride or the number of channels.
//! Convolutions and pools of batches that are large enough work on it; [`enter`] and [`leave`] are
//! where values change their order. The lanes behind the last image hold numbers without meaning in
//! values and zeros in gradients.

use std::mem::MaybeUninit;

use candle_core::Result;
use rayon::prelude::*;

use super::simd::{Kernel, Simd, dispatch};
use super::tape::{Gradient, Tape, Value, image_dims, numbers, tensor};

/// Images in a block, and partial sums of what is added up over lanes.
pub(super) const LANES: usize = 16;

/// The images of a block at a pixel.
pub(super) type Pixel<T = f32> = [T; LANES];

/// The sum of all lanes: halves are added until one number is left.
#[inline(always)]
pub(super) fn sum_of(mut lanes: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
        half /= 2;
    }
    lanes[0]
}

/// Batches below this would waste more lanes than the order is worth.
const SMALLEST_BATCH: usize = 8;

/// Whether an operation on `x` should work in lanes.
pub(super) fn worthwhile(x: &Value) -> bool {
    x.counts_in_lanes() || x.dims()[0] >= SMALLEST_BATCH
}

/// `x`, `[batch, channels, height, width]`, in lanes.
pub(super) fn enter(tape: &mut Tape, x: &Value) -> Result<Value> {
    if x.is_in_lanes() {
        return Ok(x.clone());
    }
    let [batch, channels, height, width] = image_dims(x)?;
    let size = channels * height * width;
    let into = to_lanes(&numbers(x.tensor())?, batch, size);
    let shape = (batch.div_ceil(LANES), channels, height, width, LANES);
    Ok(tape.record_lanes(batch, tensor(into, shape)?, &[x], move |gradient: Gradient, _| {
        Ok(vec![Some(from_lanes(&gradient, batch, size))])
    }))
}

/// `x` with one image behind the other.
pub(super) fn leave(tape: &mut Tape, x: &Value) -> Result<Value> {
    if !x.is_in_lanes() {
        return Ok(x.clone());
    }
    let [batch, channels, height, width] = image_dims(x)?;
    let size = channels * height * width;
    let plain = from_lanes(&numbers(x.tensor())?, batch, size);
    let plain = tensor(plain, (batch, channels, height, width))?;
    Ok(tape.record(plain, &[x], move |gradient: Gradient, _| {
        Ok(vec![Some(to_lanes(&gradient, batch, size))])
    }))
}

/// `[batch, size]` to `[blocks, size, LANES]`.
pub(super) fn to_lanes(plain: &[f32], batch: usize, size: usize) -> Vec<f32> {
    assert_eq!(plain.len(), batch * size, "images of {size} numbers");
    let mut into = Box::<[f32]>::new_uninit_slice(batch.div_ceil(LANES) * LANES * size);
    let block = (LANES * size).max(1);
    into.par_chunks_mut(block).zip(plain.par_chunks(block)).for_each(|(into, plain)| {
        if plain.len() < block {
            dispatch(FewToLanes { images: plain.chunks(size).collect(), into });
        } else {
            dispatch(Transpose { from: plain, rows: LANES, into });
        }
    });
    // SAFETY: there is a block of images for each block of lanes, and both kernels write the whole block.
    unsafe { into.assume_init() }.into_vec()
}

/// `[blocks, size, LANES]` to `[batch, size]`.
pub(super) fn from_lanes(lanes: &[f32], batch: usize, size: usize) -> Vec<f32> {
    assert_eq!(lanes.len(), batch.div_ceil(LANES) * LANES * size, "images of {size} numbers");
    let mut into = Box::<[f32]>::new_uninit_slice(batch * size);
    let block = (LANES * size).max(1);
    into.par_chunks_mut(block).zip(lanes.par_chunks(block)).for_each(|(into, lanes)| {
        if into.len() < block {
            dispatch(FewFromLanes { lanes, images: into.chunks_mut(size).collect() });
        } else {
            dispatch(Transpose { from: lanes, rows: size, into });
        }
    });
    // SAFETY: as in `to_lanes`.
    unsafe { into.assume_init() }.into_vec()
}

/// A matrix `[rows, columns]` with rows and columns exchanged; one of both numbers is `LANES`. All of `into`
/// is written.
struct Transpose<'a> {
    from: &'a [f32],
    rows: usize,
    into: &'a mut [MaybeUninit<f32>],
}

impl Kernel for Transpose<'_> {
    type Out = ();

    #[inline(always)]
    fn run<V: Simd>(self) {
        let (rows, columns) = (self.rows, self.from.len() / self.rows);
        assert_eq!(self.from.len(), self.into.len(), "a matrix and its transpose");
        for row in (0..rows / LANES * LANES).step_by(LANES) {
            for column in (0..columns / LANES * LANES).step_by(LANES) {
                let from = self.from[row * columns + column..].as_ptr();
                let into = self.into[column * rows + row..].as_mut_ptr().cast();
                // SAFETY: a square of LANES by LANES lies within both, as the sizes say.
                unsafe { V::transpose(from, columns, into, rows) };
            }
        }
        // What is left along the axis that is no multiple of LANES.
        let (first_row, first_column) = (rows / LANES * LANES, columns / LANES * LANES);
        for row in 0..rows {
            let first = if row < first_row { first_column } else { 0 };
            for column in first..columns {
                self.into[column * rows + row].write(self.from[row * columns + column]);
            }
        }
    }
}

/// Fewer images than lanes into their lanes, and zeros into the others. All of `into` is written.
struct FewToLanes<'a> {
    images: Vec<&'a [f32]>,
    into: &'a mut [MaybeUninit<f32>],
}

impl Kernel for FewToLanes<'_> {
    type Out = ();

    #[inline(always)]
    fn run<V: Simd>(self) {
        let (mut rows, mut turned) = ([0.0; LANES * LANES], [0.0; LANES * LANES]);
        for (square, into) in self.into.chunks_mut(LANES * LANES).enumerate() {
            let first = square * LANES;
            for (row, image) in rows.chunks_exact_mut(LANES).zip(&self.images) {
                let image = &image[first..image.len().min(first + LANES)];
                row[..image.len()].copy_from_slice(image);
            }
            // SAFETY: both are squares.
            unsafe { V::transpose(rows.as_ptr(), LANES, turned.as_mut_ptr(), LANES) };
            into.write_copy_of_slice(&turned[..into.len()]);
        }
    }
}

/// The opposite of [`FewToLanes`]. All of the images is written.
struct FewFromLanes<'a> {
    lanes: &'a [f32],
    images: Vec<&'a mut [MaybeUninit<f32>]>,
}

impl Kernel for FewFromLanes<'_> {
    type Out = ();

    #[inline(always)]
    fn run<V: Simd>(mut self) {
        let (mut rows, mut turned) = ([0.0; LANES * LANES], [0.0; LANES * LANES]);
        for (square, lanes) in self.lanes.chunks(LANES * LANES).enumerate() {
            let first = square * LANES;
            rows[..lanes.len()].copy_from_slice(lanes);
            // SAFETY: both are squares.
            unsafe { V::transpose(rows.as_ptr(), LANES, turned.as_mut_ptr(), LANES) };
            for (row, image) in turned.chunks_exact(LANES).zip(&mut self.images) {
                let end = image.len().min(first + LANES);
                let image = &mut image[first..end];
                image.write_copy_of_slice(&row[..image.len()]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_lanes_are_added_until_one_number_is_left() {
        let lanes: [f32; LANES] = std::array::from_fn(|i| libm::exp2f(i as f32 + 0.1));
        let mut expected = lanes.to_vec();
        while expected.len() > 1 {
            let (low, high) = expected.split_at(expected.len() / 2);
            expected = low.iter().zip(high).map(|(low, high)| low + high).collect();
        }
        assert_eq!(sum_of(lanes).to_bits(), expected[0].to_bits());
    }
}
