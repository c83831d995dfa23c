//! Group normalisation (Wu and He, 2018): each image over groups of its channels. With one group for each
//! channel it is instance normalisation (Ulyanov et al., 2016).

use candle_core::Result;
use rayon::prelude::*;

use super::device;
use super::lanes::{LANES, Pixel};
use super::per_image::{Maps, change};
use super::tape::{Gradient, Tape, Value, numbers, tensor};

/// `(x − mean) / √(variance + eps) · gamma + beta`, mean and variance over `groups` groups of channels of each
/// image.
///
/// # Shapes
/// x `[batch, channels, …]`, gamma and beta `[channels]`; the result has the shape of x.
///
/// # Errors
/// If the shapes are others, or the groups do not divide the channels.
pub fn group_norm(
    tape: &mut Tape,
    x: &Value,
    gamma: &Value,
    beta: &Value,
    groups: usize,
    eps: f64,
) -> Result<Value> {
    let maps = Maps::with_affine(x, gamma, beta)?;
    if groups == 0 || !maps.channels.is_multiple_of(groups) {
        candle_core::bail!("{groups} groups do not divide {} channels", maps.channels);
    }
    if tape.is_by_candle() {
        return device::norm::group_norm(tape, x, gamma, beta, groups, eps);
    }
    let each = maps.channels / groups;
    let (run, count) = (each * maps.numbers, (each * maps.pixels) as f64);
    let mut result = numbers(x.tensor())?.to_vec();
    // Of each group of each image, mean and 1 / √(variance + eps).
    let mut moments = vec![[[0.0f32; LANES]; 2]; result.len() / run.max(1)];
    {
        let (gamma, beta) = (numbers(gamma.tensor())?, numbers(beta.tensor())?);
        let all = result.par_chunks_mut(run.max(1)).zip(&mut moments).enumerate();
        all.for_each(|(index, (x, moments))| {
            let first = index % groups * each;
            *moments = moments_of(&maps, x, count, eps);
            let [mean, inverse] = *moments;
            for (map, channel) in x.chunks_mut(maps.numbers.max(1)).zip(first..) {
                let (gamma, beta) = (gamma[channel], beta[channel]);
                let scale = inverse.map(|inverse| inverse * gamma);
                affine(map, &mean, &scale, beta);
            }
        });
    }
    let result = tensor(result, x.tensor().shape())?;
    let (kept_x, kept_gamma) = (x.tensor().clone(), gamma.tensor().clone());
    Ok(tape.record_like(x, result, &[x, gamma, beta], move |mut gradient: Gradient, wanted| {
        let (x, gamma) = (numbers(&kept_x)?, numbers(&kept_gamma)?);
        let runs = maps.piece() / run.max(1);
        let sums = maps.each_piece(&mut gradient, &x, |piece, gradient, x| {
            let mut for_affine = vec![0.0f64; 2 * maps.channels];
            let all = gradient.chunks_mut(run.max(1)).zip(x.chunks(run.max(1))).enumerate();
            for (index, (gradient, x)) in all {
                let first = index % groups * each;
                let [mean, inverse] = moments[piece * runs + index];
                // Over the group: the sums of g · gamma, and of that · normalised x.
                let mut totals = [[0.0f64; LANES]; 2];
                let channels =
                    gradient.chunks(maps.numbers).zip(x.chunks(maps.numbers)).zip(first..);
                for ((gradient, x), channel) in channels {
                    let sums = maps.two_sums(
                        gradient,
                        x,
                        #[inline(always)]
                        |lane, g, x| [g, g * ((x - mean[lane]) * inverse[lane])],
                    );
                    for_affine[channel] += maps.over_images(&sums[1]);
                    for_affine[maps.channels + channel] += maps.over_images(&sums[0]);
                    let gamma = f64::from(gamma[channel]);
                    for (totals, sums) in totals.iter_mut().zip(&sums) {
                        totals.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum * gamma);
                    }
                }
                let [sum, product] =
                    totals.map(|totals| totals.map(|total| (total / count) as f32));
                let channels =
                    gradient.chunks_mut(maps.numbers).zip(x.chunks(maps.numbers)).zip(first..);
                for ((gradient, x), channel) in channels {
                    let gamma = gamma[channel];
                    change(
                        gradient,
                        x,
                        #[inline(always)]
                        |lane, g, x| {
                            let normal = (x - mean[lane]) * inverse[lane];
                            inverse[lane] * (g * gamma - sum[lane] - normal * product[lane])
                        },
                    );
                }
            }
            for_affine
        });
        Ok(maps.gradients(gradient, sums, wanted))
    }))
}

/// Mean and 1 / √(variance + eps) of a run. Sums are taken of differences from the first pixel, so that a large
/// mean does not swallow the variance.
fn moments_of(maps: &Maps, x: &[f32], count: f64, eps: f64) -> [Pixel; 2] {
    let mut origin = [x.first().copied().unwrap_or(0.0); LANES];
    if maps.in_lanes {
        origin.copy_from_slice(&x[..LANES]);
    }
    let sums = maps.two_sums(
        x,
        x,
        #[inline(always)]
        |lane, x, _| [x - origin[lane], (x - origin[lane]) * (x - origin[lane])],
    );
    let mut moments = [[0.0; LANES]; 2];
    for lane in 0..LANES {
        let mean = sums[0][lane] / count;
        let variance = (sums[1][lane] / count - mean * mean).max(0.0);
        moments[0][lane] = (mean + f64::from(origin[lane])) as f32;
        moments[1][lane] = (1.0 / (variance + eps).sqrt()) as f32;
    }
    moments
}

/// `(x − mean) · scale + shift` in place.
fn affine(map: &mut [f32], mean: &Pixel, scale: &Pixel, shift: f32) {
    super::simd::dispatch(
        #[inline(always)]
        || {
            let (whole, rest) = map.as_chunks_mut::<LANES>();
            for pixel in whole {
                for lane in 0..LANES {
                    pixel[lane] = (pixel[lane] - mean[lane]) * scale[lane] + shift;
                }
            }
            for (lane, x) in rest.iter_mut().enumerate() {
                *x = (*x - mean[lane]) * scale[lane] + shift;
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, in_its_order};
    use super::*;

    #[test]
    fn it_has_the_gradient_of_finite_differences_in_both_orders() {
        for (shape, groups) in
            [(&[4, 6][..], 2), (&[2, 4, 3, 2], 1), (&[2, 4, 3, 3], 4), (&[9, 4, 2, 1], 2)]
        {
            let channels = shape[1];
            check(&[shape, &[channels], &[channels]], |tape, v| {
                let x = in_its_order(tape, &v[0])?;
                group_norm(tape, &x, &v[1], &v[2], groups, 1e-2)
            });
        }
    }
}
