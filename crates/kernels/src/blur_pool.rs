//! Pools that blur with binomial filters before they leave pixels out (Zhang, 2019).

use candle_core::Result;
use rayon::prelude::*;

use candlewick_basis::shape::Window;

use super::device;
use super::lanes::LANES;
use super::tape::{Gradient, Tape, Value, image_dims, numbers, tensor};

/// What the positions of a window along an axis see: places with their weights, no place twice.
pub(super) type Taps = Vec<Vec<(usize, f32)>>;

/// The mean over windows with binomial weights, (1 2 1)/4 for three: borders are mirrored, without the pixel at the
/// border itself.
///
/// # Shapes
/// `[batch, channels, height, width]` → `[batch, channels, out, out]` with out as in [`Window::out`].
///
/// # Errors
/// If a window does not fit, or its padding is not smaller than the map, so that there is nothing to mirror.
pub fn blur_pool2d(tape: &mut Tape, x: &Value, windows: [Window; 2]) -> Result<Value> {
    let [batch, channels, height, width] = image_dims(x)?;
    let (Some(rows), Some(columns)) = (taps(&windows[0], height), taps(&windows[1], width)) else {
        candle_core::bail!("blurring windows {windows:?} do not fit into maps {:?}", x.dims())
    };
    if tape.is_by_candle() {
        return device::pool::weighted(tape, x, [&rows, &columns], x.counts_in_lanes());
    }
    let lanes = if x.is_in_lanes() { LANES } else { 1 };
    let groups = x.tensor().dims()[0];
    let (line, map) = (width * lanes, height * width * lanes);
    let out = [rows.len(), columns.len()];
    let out_map = out[0] * out[1] * lanes;
    let mut result = vec![0.0f32; groups * channels * out_map];
    {
        let x = numbers(x.tensor())?;
        let maps = result.par_chunks_mut(out_map).zip(x.par_chunks(map));
        maps.with_min_len(4).for_each_init(
            || vec![0.0f32; line],
            |blurred, (result, x)| {
                for (result, row) in result.chunks_mut(out[1] * lanes).zip(&rows) {
                    blurred.fill(0.0);
                    for (y, weight) in row {
                        let x = &x[y * line..][..line];
                        blurred.iter_mut().zip(x).for_each(|(sum, x)| *sum += weight * x);
                    }
                    for (result, column) in result.chunks_mut(lanes).zip(&columns) {
                        for (x, weight) in column {
                            let pixel = &blurred[x * lanes..][..lanes];
                            result.iter_mut().zip(pixel).for_each(|(sum, x)| *sum += weight * x);
                        }
                    }
                }
            },
        );
    }
    let mut shape = x.tensor().dims().to_vec();
    shape[2..4].copy_from_slice(&out);
    let result = tensor(result, shape)?;
    let back = move |gradient: Gradient, _: &[bool]| {
        let mut for_x = vec![0.0f32; groups * channels * map];
        let maps = for_x.par_chunks_mut(map).zip(gradient.par_chunks(out_map));
        maps.with_min_len(4).for_each_init(
            || vec![0.0f32; line],
            |spread, (for_x, gradient)| {
                for (gradient, row) in gradient.chunks(out[1] * lanes).zip(&rows) {
                    spread.fill(0.0);
                    for (gradient, column) in gradient.chunks(lanes).zip(&columns) {
                        for (x, weight) in column {
                            let pixel = &mut spread[x * lanes..][..lanes];
                            pixel.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += weight * g);
                        }
                    }
                    for (y, weight) in row {
                        let for_x = &mut for_x[y * line..][..line];
                        for_x.iter_mut().zip(&*spread).for_each(|(sum, g)| *sum += weight * g);
                    }
                }
            },
        );
        Ok(vec![Some(for_x)])
    };
    Ok(match x.is_in_lanes() {
        true => tape.record_lanes(batch, result, &[x], back),
        false => tape.record(result, &[x], back),
    })
}

/// What a blurring window sees along an axis of so many pixels; none if it does not fit.
fn taps(window: &Window, size: usize) -> Option<Taps> {
    let before = window.padding[0];
    if window.padding.iter().any(|padding| *padding >= size) {
        return None;
    }
    let weights = binomial(window.kernel);
    let position = |position: usize| {
        let mut seen: Vec<(usize, f32)> = Vec::with_capacity(weights.len());
        for (tap, weight) in weights.iter().enumerate() {
            let place = (position * window.stride + tap).abs_diff(before);
            let place = if place < size { place } else { 2 * (size - 1) - place };
            match seen.iter_mut().find(|(other, _)| *other == place) {
                Some((_, sum)) => *sum += weight,
                None => seen.push((place, *weight)),
            }
        }
        seen
    };
    Some((0..window.out(size)?).map(position).collect())
}

/// A row of Pascal's triangle with so many numbers, over their sum.
pub fn binomial(count: usize) -> Vec<f32> {
    let mut row = vec![1.0f64];
    while row.len() < count {
        let mut next = vec![1.0; row.len() + 1];
        (1..row.len()).for_each(|at| next[at] = row[at - 1] + row[at]);
        row = next;
    }
    let sum: f64 = row.iter().sum();
    row.iter().map(|number| (number / sum) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, in_its_order};
    use super::*;

    #[test]
    fn weights_are_rows_of_pascals_triangle() {
        assert_eq!(binomial(1), [1.0]);
        assert_eq!(binomial(3), [0.25, 0.5, 0.25]);
        assert_eq!(binomial(5), [0.0625, 0.25, 0.375, 0.25, 0.0625]);
    }

    #[test]
    fn it_has_the_gradient_of_finite_differences_in_both_orders() {
        let window = |kernel, stride, padding: usize| Window {
            kernel,
            stride,
            padding: [padding; 2],
            dilation: 1,
        };
        for (batch, size, windows) in [
            (2, [5, 4], [window(3, 2, 1); 2]),
            (9, [3, 4], [window(3, 2, 1); 2]),
            (2, [4, 5], [window(2, 1, 0), window(5, 3, 3)]),
            (9, [2, 3], [window(4, 1, 1), window(1, 2, 0)]),
        ] {
            check(&[&[batch, 2, size[0], size[1]]], |tape, v| {
                let x = in_its_order(tape, &v[0])?;
                blur_pool2d(tape, &x, windows)
            });
        }
    }

    #[test]
    fn maps_that_are_too_small_to_be_mirrored_are_an_error() {
        let mut tape = Tape::inference();
        let x = tape.leaf(&tensor(vec![0.0; 4], (1, 1, 2, 2)).unwrap(), false);
        let window = Window { kernel: 5, stride: 1, padding: [2; 2], dilation: 1 };
        assert!(blur_pool2d(&mut tape, &x, [window; 2]).is_err());
    }
}
