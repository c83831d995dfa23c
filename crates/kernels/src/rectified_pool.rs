//! Batch norm, ReLU, dropout and max pool as one operation, which is how most blocks of convolutions
//! end.
//!
//! One after the other, each of them keeps maps of full size for its backward pass and goes through
//! memory once more. But a gradient passes a ReLU and a dropout only where it also wins its window: a
//! byte for each window says where, and nothing of full size is kept. What a norm makes of a map, and
//! the gradient of that, are made where they are needed, one map at a time, and stay in the cache.

use std::mem::MaybeUninit;
use std::ops::Range;

use candle_core::{Result, Tensor};
use rayon::prelude::*;

use candlewick_basis::seed::Stream;
use candlewick_basis::shape::Window;

use super::activation::{Activation, activation};
use super::dropout::{Granularity, Mask, dropout};
use super::lanes::{LANES, Pixel, enter, worthwhile};
use super::norm::{BatchStatistics, Normalisation, Statistics, batch_norm, through};
use super::pool::{covers, max_pool2d, ranges};
use super::simd::{Kernel, Simd, dispatch};
use super::streaming;
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
    if tape.is_by_candle() || !worthwhile(x) || !has_names(&windows) {
        let mut y = activation(tape, x, Activation::Relu)?;
        if tape.is_by_candle() {
            let is_in_lanes = worthwhile(x) && has_names(&windows) || x.counts_in_lanes();
            y = y.counted_in_lanes(is_in_lanes);
        }
        if let Some((p, stream)) = dropping {
            y = dropout(tape, &y, p, Granularity::Elements, stream)?;
        }
        return max_pool2d(tape, &y, windows, ceil);
    }
    let x = &enter(tape, x)?;
    let (pool, maxima) = Pool::of(x, None, dropping, &windows, ceil)?;
    Ok(tape.record_lanes(x.dims()[0], maxima, &[x], move |gradient: Gradient, _| {
        let mut for_x = Box::<[f32]>::new_uninit_slice(pool.len());
        let is_large = streaming::is_large(&for_x);
        for_x.par_chunks_mut(pool.map()).enumerate().for_each_init(
            Vec::new,
            |room, (index, map)| {
                streaming::write(map, is_large, room, |map| pool.backward(index, &gradient, map));
            },
        );
        // SAFETY: each map of it was written.
        Ok(vec![Some(unsafe { for_x.assume_init() }.into_vec())])
    }))
}

/// The same values, gradients and statistics as [`rectified_max_pool2d`] of [`batch_norm`] of `x`.
///
/// # Shapes
/// As those.
pub fn normalised_max_pool2d(
    tape: &mut Tape,
    x: &Value,
    [gamma, beta]: [&Value; 2],
    eps: f64,
    statistics: Statistics,
    dropping: Option<(f64, Stream)>,
    windows: [Window; 2],
    ceil: bool,
) -> Result<(Value, Option<BatchStatistics>)> {
    // Elsewhere the sums of the norm are taken in another order.
    if tape.is_by_candle() || !x.is_in_lanes() || !has_names(&windows) {
        let (y, found) = batch_norm(tape, x, gamma, beta, eps, statistics, None)?;
        return Ok((rectified_max_pool2d(tape, &y, dropping, windows, ceil)?, found));
    }
    let (norm, found) = Normalisation::of(x, gamma, beta, eps, statistics)?;
    let (pool, maxima) = Pool::of(x, Some(&norm), dropping, &windows, ceil)?;
    let kept_x = x.tensor().clone();
    let arguments = [x, gamma, beta];
    let value =
        tape.record_lanes(x.dims()[0], maxima, &arguments, move |gradient: Gradient, wanted| {
            let (x, layout) = (numbers(&kept_x)?, norm.layout);
            let (sums, products) = layout.reduce(x.len(), |piece| {
                let (norm, pool, gradient, x) = (&norm, &pool, &gradient, &x);
                let mut slopes = Box::<[f32]>::new_uninit_slice(layout.pixels);
                move |map| {
                    let index = piece * layout.channels + map;
                    let slopes = pool.backward(index, gradient, &mut slopes);
                    norm.products(map, slopes, &x[layout.range(piece, map)], false)
                }
            });
            let found = norm.backward(&sums, &products);
            let mut for_x = Vec::new();
            if wanted[0] {
                let mut made = Box::<[f32]>::new_uninit_slice(x.len());
                let is_large = streaming::is_large(&made);
                let maps = made.par_chunks_mut(layout.pixels).zip(x.par_chunks(layout.pixels));
                maps.enumerate().for_each_init(Vec::new, |room, (index, (map, x))| {
                    streaming::write(map, is_large, room, |map| {
                        let map = pool.backward(index, &gradient, map);
                        through(found.terms[index % layout.channels], None, map, x);
                        map
                    });
                });
                // SAFETY: each map of it was written.
                for_x = unsafe { made.assume_init() }.into_vec();
                layout.clear_unused(&mut for_x);
            }
            Ok(found.given(wanted, for_x))
        });
    Ok((value, found))
}

