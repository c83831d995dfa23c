//! Pooling with exact gradients, for windows of any size, stride and padding.

use std::ops::Range;

use candle_core::Result;
use rayon::prelude::*;

use crate::basis::shape::Window;

use super::tape::{Gradient, Tape, Value, image_dims, numbers, tensor};

/// Maximum over windows; the gradient goes to the first maximum of each window, as in PyTorch.
///
/// # Shapes
/// `[batch, channels, height, width]` → `[batch, channels, out, out]` with out as in
/// [`Window::out`], or [`Window::out_ceil`] if `ceil`. Padding never wins.
pub fn max_pool2d(tape: &mut Tape, x: &Value, windows: [Window; 2], ceil: bool) -> Result<Value> {
    let [batch, channels, height, width] = image_dims(x)?;
    let [rows, columns] = ranges(x, &windows, ceil)?;
    let positions = rows.len() * columns.len();
    let mut result = vec![0.0; batch * channels * positions];
    // Which pixel of its map each output is: what the backward pass needs.
    let mut winners = vec![0u32; result.len()];
    {
        let x = numbers(x.tensor())?;
        let (rows, columns) = (&rows, &columns);
        let is_halving = windows
            .iter()
            .all(|window| window.kernel == 2 && window.stride == 2 && window.padding == [0, 0])
            && !ceil;
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
    let [_, _, height, width] = image_dims(x)?;
    let bins = |size: usize, out: usize| -> Vec<Range<usize>> {
        (0..out).map(|bin| bin * size / out..((bin + 1) * size).div_ceil(out)).collect()
    };
    let ranges = [bins(height, out[0]), bins(width, out[1])];
    let counts = [0, 1].map(|axis| ranges[axis].iter().map(Range::len).collect());
    mean_over(tape, x, ranges, counts)
}

/// The sum over each rectangle of rows and columns, divided by the product of its counts.
fn mean_over(
    tape: &mut Tape,
    x: &Value,
    [rows, columns]: [Vec<Range<usize>>; 2],
    [heights, widths]: [Vec<usize>; 2],
) -> Result<Value> {
    let [batch, channels, height, width] = image_dims(x)?;
    let positions = rows.len() * columns.len();
    let share = move |row: usize, column: usize| 1.0 / (heights[row] * widths[column]) as f32;
    let mut result = vec![0.0; batch * channels * positions];
    {
        let x = numbers(x.tensor())?;
        result
            .par_chunks_mut(positions)
            .zip(x.par_chunks(height * width))
            .with_min_len(16)
            .for_each(|(result, map)| {
                for (r, row) in rows.iter().enumerate() {
                    for (c, column) in columns.iter().enumerate() {
                        let lines = row.clone().map(|y| &map[y * width..][column.clone()]);
                        let sum: f32 = lines.map(|line| line.iter().sum::<f32>()).sum();
                        result[r * columns.len() + c] = sum * share(r, c);
                    }
                }
            });
    }
    let result = tensor(result, (batch, channels, rows.len(), columns.len()))?;
    Ok(tape.record(result, &[x], move |gradient: Gradient, _| {
        let mut for_x = vec![0.0; batch * channels * height * width];
        for_x
            .par_chunks_mut(height * width)
            .zip(gradient.par_chunks(positions))
            .with_min_len(16)
            .for_each(|(for_x, gradient)| {
                for (r, row) in rows.iter().enumerate() {
                    for (c, column) in columns.iter().enumerate() {
                        let part = gradient[r * columns.len() + c] * share(r, c);
                        for y in row.clone() {
                            let line = &mut for_x[y * width..][column.clone()];
                            line.iter_mut().for_each(|pixel| *pixel += part);
                        }
                    }
                }
            });
        Ok(vec![Some(for_x)])
    }))
}

/// The pixels that each output looks at, per axis, padding left out.
fn ranges(x: &Value, windows: &[Window; 2], ceil: bool) -> Result<[Vec<Range<usize>>; 2]> {
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
