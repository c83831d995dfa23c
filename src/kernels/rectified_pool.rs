//! ReLU, dropout and max pool as one operation, which is how most blocks of convolutions end.
//!
//! One after the other, each of the three keeps maps of full size for its backward pass and goes
//! through them once more. But a gradient passes a ReLU and a dropout only where it also wins its
//! window: a byte for each window says where, and nothing of full size is kept.

use std::ops::Range;

use candle_core::Result;
use rayon::prelude::*;

use crate::basis::seed::Stream;
use crate::basis::shape::Window;

use super::activation::{Activation, activation};
use super::dropout::{Granularity, Mask, dropout};
use super::lanes::{LANES, Pixel, enter, overwritten, worthwhile};
use super::pool::{covers, max_pool2d, ranges};
use super::simd::{Kernel, Simd, dispatch};
use super::tape::{Gradient, Tape, Value, image_dims, numbers, tensor};

/// The winner of a window without gradient: its maximum is not positive.
const NOBODY: u8 = u8::MAX;

/// The same values and gradients as [`max_pool2d`] of [`dropout`] of single elements of a ReLU of
/// `x`; `dropping` holds the probability and the stream, and nothing is dropped without it.
///
/// # Shapes
/// As [`max_pool2d`].
pub fn rectified_max_pool2d(
    tape: &mut Tape,
    x: &Value,
    dropping: Option<(f64, Stream)>,
    windows: [Window; 2],
    ceil: bool,
) -> Result<Value> {
    let has_names = windows[0].kernel * windows[1].kernel <= usize::from(NOBODY);
    if tape.is_by_candle() || !worthwhile(x) || !has_names {
        let mut y = activation(tape, x, Activation::Relu)?;
        if tape.is_by_candle() {
            y = y.counted_in_lanes(worthwhile(x) && has_names || x.counts_in_lanes());
        }
        if let Some((p, stream)) = dropping {
            y = dropout(tape, &y, p, Granularity::Elements, stream)?;
        }
        return max_pool2d(tape, &y, windows, ceil);
    }
    let x = &enter(tape, x)?;
    let [batch, channels, height, width] = image_dims(x)?;
    let [rows, columns] = ranges(x, &windows, ceil)?;
    let (blocks, positions) = (batch.div_ceil(LANES), rows.len() * columns.len());
    let windows = Windows { rows, columns, size: [height, width] };
    let mask = dropping.map(|(p, stream)| Mask::new(p, 1, stream));
    let mut result = overwritten(blocks * channels * positions * LANES);
    let mut winners = vec![NOBODY; result.len()];
    let map = height * width * LANES;
    result
        .par_chunks_mut(positions * LANES)
        .zip(winners.par_chunks_mut(positions * LANES))
        .zip(numbers(x.tensor())?.par_chunks(map))
        .enumerate()
        .for_each_init(Vec::new, |dropped, (index, ((result, winners), x))| {
            let (result, winners) = (result.as_chunks_mut().0, winners.as_chunks_mut().0);
            let x = match &mask {
                None => x,
                Some(mask) => {
                    dropped.clear();
                    dropped.extend_from_slice(x);
                    mask.apply_from(index * map, dropped);
                    &dropped[..]
                }
            };
            dispatch(Maxima { windows: &windows, x: x.as_chunks().0, result, winners });
        });
    let result =
        tensor(result, (blocks, channels, windows.rows.len(), windows.columns.len(), LANES))?;
    let covers = covers(&windows.rows, height) && covers(&windows.columns, width);
    let scale = mask.map_or(1.0, |mask| mask.scale());
    Ok(tape.record_lanes(batch, result, &[x], move |gradient: Gradient, _| {
        let mut for_x = overwritten(blocks * channels * map);
        for_x
            .par_chunks_mut(map)
            .zip(gradient.par_chunks(positions * LANES))
            .zip(winners.par_chunks(positions * LANES))
            .for_each(|((for_x, gradient), winners)| {
                let (gradient, winners) = (gradient.as_chunks().0, winners.as_chunks().0);
                let (windows, for_x) = (&windows, for_x.as_chunks_mut().0);
                dispatch(Gradients { windows, covers, scale, for_x, gradient, winners });
            });
        Ok(vec![Some(for_x)])
    }))
}