/// Whether a byte can name the pixels of a window.
fn has_names(windows: &[Window; 2]) -> bool {
    windows[0].kernel * windows[1].kernel <= usize::from(NOBODY)
}

/// Where the maxima of a batch in lanes are.
struct Pool {
    windows: Windows,
    /// Whether windows cover a map without overlap.
    covers: bool,
    /// Of what dropout leaves.
    scale: f32,
    /// Per window.
    winners: Vec<u8>,
}

impl Pool {
    /// And the maxima themselves, of the ReLU of `x`, normalised if there is a norm.
    fn of(
        x: &Value,
        norm: Option<&Normalisation>,
        dropping: Option<(f64, Stream)>,
        windows: &[Window; 2],
        ceil: bool,
    ) -> Result<(Pool, Tensor)> {
        let [batch, channels, height, width] = image_dims(x)?;
        let [rows, columns] = ranges(x, windows, ceil)?;
        let shape = (batch.div_ceil(LANES), channels, rows.len(), columns.len(), LANES);
        let covers = covers(&rows, height) && covers(&columns, width);
        let windows = Windows { rows, columns, size: [height, width] };
        let mask = dropping.map(|(p, stream)| Mask::new(p, 1, stream));
        let (map, positions) = (windows.map(), windows.positions());
        let x = numbers(x.tensor())?;
        let mut maxima = Box::<[f32]>::new_uninit_slice(x.len() / map.max(1) * positions);
        let mut winners = vec![NOBODY; maxima.len()];
        maxima
            .par_chunks_mut(positions)
            .zip(winners.par_chunks_mut(positions))
            .zip(x.par_chunks(map))
            .enumerate()
            .for_each_init(Vec::new, |room, (index, ((result, winners), mut x))| {
                if norm.is_some() || mask.is_some() {
                    room.clear();
                    room.reserve_exact(map);
                    let room = &mut room.spare_capacity_mut()[..map];
                    let changed = match norm {
                        Some(norm) => norm.normalise(index % channels, x, room, false),
                        None => room.write_copy_of_slice(x),
                    };
                    if let Some(mask) = &mask {
                        mask.apply_from(index * map, changed);
                    }
                    x = changed;
                }
                let (result, winners) = (result.as_chunks_mut().0, winners.as_chunks_mut().0);
                dispatch(Maxima { windows: &windows, x: x.as_chunks().0, result, winners });
            });
        // SAFETY: `x` has a map for each of the result, and `Maxima` writes all of it.
        let maxima = unsafe { maxima.assume_init() }.into_vec();
        let scale = mask.map_or(1.0, |mask| mask.scale());
        Ok((Pool { windows, covers, scale, winners }, tensor(maxima, shape)?))
    }

    /// Numbers of a map.
    fn map(&self) -> usize {
        self.windows.map()
    }

    /// Numbers of all maps.
    fn len(&self) -> usize {
        self.winners.len() / self.windows.positions().max(1) * self.map()
    }

