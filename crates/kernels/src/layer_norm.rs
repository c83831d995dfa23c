//! Layer normalisation (Ba et al., 2016) of each pixel over its channels.

use candle_core::Result;
use rayon::prelude::*;

use super::device;
use super::lanes::{LANES, sum_of};
use super::per_image::Maps;
use super::simd::dispatch;
use super::tape::{Gradient, Tape, Value, numbers, tensor};

/// Numbers of a map that are summed over all channels at once. Of some hundred channels, a cache holds so many.
const TILE: usize = 64;

/// Channels whose terms are added in f32 before the sum goes on in f64.
const SHORT: usize = 32;

/// `(x − mean) / √(variance + eps) · gamma + beta`, mean and variance over the channels of each pixel.
///
/// # Shapes
/// x `[batch, channels, …]`, gamma and beta `[channels]`; the result has the shape of x.
///
/// # Errors
/// If the shapes are others.
pub fn layer_norm(
    tape: &mut Tape,
    x: &Value,
    gamma: &Value,
    beta: &Value,
    eps: f64,
) -> Result<Value> {
    let maps = Maps::with_affine(x, gamma, beta)?;
    if tape.is_by_candle() {
        return device::norm::layer_norm(tape, x, gamma, beta, eps);
    }
    let mut result = numbers(x.tensor())?.to_vec();
    // Of each pixel, its mean and 1 / √(variance + eps).
    let groups = result.len() / maps.group();
    let mut moments = vec![[0.0f32; 2]; groups * maps.numbers];
    {
        let (gamma, beta) = (numbers(gamma.tensor())?, numbers(beta.tensor())?);
        let images = result.par_chunks_mut(maps.group());
        images.zip(moments.par_chunks_mut(maps.numbers.max(1))).for_each(|(image, moments)| {
            dispatch(
                #[inline(always)]
                || normalise(image, moments, &gamma, &beta, eps),
            );
        });
    }
    let result = tensor(result, x.tensor().shape())?;
    let (kept_x, kept_gamma) = (x.tensor().clone(), gamma.tensor().clone());
    Ok(tape.record_like(x, result, &[x, gamma, beta], move |mut gradient: Gradient, wanted| {
        let (x, gamma) = (numbers(&kept_x)?, numbers(&kept_gamma)?);
        let sums = maps.each_piece(&mut gradient, &x, |piece, gradient, x| {
            let mut sums = vec![0.0f64; 2 * maps.channels];
            let images = gradient.chunks_mut(maps.group()).zip(x.chunks(maps.group()));
            let first = piece * (maps.piece() / maps.group());
            for (index, (gradient, x)) in images.enumerate() {
                let moments = &moments[(first + index) * maps.numbers..][..maps.numbers];
                dispatch(
                    #[inline(always)]
                    || back(gradient, x, moments, &gamma, &mut sums),
                );
            }
            sums
        });
        Ok(maps.gradients(gradient, sums, wanted))
    }))
}

/// Sums over channels: `add` adds the terms of one channel. Sums are in f32 over some channels, then in f64.
#[inline(always)]
fn over_channels(
    channels: usize,
    width: usize,
    mut add: impl FnMut(usize, &mut [f32; TILE]),
) -> [f64; TILE] {
    let mut totals = [0.0f64; TILE];
    for first in (0..channels).step_by(SHORT) {
        let mut sums = [0.0f32; TILE];
        for channel in first..channels.min(first + SHORT) {
            add(channel, &mut sums);
        }
        for (total, sum) in totals[..width].iter_mut().zip(&sums[..width]) {
            *total += f64::from(*sum);
        }
    }
    totals
}

