//! Pooling with exact gradients, for windows of any size, stride and padding.

use std::mem::MaybeUninit;
use std::ops::Range;

use candle_core::Result;
use rayon::prelude::*;

use candlewick_basis::shape::Window;

use super::device;
use super::lanes::{LANES, Pixel, enter, worthwhile};
use super::simd::{Kernel, Simd, dispatch};
use super::streaming;
use super::tape::{Gradient, Tape, Value, image_dims, numbers, tensor};

/// Maximum over windows; the gradient goes to the first maximum of each window, as in PyTorch.
///
/// # Shapes
/// `[batch, channels, height, width]` → `[batch, channels, out, out]` with out as in
/// [`Window::out`], or [`Window::out_ceil`] if `ceil`. Padding never wins.
pub fn max_pool2d(tape: &mut Tape, x: &Value, windows: [Window; 2], ceil: bool) -> Result<Value> {
    let ranges = ranges(x, &windows, ceil)?;
    let is_halving = windows
        .iter()
        .all(|window| window.kernel == 2 && window.stride == 2 && window.padding == [0, 0])
        && !ceil;
    max_over(tape, x, ranges, is_halving)
}

/// Maximum over `out` bins per axis, which are those of [`adaptive_avg_pool2d`]; the gradient goes to the first
/// maximum of each bin.
///
/// # Shapes
/// `[batch, channels, height, width]` → `[batch, channels, out[0], out[1]]`.
pub fn adaptive_max_pool2d(tape: &mut Tape, x: &Value, out: [usize; 2]) -> Result<Value> {
    let ranges = bins(x, out)?;
    max_over(tape, x, ranges, false)
}

/// The bins of adaptive pools, per axis.
fn bins(x: &Value, out: [usize; 2]) -> Result<[Vec<Range<usize>>; 2]> {
    let [_, _, height, width] = image_dims(x)?;
    let bins = |size: usize, out: usize| -> Vec<Range<usize>> {
        (0..out).map(|bin| bin * size / out..((bin + 1) * size).div_ceil(out)).collect()
    };
    Ok([bins(height, out[0]), bins(width, out[1])])
}

/// The maximum over each rectangle of rows and columns; whether these halve the map.
fn max_over(
    tape: &mut Tape,
    x: &Value,
    [rows, columns]: [Vec<Range<usize>>; 2],
    is_halving: bool,
) -> Result<Value> {
    let [batch, channels, height, width] = image_dims(x)?;
    let positions = rows.len() * columns.len();
    if tape.is_by_candle() {
        return device::pool::max(tape, x, [rows, columns], worthwhile(x));
    }
    if worthwhile(x) {
        return max_pool_in_lanes(tape, x, rows, columns);
    }
    let mut result = vec![0.0; batch * channels * positions];
    // Which pixel of its map each output is: what the backward pass needs.
    let mut winners = vec![0u32; result.len()];
    {
        let x = numbers(x.tensor())?;
        let (rows, columns) = (&rows, &columns);
        result
            .par_chunks_mut(positions)
            .zip(winners.par_chunks_mut(positions))
            .zip(x.par_chunks(height * width))
            .with_min_len(16)
            .for_each(|((result, winners), map)| {
                if is_halving {
                    halve(map, width, columns.len(), result, winners);
                } else {
                    maxima(map, width, rows, columns, result, winners);
                }
            });
    }
    let result = tensor(result, (batch, channels, rows.len(), columns.len()))?;
    Ok(tape.record(result, &[x], move |gradient: Gradient, _| {
        let mut for_x = vec![0.0; batch * channels * height * width];
        for_x
            .par_chunks_mut(height * width)
            .zip(gradient.par_chunks(positions))
            .zip(winners.par_chunks(positions))
            .with_min_len(16)
            .for_each(|((for_x, gradient), winners)| {
                for (gradient, winner) in gradient.iter().zip(winners) {
                    for_x[*winner as usize] += gradient;
                }
            });
        Ok(vec![Some(for_x)])
    }))
}

