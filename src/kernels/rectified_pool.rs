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
use super::lanes::{LANES, enter, overwritten, worthwhile};
use super::pool::{covers, max_pool2d, ranges};
use super::simd::vectorised;
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
            vectorised(
                #[inline(always)]
                || windows.maxima(x.as_chunks().0, result, winners),
            );
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
                let for_x = for_x.as_chunks_mut().0;
                vectorised(
                    #[inline(always)]
                    || match covers {
                        true => windows.deal(for_x, gradient, winners, scale),
                        false => windows.add(for_x, gradient, winners, scale),
                    },
                );
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

/// Sixteen images at a pixel.
type Pixel<T> = [T; LANES];

impl Windows {
    /// The maximum of each window, or 0 if that is more, and the number of the pixel in its window
    /// that gets the gradient.
    #[inline(always)]
    fn maxima(&self, x: &[Pixel<f32>], result: &mut [Pixel<f32>], winners: &mut [Pixel<u8>]) {
        let mut outputs = result.iter_mut().zip(winners);
        for row in &self.rows {
            for column in &self.columns {
                let Some((result, winner)) = outputs.next() else { return };
                let mut best = x[row.start * self.size[1] + column.start];
                let (mut which, mut number) = ([0u32; LANES], 0);
                for y in row.clone() {
                    for pixel in &x[y * self.size[1]..][column.clone()] {
                        for lane in 0..LANES {
                            // Written so that NaN wins.
                            let keep = best[lane] >= pixel[lane] || best[lane].is_nan();
                            best[lane] = if keep { best[lane] } else { pixel[lane] };
                            which[lane] = if keep { which[lane] } else { number };
                        }
                        number += 1;
                    }
                }
                for lane in 0..LANES {
                    let passes = best[lane] > 0.0;
                    result[lane] = if best[lane] <= 0.0 { 0.0 } else { best[lane] };
                    winner[lane] = if passes { which[lane] as u8 } else { NOBODY };
                }
            }
        }
    }

    /// The gradient of each window to its winner, where windows cover the map without overlap.
    #[inline(always)]
    fn deal(
        &self,
        for_x: &mut [Pixel<f32>],
        gradient: &[Pixel<f32>],
        winners: &[Pixel<u8>],
        scale: f32,
    ) {
        let mut inputs = gradient.iter().zip(winners);
        for row in &self.rows {
            for column in &self.columns {
                let Some((gradient, winner)) = inputs.next() else { return };
                let part = gradient.map(|gradient| gradient * scale);
                let winner = winner.map(u32::from);
                let mut number = 0;
                for y in row.clone() {
                    for pixel in &mut for_x[y * self.size[1]..][column.clone()] {
                        for lane in 0..LANES {
                            pixel[lane] = if winner[lane] == number { part[lane] } else { 0.0 };
                        }
                        number += 1;
                    }
                }
            }
        }
    }

    /// The same for any windows.
    #[inline(always)]
    fn add(
        &self,
        for_x: &mut [Pixel<f32>],
        gradient: &[Pixel<f32>],
        winners: &[Pixel<u8>],
        scale: f32,
    ) {
        for_x.fill([0.0; LANES]);
        let mut inputs = gradient.iter().zip(winners);
        for row in &self.rows {
            for column in &self.columns {
                let Some((gradient, winner)) = inputs.next() else { return };
                let winner = winner.map(u32::from);
                let mut number = 0;
                for y in row.clone() {
                    for pixel in &mut for_x[y * self.size[1]..][column.clone()] {
                        for lane in 0..LANES {
                            let wins = winner[lane] == number;
                            pixel[lane] += if wins { gradient[lane] } else { 0.0 };
                        }
                        number += 1;
                    }
                }
            }
        }
        for_x.iter_mut().flatten().for_each(|gradient| *gradient *= scale);
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