    /// The gradient of map `index`, from that of all maxima: `map`, all of it written.
    fn backward<'a>(
        &self,
        index: usize,
        gradient: &[f32],
        map: &'a mut [MaybeUninit<f32>],
    ) -> &'a mut [f32] {
        let positions = self.windows.positions();
        let outputs = index * positions..(index + 1) * positions;
        dispatch(Gradients {
            windows: &self.windows,
            covers: self.covers,
            scale: self.scale,
            for_x: map,
            gradient: gradient[outputs.clone()].as_chunks().0,
            winners: self.winners[outputs].as_chunks().0,
        })
    }
}

/// The windows of a map, per axis, padding left out.
struct Windows {
    rows: Vec<Range<usize>>,
    columns: Vec<Range<usize>>,
    size: [usize; 2],
}

impl Windows {
    /// Numbers of a map.
    fn map(&self) -> usize {
        self.size[0] * self.size[1] * LANES
    }

    /// Numbers of a map's maxima.
    fn positions(&self) -> usize {
        self.rows.len() * self.columns.len() * LANES
    }
}

/// The maximum of each window, or 0 if that is more, and the number of the pixel in its window that
/// gets the gradient. All of `result` is written.
struct Maxima<'a> {
    windows: &'a Windows,
    x: &'a [Pixel],
    result: &'a mut [Pixel<MaybeUninit<f32>>],
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
                        best.store(result[part..].as_mut_ptr().cast());
                        place.store(which[part..].as_mut_ptr());
                    }
                }
                // The lowest byte of 2²³ plus a whole number is the number's. A conversion with `as` checks whether
                // the number fits, so that it would not be vectorised.
                *winner = which.map(|number| (number + 8_388_608.0).to_bits() as u8);
            }
        }
    }
}

/// The gradient of each window to its winner. All of `for_x` is written and returned.
struct Gradients<'a, 'b> {
    windows: &'a Windows,
    /// Whether windows cover the map without overlap.
    covers: bool,
    scale: f32,
    for_x: &'b mut [MaybeUninit<f32>],
    gradient: &'a [Pixel],
    winners: &'a [Pixel<u8>],
}

impl<'b> Kernel for Gradients<'_, 'b> {
    type Out = &'b mut [f32];

    #[inline(always)]
    fn run<V: Simd>(self) -> &'b mut [f32] {
        let Windows { rows, columns, size } = self.windows;
        let for_x = self.for_x;
        if !self.covers {
            for_x.fill(MaybeUninit::new(0.0));
        }
        let pixels = for_x.as_chunks_mut::<LANES>().0;
        // Sums are scaled when all is in them.
        let scale = if self.covers { self.scale } else { 1.0 };
        let mut inputs = self.gradient.iter().zip(self.winners);
        for row in rows {
            for column in columns {
                let (gradient, winner) = inputs.next().expect("a winner of each window");
                let gradient = gradient.map(|gradient| gradient * scale);
                let winner = winner.map(f32::from);
                for part in (0..LANES).step_by(V::WIDTH) {
                    // SAFETY: WIDTH divides LANES, so all vectors lie within their pixels.
                    let at = |pixel: &Pixel| unsafe { V::load(pixel[part..].as_ptr()) };
                    let (gradient, winner, mut number) = (at(&gradient), at(&winner), 0.0);
                    for y in row.clone() {
                        for pixel in &mut pixels[y * size[1]..][column.clone()] {
                            let pixel = pixel[part..].as_mut_ptr().cast();
                            let wins = winner.equals(V::splat(number));
                            let mut share = V::select(wins, gradient, V::splat(0.0));
                            // SAFETY: as above; what windows do not cover holds zeros from the start on.
                            unsafe {
                                if !self.covers {
                                    share = V::load(pixel).add(share);
                                }
                                share.store(pixel);
                            }
                            number += 1.0;
                        }
                    }
                }
            }
        }
        // SAFETY: all elements are written. If the windows cover the map, each window has written its gradient;
        // if they do not, the map was filled with zeros first.
        let for_x = unsafe { for_x.assume_init_mut() };
        if !self.covers {
            for_x.iter_mut().for_each(|gradient| *gradient *= self.scale);
        }
        for_x
    }
}

