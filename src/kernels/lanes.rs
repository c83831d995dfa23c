//! Batches with sixteen images side by side: `[⌈batch / 16⌉, channels, height, width, 16]`.
//!
//! In this order every operation of an image network is the same for neighbouring numbers, so it
//! fills vector registers whatever the size of the maps, the stride or the number of channels.
//! Convolutions and pools of batches that are large enough work on it; [`enter`] and [`leave`] are
//! where values change their order. The lanes behind the last image hold numbers without meaning in
//! values and zeros in gradients.

use candle_core::Result;
use rayon::prelude::*;

use super::simd::vectorised;
use super::tape::{Gradient, Tape, Value, image_dims, numbers, tensor};

/// Images in a block.
pub(super) const LANES: usize = 16;

/// One pixel of all images of a block.
pub(super) type Pixel = [f32; LANES];

/// Batches below this would waste more lanes than the order is worth.
const SMALLEST_BATCH: usize = 8;

/// Whether an operation on `x` should work in lanes.
pub(super) fn worthwhile(x: &Value) -> bool {
    x.is_in_lanes() || x.dims()[0] >= SMALLEST_BATCH
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

/// `len` numbers that the caller overwrites, all of them, before any is read.
#[expect(clippy::uninit_vec, reason = "zeros would be one more pass over every result")]
pub(super) fn overwritten(len: usize) -> Vec<f32> {
    let mut numbers = Vec::with_capacity(len);
    #[expect(clippy::uninit_vec, reason = "filling with zeros first would be one more pass")]
    // SAFETY: the capacity is `len`, any bits are an f32, and by this function's contract each
    // number is written before it is read.
    unsafe {
        numbers.set_len(len);
    };
    numbers
}

/// `[batch, size]` to `[blocks, size, LANES]`.
fn to_lanes(plain: &[f32], batch: usize, size: usize) -> Vec<f32> {
    let mut into = overwritten(batch.div_ceil(LANES) * LANES * size);
    into.par_chunks_mut((LANES * size).max(1))
        .zip(plain.par_chunks((LANES * size).max(1)))
        .for_each(|(into, plain)| {
            let (pixels, _) = into.as_chunks_mut::<LANES>();
            if plain.len() < LANES * size {
                pixels.fill([0.0; LANES]);
                for (lane, image) in plain.chunks(size).enumerate() {
                    pixels.iter_mut().zip(image).for_each(|(pixel, value)| pixel[lane] = *value);
                }
                return;
            }
            vectorised(|| {
                let whole = size / LANES * LANES;
                for start in (0..whole).step_by(LANES) {
                    let tile: [Pixel; LANES] = std::array::from_fn(|lane| {
                        let mut row = [0.0; LANES];
                        row.copy_from_slice(&plain[lane * size + start..][..LANES]);
                        row
                    });
                    pixels[start..start + LANES].copy_from_slice(&transposed(&tile));
                }
                for at in whole..size {
                    pixels[at] = std::array::from_fn(|lane| plain[lane * size + at]);
                }
            });
        });
    into
}

/// `[blocks, size, LANES]` to `[batch, size]`.
fn from_lanes(lanes: &[f32], batch: usize, size: usize) -> Vec<f32> {
    let mut into = overwritten(batch * size);
    into.par_chunks_mut((LANES * size).max(1))
        .zip(lanes.par_chunks((LANES * size).max(1)))
        .for_each(|(into, lanes)| {
            let (pixels, _) = lanes.as_chunks::<LANES>();
            vectorised(|| {
                let whole = if into.len() < LANES * size { 0 } else { size / LANES * LANES };
                for start in (0..whole).step_by(LANES) {
                    let mut tile = [[0.0; LANES]; LANES];
                    tile.copy_from_slice(&pixels[start..start + LANES]);
                    for (lane, row) in transposed(&tile).iter().enumerate() {
                        into[lane * size + start..][..LANES].copy_from_slice(row);
                    }
                }
                for (lane, image) in into.chunks_mut(size).enumerate() {
                    for at in whole..size {
                        image[at] = pixels[at][lane];
                    }
                }
            });
        });
    into
}

/// Rows and columns exchanged.
#[inline(always)]
pub(super) fn transposed(tile: &[Pixel; LANES]) -> [Pixel; LANES] {
    // Four rounds of exchanging blocks, which become shuffles of whole registers.
    let mut from = *tile;
    let mut distance = 1;
    while distance < LANES {
        let mut into = from;
        for row in 0..LANES {
            if row & distance == 0 {
                let (a, b) = (from[row], from[row + distance]);
                for column in 0..LANES {
                    if column & distance == 0 {
                        into[row + distance][column] = a[column + distance];
                        into[row][column + distance] = b[column];
                    }
                }
            }
        }
        from = into;
        distance *= 2;
    }
    from
}
