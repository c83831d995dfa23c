//! Responses of channels beside each other: local (Krizhevsky et al., 2012) and global (Woo et al., 2023)
//! response normalisation.

use candle_core::Result;
use rayon::prelude::*;

use super::device;
use super::lanes::LANES;
use super::per_image::{Maps, change};
use super::tape::{Gradient, Tape, Value, numbers, tensor};

/// The numbers of a local response normalisation.
#[derive(Clone, Copy, Debug)]
pub struct LocalResponse {
    /// Channels of a sum.
    pub size: usize,
    /// Factor on the mean of squares.
    pub alpha: f64,
    /// Exponent.
    pub beta: f64,
    /// Added before.
    pub k: f64,
}

impl LocalResponse {
    /// The channels whose squares are added for `channel`: as many before as behind, one more before if they are
    /// even in number. Beyond the ends there are zeros, which count in the mean.
    pub(super) fn window(&self, channel: usize, channels: usize) -> std::ops::Range<usize> {
        let first = channel.saturating_sub(self.size / 2);
        first..channels.min(channel + self.size.div_ceil(2))
    }
}

/// `x / (k + alpha / size · Σ x²)^beta`, the sum over the channels around each one, as PyTorch's
/// `local_response_norm`.
///
/// # Shapes
/// x `[batch, channels, height, width]`, and so the result.
///
/// # Errors
/// If x has no channels.
pub fn local_response_norm(tape: &mut Tape, x: &Value, settings: LocalResponse) -> Result<Value> {
    let maps = Maps::of(x)?;
    if tape.is_by_candle() {
        return device::norm::local_response_norm(tape, x, settings);
    }
    let mut result = numbers(x.tensor())?.to_vec();
    // k + alpha / size · Σ x² of each number.
    let mut sums = vec![0.0f32; result.len()];
    {
        let x = numbers(x.tensor())?;
        let images = result.par_chunks_mut(maps.group()).zip(sums.par_chunks_mut(maps.group()));
        images.zip(x.par_chunks(maps.group())).for_each(|((result, sums), x)| {
            sums.fill(settings.k as f32);
            let share = (settings.alpha / settings.size as f64) as f32;
            around(&maps, settings, sums, |place| share * x[place] * x[place]);
            let beta = -settings.beta as f32;
            result.iter_mut().zip(sums).for_each(|(x, sum)| *x *= libm::powf(*sum, beta));
        });
    }
    let result = tensor(result, x.tensor().shape())?;
    let kept_x = x.tensor().clone();
    Ok(tape.record_like(x, result, &[x], move |mut gradient: Gradient, _| {
        let x = numbers(&kept_x)?;
        let images = gradient.par_chunks_mut(maps.group()).zip(x.par_chunks(maps.group()));
        images.zip(sums.par_chunks(maps.group())).for_each(|((gradient, x), sums)| {
            let beta = settings.beta as f32;
            // Of each number, g · x · sum^(−beta − 1), to be added up over those whose sums it is in.
            let shares: Vec<f32> = (0..x.len())
                .map(|at| gradient[at] * x[at] * libm::powf(sums[at], -beta - 1.0))
                .collect();
            let mut totals = vec![0.0f32; x.len()];
            for channel in 0..maps.channels {
                for other in settings.window(channel, maps.channels) {
                    let from = &shares[channel * maps.numbers..][..maps.numbers];
                    let into = &mut totals[other * maps.numbers..][..maps.numbers];
                    into.iter_mut().zip(from).for_each(|(total, share)| *total += share);
                }
            }
            let factor = (2.0 * settings.alpha * settings.beta / settings.size as f64) as f32;
            for (at, gradient) in gradient.iter_mut().enumerate() {
                let own = *gradient * libm::powf(sums[at], -beta);
                *gradient = own - factor * x[at] * totals[at];
            }
        });
        Ok(vec![Some(gradient)])
    }))
}

/// Adds to each number of `sums` what `term` gives for the same pixel of the channels around it.
fn around(maps: &Maps, settings: LocalResponse, sums: &mut [f32], term: impl Fn(usize) -> f32) {
    for channel in 0..maps.channels {
        for other in settings.window(channel, maps.channels) {
            let into = &mut sums[channel * maps.numbers..][..maps.numbers];
            let from = other * maps.numbers;
            into.iter_mut().enumerate().for_each(|(at, sum)| *sum += term(from + at));
        }
    }
}