/// The windows of a map, per axis, padding left out.
struct Windows {
    rows: Vec<Range<usize>>,
    columns: Vec<Range<usize>>,
    size: [usize; 2],
}

/// The maximum of each window, or 0 if that is more, and the number of the pixel in its window that
/// gets the gradient.
struct Maxima<'a> {
    windows: &'a Windows,
    x: &'a [Pixel],
    result: &'a mut [Pixel],
    winners: &'a mut [Pixel<u8>],
}

impl Kernel for Maxima<'_> {
    type Out = ();

    #[inline(always)]
    fn run<V: Simd>(self) {
        let Windows { rows, columns, size } = self.windows;
        let mut outputs = self.result.iter_mut().zip(self.winners);
        for row in rows {
            for column in columns {
                let Some((result, winner)) = outputs.next() else { return };
                let mut which = [0.0f32; LANES];
                for part in (0..LANES).step_by(V::WIDTH) {
                    // SAFETY: WIDTH divides LANES, so all vectors lie within their pixels.
                    let at = |pixel: &Pixel| unsafe { V::load(pixel[part..].as_ptr()) };
                    let mut best = at(&self.x[row.start * size[1] + column.start]);
                    // As a number, like those that it is compared with: there are few.
                    let (mut place, mut number) = (V::splat(0.0), 0.0);
                    for y in row.clone() {
                        for pixel in &self.x[y * size[1]..][column.clone()] {
                            let pixel = at(pixel);
                            let keeps = best.keeps(pixel);
                            best = V::select(keeps, best, pixel);
                            place = V::select(keeps, place, V::splat(number));
                            number += 1.0;
                        }
                    }
                    let zero = V::splat(0.0);
                    let nobody = V::splat(f32::from(NOBODY));
                    let place = V::select(best.above(zero), place, nobody);
                    let best = V::select(zero.keeps(best), zero, best);
                    // SAFETY: as above.
                    unsafe {
                        best.store(result[part..].as_mut_ptr());
                        place.store(which[part..].as_mut_ptr());
                    }
                }
                *winner = which.map(|number| number as i32 as u8);
            }
        }
    }
}

/// The gradient of each window to its winner.
struct Gradients<'a> {
    windows: &'a Windows,
    /// Whether windows cover the map without overlap.
    covers: bool,
    scale: f32,
    for_x: &'a mut [Pixel],
    gradient: &'a [Pixel],
    winners: &'a [Pixel<u8>],
}