#[cfg(test)]
mod tests {
    use candlewick_basis::seed::derive;

    use super::super::buffer::Buffer;
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
                    // The sign of a zero has no meaning.
                    numbers
                        .clone()
                        .map(|n| n.iter().map(|n| (n + 0.0).to_bits()).collect::<Vec<_>>())
                };
                assert_eq!(bits(&fused), bits(&apart), "{size:?}, {windows:?}, {p:?}");
            }
        }
    }

    #[test]
    fn a_norm_before_it_is_the_same_bits_as_one_on_its_own() {
        let size = [7, 6];
        // Few images lie one behind the other, many in lanes; with 21 some lanes are empty.
        let (apart, overlapping) = (window(2, 2, 0, 1), window(3, 2, 1, 1));
        for (batch, dropping, pool) in [
            (3, false, apart),
            (21, false, apart),
            (32, true, apart),
            (21, true, apart),
            (21, true, overlapping),
        ] {
            for from_batch in [true, false] {
                let run = |fused: bool| {
                    let mut tape = Tape::recording();
                    let x = tape.leaf(&spread(&[batch, 3, size[0], size[1]], "x"), true);
                    let [gamma, beta] =
                        ["gamma", "beta"].map(|name| tape.leaf(&spread(&[3], name), true));
                    let lanes =
                        if batch < LANES { x.clone() } else { enter(&mut tape, &x).unwrap() };
                    let [mean, variance] =
                        [vec![0.1, -0.2, 0.0], vec![1.0, 0.5, 2.0]].map(Buffer::Host);
                    let statistics = match from_batch {
                        true => Statistics::Batch,
                        false => Statistics::Running { mean: &mean, variance: &variance },
                    };
                    let dropping = dropping.then(|| (0.4, derive(3, "dropout", &[])));
                    let (windows, affine) = ([pool; 2], [&gamma, &beta]);
                    let (y, found) = if fused {
                        let tape = &mut tape;
                        normalised_max_pool2d(
                            tape, &lanes, affine, 1e-3, statistics, dropping, windows, true,
                        )
                        .unwrap()
                    } else {
                        let (y, found) =
                            batch_norm(&mut tape, &lanes, &gamma, &beta, 1e-3, statistics, None)
                                .unwrap();
                        let y = rectified_max_pool2d(&mut tape, &y, dropping, windows, true);
                        (y.unwrap(), found)
                    };
                    let y = leave(&mut tape, &y).unwrap();
                    let values = numbers(y.tensor()).unwrap().to_vec();
                    let slopes = numbers(&spread(y.dims(), "slopes")).unwrap().to_vec();
                    let mut gradients = tape.backward_from(&y, slopes).unwrap();
                    let mut all = vec![values];
                    all.extend(
                        [&x, &gamma, &beta].map(|leaf| taken(&mut gradients, leaf).unwrap()),
                    );
                    if let Some(found) = found {
                        all.extend(
                            [found.mean, found.unbiased_variance]
                                .map(|found| found.into_numbers().unwrap()),
                        );
                    }
                    let bits = |numbers: Vec<f32>| -> Vec<u32> {
                        numbers.into_iter().map(|number| (number + 0.0).to_bits()).collect()
                    };
                    all.into_iter().map(bits).collect::<Vec<_>>()
                };
                assert_eq!(
                    run(true),
                    run(false),
                    "{batch} images, {dropping}, {from_batch}, {pool:?}"
                );
            }
        }
    }

    #[test]
    fn gradients_through_a_norm_are_those_of_finite_differences() {
        for batch in [3, 17] {
            check(&[&[batch, 2, 4, 4], &[2], &[2]], |tape, v| {
                let x = if batch < LANES || tape.is_by_candle() {
                    v[0].clone()
                } else {
                    enter(tape, &v[0])?
                };
                let (windows, batch) = ([window(2, 2, 0, 1); 2], Statistics::Batch);
                let affine = [&v[1], &v[2]];
                Ok(normalised_max_pool2d(tape, &x, affine, 1e-2, batch, None, windows, false)?.0)
            });
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