/// `x + gamma · x · n + beta`, where n is the 2-norm of a channel of an image over the mean of those of all its
/// channels, plus eps.
///
/// # Shapes
/// x `[batch, channels, height, width]`, gamma and beta `[channels]`; the result has the shape of x.
///
/// # Errors
/// If the shapes are others.
pub fn global_response_norm(
    tape: &mut Tape,
    x: &Value,
    gamma: &Value,
    beta: &Value,
    eps: f64,
) -> Result<Value> {
    let maps = Maps::with_affine(x, gamma, beta)?;
    if tape.is_by_candle() {
        return device::norm::global_response_norm(tape, x, gamma, beta, eps);
    }
    let channels = maps.channels as f64;
    let mut result = numbers(x.tensor())?.to_vec();
    // Of each image and channel the 2-norm, and of each image their mean, plus eps.
    let norms: Vec<(Vec<[f64; LANES]>, [f64; LANES])> = {
        let (gamma, beta) = (numbers(gamma.tensor())?, numbers(beta.tensor())?);
        let images = result.par_chunks_mut(maps.group());
        images
            .map(|image| {
                let norms: Vec<[f64; LANES]> = image
                    .chunks(maps.numbers.max(1))
                    .map(|map| maps.two_sums(map, map, |_, x, _| [x * x, 0.0])[0].map(f64::sqrt))
                    .collect();
                let mut mean = [eps; LANES];
                for norm in &norms {
                    mean.iter_mut().zip(norm).for_each(|(mean, norm)| *mean += norm / channels);
                }
                for (channel, map) in image.chunks_mut(maps.numbers.max(1)).enumerate() {
                    let (gamma, beta) = (gamma[channel], beta[channel]);
                    let mut factors = [0.0f32; LANES];
                    for lane in 0..LANES {
                        let share = norms[channel][lane] / mean[lane];
                        factors[lane] = (1.0 + f64::from(gamma) * share) as f32;
                    }
                    for pixel in map.chunks_mut(LANES) {
                        pixel.iter_mut().zip(&factors).for_each(|(x, f)| *x = *x * f + beta);
                    }
                }
                (norms, mean)
            })
            .collect()
    };
    let result = tensor(result, x.tensor().shape())?;
    let (kept_x, kept_gamma) = (x.tensor().clone(), gamma.tensor().clone());
    Ok(tape.record_like(x, result, &[x, gamma, beta], move |mut gradient: Gradient, wanted| {
        let (x, gamma) = (numbers(&kept_x)?, numbers(&kept_gamma)?);
        let images = maps.piece() / maps.group();
        let sums = maps.each_piece(&mut gradient, &x, |piece, gradient, x| {
            let mut for_affine = vec![0.0f64; 2 * maps.channels];
            let all = gradient.chunks_mut(maps.group()).zip(x.chunks(maps.group())).enumerate();
            for (index, (gradient, x)) in all {
                let (norms, mean) = &norms[piece * images + index];
                // Of each channel the gradient of its n, and over all channels Σ that · norm.
                let mut of_shares = Vec::with_capacity(maps.channels);
                let mut total = [0.0f64; LANES];
                let maps_of = gradient.chunks(maps.numbers).zip(x.chunks(maps.numbers));
                for (channel, (gradient, x)) in maps_of.enumerate() {
                    let [sum, product] = maps.two_sums(gradient, x, |_, g, x| [g, g * x]);
                    let mut scaled = [0.0; LANES];
                    for lane in 0..LANES {
                        scaled[lane] = product[lane] * norms[channel][lane] / mean[lane];
                    }
                    for_affine[channel] += maps.over_images(&scaled);
                    for_affine[maps.channels + channel] += maps.over_images(&sum);
                    let of_share = product.map(|product| product * f64::from(gamma[channel]));
                    for lane in 0..LANES {
                        total[lane] += of_share[lane] * norms[channel][lane];
                    }
                    of_shares.push(of_share);
                }
                let maps_of = gradient.chunks_mut(maps.numbers).zip(x.chunks(maps.numbers));
                for (channel, (gradient, x)) in maps_of.enumerate() {
                    let (mut own, mut through) = ([0.0f32; LANES], [0.0f32; LANES]);
                    for lane in 0..LANES {
                        let (norm, mean) = (norms[channel][lane], mean[lane]);
                        own[lane] = (1.0 + f64::from(gamma[channel]) * norm / mean) as f32;
                        let of_norm = of_shares[channel][lane] / mean
                            - total[lane] / (mean * mean * channels);
                        through[lane] = if norm > 0.0 { (of_norm / norm) as f32 } else { 0.0 };
                    }
                    change(
                        gradient,
                        x,
                        #[inline(always)]
                        |lane, g, x| g * own[lane] + x * through[lane],
                    );
                }
            }
            for_affine
        });
        Ok(maps.gradients(gradient, sums, wanted))
    }))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, in_its_order};
    use super::*;

    #[test]
    fn local_ones_have_the_gradient_of_finite_differences_in_both_orders() {
        for (batch, size) in [(2, 5), (2, 2), (9, 3)] {
            let settings = LocalResponse { size, alpha: 0.5, beta: 0.75, k: 1.0 };
            check(&[&[batch, 6, 2, 1]], |tape, v| {
                let x = in_its_order(tape, &v[0])?;
                local_response_norm(tape, &x, settings)
            });
        }
    }

    #[test]
    fn global_ones_have_the_gradient_of_finite_differences_in_both_orders() {
        for batch in [2, 9] {
            check(&[&[batch, 3, 3, 2], &[3], &[3]], |tape, v| {
                let x = in_its_order(tape, &v[0])?;
                global_response_norm(tape, &x, &v[1], &v[2], 1e-3)
            });
        }
    }
}