impl Kernel for Gradients<'_> {
    type Out = ();

    #[inline(always)]
    fn run<V: Simd>(self) {
        let Windows { rows, columns, size } = self.windows;
        if !self.covers {
            self.for_x.fill([0.0; LANES]);
        }
        // Sums are scaled when all is in them.
        let scale = if self.covers { self.scale } else { 1.0 };
        let mut inputs = self.gradient.iter().zip(self.winners);
        for row in rows {
            for column in columns {
                let Some((gradient, winner)) = inputs.next() else { return };
                let gradient = gradient.map(|gradient| gradient * scale);
                let winner = winner.map(f32::from);
                for part in (0..LANES).step_by(V::WIDTH) {
                    // SAFETY: WIDTH divides LANES, so all vectors lie within their pixels.
                    let at = |pixel: &Pixel| unsafe { V::load(pixel[part..].as_ptr()) };
                    let (gradient, winner, mut number) = (at(&gradient), at(&winner), 0.0);
                    for y in row.clone() {
                        for pixel in &mut self.for_x[y * size[1]..][column.clone()] {
                            let wins = winner.equals(V::splat(number));
                            let mut share = V::select(wins, gradient, V::splat(0.0));
                            if !self.covers {
                                share = at(pixel).add(share);
                            }
                            // SAFETY: as above.
                            unsafe { share.store(pixel[part..].as_mut_ptr()) };
                            number += 1.0;
                        }
                    }
                }
            }
        }
        if !self.covers {
            self.for_x.iter_mut().flatten().for_each(|gradient| *gradient *= self.scale);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::basis::seed::derive;

    use super::super::dropout::drop_in_place;
    use super::super::lanes::leave;
    use super::super::tests::{check, spread, taken, window};
    use super::*;

    /// Value and gradient of `operation` on a batch of 21 maps.
    fn run(
        size: [usize; 2],
        operation: impl Fn(&mut Tape, &Value) -> Result<Value>,
    ) -> [Vec<f32>; 2] {
        let mut tape = Tape::recording();
        let leaf = tape.leaf(&spread(&[21, 3, size[0], size[1]], "x"), true);
        let y = operation(&mut tape, &leaf).unwrap();
        let y = leave(&mut tape, &y).unwrap();
        let values = numbers(y.tensor()).unwrap().to_vec();
        let slopes = numbers(&spread(y.dims(), "slopes")).unwrap().to_vec();
        let gradient = taken(&mut tape.backward_from(&y, slopes).unwrap(), &leaf).unwrap();
        [values, gradient]
    }

    #[test]
    fn it_is_the_same_bits_as_one_operation_after_the_other() {
        for (size, windows, ceil) in [
            ([6, 8], [window(2, 2, 0, 1); 2], false),
            ([7, 5], [window(2, 2, 0, 1); 2], false),
            ([7, 5], [window(2, 2, 0, 1); 2], true),
            ([9, 9], [window(3, 2, 1, 1); 2], false),
            ([5, 6], [window(1, 2, 0, 1), window(4, 1, 1, 1)], false),
        ] {
            for p in [None, Some(0.4)] {
                let dropping = p.map(|p| (p, derive(3, "dropout", &[])));
                let fused =
                    run(size, |tape, x| rectified_max_pool2d(tape, x, dropping, windows, ceil));
                let apart = run(size, |tape, x| {
                    let x = enter(tape, x)?;
                    let mut y = activation(tape, &x, Activation::Relu)?;
                    if let Some((p, stream)) = dropping {
                        y = drop_in_place(tape, &y, p, stream)?;
                    }
                    max_pool2d(tape, &y, windows, ceil)
                });
                let bits = |numbers: &[Vec<f32>; 2]| {
                    // The sign of a zero is nobody's business.
                    numbers
                        .clone()
                        .map(|n| n.iter().map(|n| (n + 0.0).to_bits()).collect::<Vec<_>>())
                };
                assert_eq!(bits(&fused), bits(&apart), "{size:?}, {windows:?}, {p:?}");
            }
        }
    }

    #[test]
    fn gradients_are_those_of_finite_differences_in_batches_of_any_size() {
        for batch in [1, 17] {
            check(&[&[batch, 2, 5, 6]], |tape, leaves| {
                let stream = derive(7, "dropout", &[]);
                let windows = [window(2, 2, 0, 1), window(3, 2, 1, 1)];
                rectified_max_pool2d(tape, &leaves[0], Some((0.3, stream)), windows, true)
            });
        }
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        let mut tape = Tape::inference();
        let values = [f32::NAN, -1.0, 2.0, 3.0].repeat(16);
        let x = tape.leaf(&tensor(values, (16, 1, 2, 2)).unwrap(), false);
        let y = rectified_max_pool2d(&mut tape, &x, None, [window(2, 2, 0, 1); 2], false).unwrap();
        assert!(numbers(y.tensor()).unwrap().iter().all(|y| y.is_nan()));
    }
}