/// The maximum of sixteen images at a time. Winners are not kept but found again from the result.
fn max_pool_in_lanes(
    tape: &mut Tape,
    x: &Value,
    rows: Vec<Range<usize>>,
    columns: Vec<Range<usize>>,
) -> Result<Value> {
    let x = &enter(tape, x)?;
    let [batch, channels, height, width] = image_dims(x)?;
    let (blocks, positions) = (batch.div_ceil(LANES), rows.len() * columns.len());
    let mut result = Box::<[f32]>::new_uninit_slice(blocks * channels * positions * LANES);
    result
        .par_chunks_mut(positions * LANES)
        .zip(numbers(x.tensor())?.par_chunks_exact(height * width * LANES))
        .for_each(|(result, map)| {
            let (result, map) = (result.as_chunks_mut().0, map.as_chunks().0);
            dispatch(Maxima { rows: &rows, columns: &columns, width, map, result });
        });
    // SAFETY: `x` has a map for each of the result, and `Maxima` writes all of it.
    let result = unsafe { result.assume_init() }.into_vec();
    let result = tensor(result, (blocks, channels, rows.len(), columns.len(), LANES))?;
    let (kept_x, kept) = (x.tensor().clone(), result.clone());
    // Where windows tile the map, each pixel is written once.
    let covers = covers(&rows, height) && covers(&columns, width);
    Ok(tape.record_lanes(batch, result, &[x], move |gradient: Gradient, _| {
        let (x, y) = (numbers(&kept_x)?, numbers(&kept)?);
        assert_eq!(gradient.len(), y.len(), "a gradient for each maximum");
        let mut for_x = Box::<[f32]>::new_uninit_slice(x.len());
        let is_large = streaming::is_large(&for_x);
        for_x
            .par_chunks_mut(height * width * LANES)
            .zip(x.par_chunks(height * width * LANES))
            .zip(gradient.par_chunks(positions * LANES).zip(y.par_chunks(positions * LANES)))
            .for_each_init(Vec::new, |room, ((for_x, x), (gradient, y))| {
                let (x, y) = (x.as_chunks().0, y.as_chunks().0);
                let gradient = gradient.as_chunks().0;
                let (rows, columns) = (&rows, &columns);
                streaming::write(for_x, is_large, room, |for_x| {
                    dispatch(Gradients { rows, columns, width, covers, x, y, gradient, for_x })
                });
            });
        // SAFETY: gradients and maxima are as many maps as `x`, and each of them was written.
        Ok(vec![Some(unsafe { for_x.assume_init() }.into_vec())])
    }))
}

/// Writes the maximum of each window of a map to `result`, which has one element for each window.
struct Maxima<'a> {
    rows: &'a [Range<usize>],
    columns: &'a [Range<usize>],
    /// Of the map.
    width: usize,
    map: &'a [Pixel],
    result: &'a mut [Pixel<MaybeUninit<f32>>],
}

impl Kernel for Maxima<'_> {
    type Out = ();

    #[inline(always)]
    fn run<V: Simd>(self) {
        let mut results = self.result.iter_mut();
        for row in self.rows {
            for column in self.columns {
                let Some(result) = results.next() else { return };
                for part in (0..LANES).step_by(V::WIDTH) {
                    // SAFETY: WIDTH divides LANES, so all vectors lie within their pixels.
                    let at = |pixel: &Pixel| unsafe { V::load(pixel[part..].as_ptr()) };
                    let mut best = at(&self.map[row.start * self.width + column.start]);
                    for y in row.clone() {
                        for pixel in &self.map[y * self.width..][column.clone()] {
                            let pixel = at(pixel);
                            best = V::select(best.keeps(pixel), best, pixel);
                        }
                    }
                    // SAFETY: as above.
                    unsafe { best.store(result[part..].as_mut_ptr().cast()) };
                }
            }
        }
    }
}