/// Normalises an image in place.
#[inline(always)]
fn normalise(image: &mut [f32], moments: &mut [[f32; 2]], gamma: &[f32], beta: &[f32], eps: f64) {
    let (channels, numbers) = (gamma.len(), moments.len());
    for start in (0..numbers).step_by(TILE) {
        let width = TILE.min(numbers - start);
        let sums = over_channels(channels, width, |channel, sums| {
            let row = &image[channel * numbers + start..][..width];
            sums[..width].iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        });
        let mean = sums.map(|sum| (sum / channels as f64) as f32);
        let squares = over_channels(channels, width, |channel, sums| {
            let row = &image[channel * numbers + start..][..width];
            let all = sums[..width].iter_mut().zip(row).zip(&mean[..width]);
            all.for_each(|((sum, x), mean)| *sum += (x - mean) * (x - mean));
        });
        let inverse = squares.map(|sum| (1.0 / (sum / channels as f64 + eps).sqrt()) as f32);
        for channel in 0..channels {
            let row = &mut image[channel * numbers + start..][..width];
            let (gamma, beta) = (gamma[channel], beta[channel]);
            let all = row.iter_mut().zip(&mean[..width]).zip(&inverse[..width]);
            all.for_each(|((x, mean), inverse)| *x = (*x - mean) * inverse * gamma + beta);
        }
        let tile = moments[start..start + width].iter_mut();
        tile.zip(mean.iter().zip(&inverse)).for_each(|(it, (mean, inv))| *it = [*mean, *inv]);
    }
}

/// From the gradient of the result to that of `x`, in place; adds those of gamma and beta to `sums`.
#[inline(always)]
fn back(
    gradient: &mut [f32],
    x: &[f32],
    moments: &[[f32; 2]],
    gamma: &[f32],
    for_affine: &mut [f64],
) {
    let (channels, numbers) = (gamma.len(), moments.len());
    for start in (0..numbers).step_by(TILE) {
        let width = TILE.min(numbers - start);
        let (mut mean, mut inverse) = ([0.0f32; TILE], [0.0f32; TILE]);
        for (place, [m, i]) in moments[start..start + width].iter().enumerate() {
            (mean[place], inverse[place]) = (*m, *i);
        }
        let (mut sums, mut products) = ([0.0f64; TILE], [0.0f64; TILE]);
        for first in (0..channels).step_by(SHORT) {
            let mut short = [[0.0f32; TILE]; 2];
            for channel in first..channels.min(first + SHORT) {
                let at = channel * numbers + start;
                let (g, x) = (&gradient[at..][..width], &x[at..][..width]);
                let gamma = gamma[channel];
                // Of gamma and beta: sixteen sums, then one.
                let mut own = [[0.0f32; LANES]; 2];
                let mut terms = [[0.0f32; TILE]; 2];
                for place in 0..width {
                    let normal = (x[place] - mean[place]) * inverse[place];
                    terms[0][place] = g[place];
                    terms[1][place] = g[place] * normal;
                }
                for place in 0..width {
                    short[0][place] += terms[0][place] * gamma;
                    short[1][place] += terms[1][place] * gamma;
                }
                for (own, terms) in own.iter_mut().zip(&terms) {
                    for terms in terms.as_chunks::<LANES>().0 {
                        own.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
                    }
                }
                for_affine[channel] += f64::from(sum_of(own[1]));
                for_affine[channels + channel] += f64::from(sum_of(own[0]));
            }
            for place in 0..width {
                sums[place] += f64::from(short[0][place]);
                products[place] += f64::from(short[1][place]);
            }
        }
        let sums = sums.map(|sum| (sum / channels as f64) as f32);
        let products = products.map(|sum| (sum / channels as f64) as f32);
        for channel in 0..channels {
            let at = channel * numbers + start;
            let (g, x) = (&mut gradient[at..][..width], &x[at..][..width]);
            let gamma = gamma[channel];
            for place in 0..width {
                let normal = (x[place] - mean[place]) * inverse[place];
                g[place] =
                    inverse[place] * (g[place] * gamma - sums[place] - normal * products[place]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, in_its_order};
    use super::*;

    #[test]
    fn it_has_the_gradient_of_finite_differences_in_both_orders() {
        for shape in [&[4, 5][..], &[2, 5, 3, 2], &[9, 3, 2, 1]] {
            let channels = shape[1];
            check(&[shape, &[channels], &[channels]], |tape, v| {
                let x = in_its_order(tape, &v[0])?;
                layer_norm(tape, &x, &v[1], &v[2], 1e-2)
            });
        }
    }
}