/// The gradient of each window to the first pixel of `x` that is its maximum, `y`. All of `for_x` is written and
/// returned.
struct Gradients<'a, 'b> {
    rows: &'a [Range<usize>],
    columns: &'a [Range<usize>],
    /// Of the map.
    width: usize,
    /// Whether windows cover the map without overlap: then each pixel is written once.
    covers: bool,
    x: &'a [Pixel],
    y: &'a [Pixel],
    gradient: &'a [Pixel],
    for_x: &'b mut [MaybeUninit<f32>],
}

impl<'b> Kernel for Gradients<'_, 'b> {
    type Out = &'b mut [f32];

    #[inline(always)]
    fn run<V: Simd>(self) -> &'b mut [f32] {
        let for_x = self.for_x;
        if !self.covers {
            for_x.fill(MaybeUninit::new(0.0));
        }
        let pixels = for_x.as_chunks_mut::<LANES>().0;
        let mut inputs = self.gradient.iter().zip(self.y);
        for row in self.rows {
            for column in self.columns {
                let (gradient, best) = inputs.next().expect("a maximum of each window");
                for part in (0..LANES).step_by(V::WIDTH) {
                    // SAFETY: WIDTH divides LANES, so all vectors lie within their pixels.
                    let at = |pixel: &Pixel| unsafe { V::load(pixel[part..].as_ptr()) };
                    let (zero, best) = (V::splat(0.0), at(best));
                    // What the first maximum takes is not there for the next.
                    let mut left = at(gradient);
                    for line in row.clone() {
                        let places =
                            line * self.width + column.start..line * self.width + column.end;
                        for (pixel, x) in pixels[places.clone()].iter_mut().zip(&self.x[places]) {
                            let pixel = pixel[part..].as_mut_ptr().cast();
                            let hit = at(x).equals(best);
                            let mut share = V::select(hit, left, zero);
                            left = V::select(hit, zero, left);
                            // SAFETY: as above; what windows do not cover holds zeros from the start on.
                            unsafe {
                                if !self.covers {
                                    share = V::load(pixel).add(share);
                                }
                                share.store(pixel);
                            }
                        }
                    }
                }
            }
        }
        // SAFETY: all elements are written. If the windows cover the map, each window has written its gradient;
        // if they do not, the map was filled with zeros first.
        unsafe { for_x.assume_init_mut() }
    }
}

/// Whether `ranges` cover an axis of `size` without overlap.
pub(super) fn covers(ranges: &[Range<usize>], size: usize) -> bool {
    let ends = ranges.iter().map(|range| range.end);
    ranges.iter().map(|range| range.start).eq([0].into_iter().chain(ends).take(ranges.len()))
        && ranges.last().is_some_and(|last| last.end == size)
}

/// The common pool of 2 by 2 without overlap, free of bounds of any kind.
fn halve(map: &[f32], width: usize, columns: usize, result: &mut [f32], winners: &mut [u32]) {
    let lines = result.chunks_mut(columns).zip(winners.chunks_mut(columns));
    for (y, (result, winners)) in lines.enumerate() {
        let start = 2 * y * width;
        let (upper, lower) =
            (&map[start..start + 2 * columns], &map[start + width..][..2 * columns]);
        let pairs = upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0);
        let outputs = result.iter_mut().zip(winners.iter_mut());
        for (x, ((result, winner), (upper, lower))) in outputs.zip(pairs).enumerate() {
            let at = (start + 2 * x) as u32;
            let (mut best, mut place) = (upper[0], at);
            let mut look = |value: f32, there: u32| {
                // Written so that NaN wins.
                let wins = value > best || value.is_nan();
                best = if wins { value } else { best };
                place = if wins { there } else { place };
            };
            look(upper[1], at + 1);
            look(lower[0], at + width as u32);
            look(lower[1], at + width as u32 + 1);
            (*result, *winner) = (best, place);
        }
    }
}

fn maxima(
    map: &[f32],
    width: usize,
    rows: &[Range<usize>],
    columns: &[Range<usize>],
    result: &mut [f32],
    winners: &mut [u32],
) {
    let mut outputs = result.iter_mut().zip(winners);
    for row in rows {
        for column in columns {
            let Some((result, winner)) = outputs.next() else { continue };
            let first = row.start * width + column.start;
            (*result, *winner) = (map[first], first as u32);
            for y in row.clone() {
                for x in column.clone() {
                    let value = map[y * width + x];
                    if value > *result || value.is_nan() {
                        (*result, *winner) = (value, (y * width + x) as u32);
                    }
                }
            }
        }
    }
}

/// Mean over windows, as PyTorch's `avg_pool2d`: zeros of the padding count if `count_padding`.
///
/// # Shapes
/// As [`max_pool2d`].
pub fn avg_pool2d(
    tape: &mut Tape,
    x: &Value,
    windows: [Window; 2],
    ceil: bool,
    count_padding: bool,
) -> Result<Value> {
    let [_, _, height, width] = image_dims(x)?;
    let [rows, columns] = ranges(x, &windows, ceil)?;
    let counts = |window: &Window, ranges: &[Range<usize>], size: usize| -> Vec<usize> {
        let counted = |(position, range): (usize, &Range<usize>)| {
            if !count_padding {
                return range.len();
            }
            // A window that sticks out of the padding, by rounding up, counts only inside of it.
            let start = position * window.stride;
            (start + window.kernel).min(size + window.padding[0] + window.padding[1]) - start
        };
        ranges.iter().enumerate().map(counted).collect()
    };
    let heights = counts(&windows[0], &rows, height);
    let widths = counts(&windows[1], &columns, width);
    mean_over(tape, x, [rows, columns], [heights, widths])
}

/// Mean over `out` bins per axis that cover the image, as PyTorch's `adaptive_avg_pool2d`: bin i
/// reaches from ⌊i · size / out⌋ to ⌈(i + 1) · size / out⌉. One bin is global average pooling.
///
/// # Shapes
/// `[batch, channels, height, width]` → `[batch, channels, out[0], out[1]]`.
pub fn adaptive_avg_pool2d(tape: &mut Tape, x: &Value, out: [usize; 2]) -> Result<Value> {
    let ranges = bins(x, out)?;
    let counts = [0, 1].map(|axis| ranges[axis].iter().map(Range::len).collect());
    mean_over(tape, x, ranges, counts)
}

/// The sum over each rectangle of rows and columns, divided by the product of its counts.
fn mean_over(
    tape: &mut Tape,
    x: &Value,
    ranges: [Vec<Range<usize>>; 2],
    [heights, widths]: [Vec<usize>; 2],
) -> Result<Value> {
    if tape.is_by_candle() {
        return device::pool::mean(tape, x, &ranges, [&heights, &widths], worthwhile(x));
    }
    let [batch, channels, height, width] = image_dims(x)?;
    let means = Means { ranges, heights, widths, size: [height, width] };
    let out = means.ranges.each_ref().map(Vec::len);
    if worthwhile(x) {
        let x = &enter(tape, x)?;
        let result = means.forward::<LANES>(&numbers(x.tensor())?);
        let shape = (batch.div_ceil(LANES), channels, out[0], out[1], LANES);
        return Ok(tape.record_lanes(
            batch,
            tensor(result, shape)?,
            &[x],
            move |gradient: Gradient, _| Ok(vec![Some(means.backward::<LANES>(&gradient))]),
        ));
    }
    let result = means.forward::<1>(&numbers(x.tensor())?);
    let result = tensor(result, (batch, channels, out[0], out[1]))?;
    Ok(tape.record(result, &[x], move |gradient: Gradient, _| {
        Ok(vec![Some(means.backward::<1>(&gradient))])
    }))
}

/// Rectangles to take the mean of; `L` images lie side by side.
struct Means {
    ranges: [Vec<Range<usize>>; 2],
    heights: Vec<usize>,
    widths: Vec<usize>,
    size: [usize; 2],
}

impl Means {
    fn share(&self, row: usize, column: usize) -> f32 {
        1.0 / (self.heights[row] * self.widths[column]) as f32
    }

    fn forward<const L: usize>(&self, x: &[f32]) -> Vec<f32> {
        let [rows, columns] = &self.ranges;
        let [height, width] = self.size;
        let positions = rows.len() * columns.len();
        let maps = x.len() / (height * width * L);
        let mut result = Box::<[f32]>::new_uninit_slice(maps * positions * L);
        result
            .par_chunks_mut(positions * L)
            .zip(x.par_chunks(height * width * L))
            .with_min_len(16 / L)
            .for_each(|(result, map)| {
                let (result, map) = (result.as_chunks_mut::<L>().0, map.as_chunks::<L>().0);
                for (r, row) in rows.iter().enumerate() {
                    for (c, column) in columns.iter().enumerate() {
                        let mut sum = [0.0; L];
                        for pixel in row.clone().flat_map(|y| &map[y * width..][column.clone()]) {
                            sum.iter_mut().zip(pixel).for_each(|(sum, x)| *sum += x);
                        }
                        let share = self.share(r, c);
                        result[r * columns.len() + c] =
                            sum.map(|sum| MaybeUninit::new(sum * share));
                    }
                }
            });
        // SAFETY: each map of `x` has written a mean for each rectangle.
        unsafe { result.assume_init() }.into_vec()
    }

    fn backward<const L: usize>(&self, gradient: &[f32]) -> Vec<f32> {
        let [rows, columns] = &self.ranges;
        let [height, width] = self.size;
        let positions = rows.len() * columns.len();
        let mut for_x = vec![0.0; gradient.len() / positions * height * width];
        for_x
            .par_chunks_mut(height * width * L)
            .zip(gradient.par_chunks(positions * L))
            .with_min_len(16 / L)
            .for_each(|(for_x, gradient)| {
                let for_x = for_x.as_chunks_mut::<L>().0;
                let gradient = gradient.as_chunks::<L>().0;
                for (r, row) in rows.iter().enumerate() {
                    for (c, column) in columns.iter().enumerate() {
                        let share = self.share(r, c);
                        let part = gradient[r * columns.len() + c].map(|g| g * share);
                        for y in row.clone() {
                            for pixel in &mut for_x[y * width..][column.clone()] {
                                pixel.iter_mut().zip(part).for_each(|(x, part)| *x += part);
                            }
                        }
                    }
                }
            });
        for_x
    }
}

/// The pixels that each output looks at, per axis, padding left out.
pub(super) fn ranges(
    x: &Value,
    windows: &[Window; 2],
    ceil: bool,
) -> Result<[Vec<Range<usize>>; 2]> {
    let dims = image_dims(x)?;
    let axis = |axis: usize| {
        let (window, size) = (&windows[axis], dims[axis + 2]);
        let out = if ceil { window.out_ceil(size) } else { window.out(size) };
        out.map(|out| {
            (0..out)
                .map(|position| {
                    let start = position * window.stride;
                    let end = (start + window.kernel).saturating_sub(window.padding[0]).min(size);
                    start.saturating_sub(window.padding[0])..end
                })
                .collect::<Vec<_>>()
        })
    };
    match [axis(0), axis(1)] {
        [Some(rows), Some(columns)]
            if rows.iter().chain(&columns).all(|range| !range.is_empty()) =>
        {
            Ok([rows, columns])
        }
        _ => candle_core::bail!("pooling windows {windows:?} do not fit into maps {:?}", x.dims()),
    }
}
