//! Batch normalisation (Ioffe and Szegedy, 2015).

use candle_core::Result;
use rayon::prelude::*;

use super::IMAGES_PER_PIECE;
use super::activation::Activation;
use super::buffer::Buffer;
use super::device;
use super::lanes::{LANES, overwritten};
use super::simd::vectorised;
use super::tape::{Gradient, Tape, Value, numbers, tensor};

/// What a batch says about its channels.
#[derive(Clone, Debug)]
pub struct BatchStatistics {
    /// Mean per channel.
    pub mean: Buffer,
    /// Variance per channel with n − 1 in the denominator (n, if n is 1), for running averages.
    pub unbiased_variance: Buffer,
}

/// Where mean and variance come from.
#[derive(Clone, Copy, Debug)]
pub enum Statistics<'a> {
    /// From the batch itself: training.
    Batch,
    /// From running averages: evaluation, and frozen layers.
    Running {
        /// `[channels]`.
        mean: &'a Buffer,
        /// `[channels]`.
        variance: &'a Buffer,
    },
}

/// `activation((x − mean) / √(variance + eps) · gamma + beta)`, and the batch's statistics if they
/// were used.
///
/// # Shapes
/// x `[batch, channels, …]`, gamma and beta `[channels]`; the result has the shape of x. The
/// activation has to be [known by its result](Activation::is_known_by_result).
pub fn batch_norm(
    tape: &mut Tape,
    x: &Value,
    gamma: &Value,
    beta: &Value,
    eps: f64,
    statistics: Statistics,
    activation: Option<Activation>,
) -> Result<(Value, Option<BatchStatistics>)> {
    let [batch, channels, rest @ ..] = x.dims() else {
        candle_core::bail!("batch norm needs [batch, channels, …], found {:?}", x.dims());
    };
    if tape.is_by_candle() {
        return device::norm::batch_norm(tape, x, gamma, beta, eps, statistics, activation);
    }
    let pixels = rest.iter().product::<usize>();
    let count = (batch * pixels) as f64;
    let layout = if x.is_in_lanes() {
        let odd = (batch % LANES != 0).then_some(batch % LANES);
        Layout { channels: *channels, pixels: pixels * LANES, images: 1, odd }
    } else {
        Layout { channels: *channels, pixels, images: IMAGES_PER_PIECE, odd: None }
    };
    let from_batch = matches!(statistics, Statistics::Batch);
    let (mean, inverse, found) = {
        let x = numbers(x.tensor())?;
        let (mean, variance): (Vec<f64>, Vec<f64>) = match statistics {
            Statistics::Batch => layout.moments(&x, count),
            Statistics::Running { mean, variance } => (
                mean.numbers()?.into_iter().map(f64::from).collect(),
                variance.numbers()?.into_iter().map(f64::from).collect(),
            ),
        };
        let found = from_batch.then(|| BatchStatistics {
            mean: Buffer::Host(mean.iter().map(|mean| *mean as f32).collect()),
            unbiased_variance: Buffer::Host(
                variance
                    .iter()
                    .map(|variance| (variance * count / (count - 1.0).max(1.0)) as f32)
                    .collect(),
            ),
        });
        let inverse: Vec<f64> =
            variance.iter().map(|variance| 1.0 / (variance + eps).sqrt()).collect();
        (mean, inverse, found)
    };
    let mut result = overwritten(x.tensor().elem_count());
    {
        let x = numbers(x.tensor())?;
        let (gamma, beta) = (numbers(gamma.tensor())?, numbers(beta.tensor())?);
        // (x − mean) · inverse · gamma + beta is one product and one sum.
        let scale: Vec<f32> =
            (0..*channels).map(|c| (f64::from(gamma[c]) * inverse[c]) as f32).collect();
        let shift: Vec<f32> = (0..*channels)
            .map(|c| (f64::from(beta[c]) - mean[c] * inverse[c] * f64::from(gamma[c])) as f32)
            .collect();
        result.par_chunks_mut(layout.piece()).zip(x.par_chunks(layout.piece())).for_each(
            |(piece, x)| {
                let mut maps = x.chunks(layout.pixels);
                layout.each_map_mut(piece, |c, map| {
                    let Some(x) = maps.next() else { return };
                    let (scale, shift) = (scale[c], shift[c]);
                    let pairs = map.iter_mut().zip(x);
                    vectorised(
                        #[inline(always)]
                        || {
                            if activation == Some(Activation::Relu) {
                                pairs.for_each(|(y, x)| {
                                    let value = *x * scale + shift;
                                    *y = if value < 0.0 { 0.0 } else { value };
                                });
                            } else {
                                pairs.for_each(|(y, x)| *y = *x * scale + shift);
                            }
                        },
                    );
                    if let Some(activation) = activation.filter(|a| *a != Activation::Relu) {
                        activation.apply_in_place(map);
                    }
                });
            },
        );
    }
    let result = tensor(result, x.tensor().shape())?;
    let (kept_x, kept_gamma) = (x.tensor().clone(), gamma.tensor().clone());
    let activation = activation.map(|activation| (activation, result.clone()));
    let value =
        tape.record_like(x, result, &[x, gamma, beta], move |mut gradient: Gradient, wanted| {
            let (x, gamma) = (numbers(&kept_x)?, numbers(&kept_gamma)?);
            if let Some((activation, kept)) = activation {
                let kept = numbers(&kept)?;
                gradient
                    .par_chunks_mut(layout.piece())
                    .zip(kept.par_chunks(layout.piece()))
                    .for_each(|(gradient, kept)| activation.back_in_place(gradient, kept));
            }
            // Per channel: the sum of the gradient, and of gradient · normalised x.
            let (sums, products) = layout.products(&gradient, &x, &mean);
            let products: Vec<f64> =
                products.iter().zip(&inverse).map(|(sum, inv)| sum * inv).collect();
            let as_f32 = |sums: &[f64]| sums.iter().map(|sum| *sum as f32).collect::<Vec<f32>>();
            let for_gamma = wanted[1].then(|| as_f32(&products));
            let for_beta = wanted[2].then(|| as_f32(&sums));
            if !wanted[0] {
                return Ok(vec![None, for_gamma, for_beta]);
            }
            // dx = γ·inv · (g − mean(g) − x̂ · mean(g·x̂)), written as g·a + x·b + c per channel.
            let terms: Vec<[f32; 3]> = (0..layout.channels)
                .map(|c| {
                    let a = f64::from(gamma[c]) * inverse[c];
                    if !from_batch {
                        return [a as f32, 0.0, 0.0];
                    }
                    let b = -a * inverse[c] * products[c] / count;
                    let c0 = -a * sums[c] / count - b * mean[c];
                    [a as f32, b as f32, c0 as f32]
                })
                .collect();
            gradient.par_chunks_mut(layout.piece()).zip(x.par_chunks(layout.piece())).for_each(
                |(gradient, x)| {
                    let mut maps = x.chunks(layout.pixels.max(1));
                    layout.each_map_mut(gradient, |channel, gradient| {
                        let Some(x) = maps.next() else { return };
                        let [a, b, c] = terms[channel];
                        vectorised(
                            #[inline(always)]
                            || {
                                gradient
                                    .iter_mut()
                                    .zip(x)
                                    .for_each(|(g, x)| *g = *g * a + (*x * b + c));
                            },
                        );
                    });
                },
            );
            layout.clear_unused(&mut gradient);
            Ok(vec![Some(gradient), for_gamma, for_beta])
        });
    Ok((value, found))
}

/// How channels lie in memory.
#[derive(Clone, Copy)]
struct Layout {
    channels: usize,
    /// Numbers in one map.
    pixels: usize,
    /// Images, or blocks of them in lanes, in one piece.
    images: usize,
    /// Images in the last block, if they do not fill it.
    odd: Option<usize>,
}

impl Layout {
    fn piece(&self) -> usize {
        (self.images * self.channels * self.pixels).max(1)
    }

    /// Sets lanes without image to 0, in a gradient.
    fn clear_unused(&self, gradient: &mut [f32]) {
        if let Some(odd) = self.odd {
            let last = gradient.len() - self.channels * self.pixels;
            for pixel in gradient[last..].chunks_mut(LANES) {
                pixel[odd..].fill(0.0);
            }
        }
    }

    fn each_map_mut(&self, piece: &mut [f32], mut visit: impl FnMut(usize, &mut [f32])) {
        for (index, map) in piece.chunks_mut(self.pixels).enumerate() {
            visit(index % self.channels, map);
        }
    }

    /// Sums per channel over pieces of images, pieces added in order. `sum` adds up one map.
    fn reduce(
        &self,
        pieces: usize,
        sum: impl Fn(usize, usize) -> [f64; 2] + Sync,
        maps_of: impl Fn(usize) -> usize + Sync,
    ) -> (Vec<f64>, Vec<f64>) {
        let partial: Vec<(Vec<f64>, Vec<f64>)> = (0..pieces)
            .into_par_iter()
            .map(|piece| {
                let mut sums = (vec![0.0; self.channels], vec![0.0; self.channels]);
                for map in 0..maps_of(piece) {
                    let channel = map % self.channels;
                    let [first, second] = sum(piece, map);
                    sums.0[channel] += first;
                    sums.1[channel] += second;
                }
                sums
            })
            .collect();
        let mut total = (vec![0.0; self.channels], vec![0.0; self.channels]);
        for (first, second) in partial {
            total.0.iter_mut().zip(first).for_each(|(sum, more)| *sum += more);
            total.1.iter_mut().zip(second).for_each(|(sum, more)| *sum += more);
        }
        total
    }

    /// Mean and (biased) variance per channel. Sums are taken of differences from the first pixel
    /// of each channel, so that a large mean does not swallow the variance.
    fn moments(&self, x: &[f32], count: f64) -> (Vec<f64>, Vec<f64>) {
        let origin: Vec<f32> =
            (0..self.channels).map(|c| x.get(c * self.pixels).copied().unwrap_or(0.0)).collect();
        let piece = self.piece();
        let pieces = x.len().div_ceil(piece);
        let (sums, squares) = self.reduce(
            pieces,
            |index, map| {
                let start = index * piece + map * self.pixels;
                let origin = origin[map % self.channels];
                let mut map = &x[start..start + self.pixels];
                let used: Vec<f32>;
                if let Some(odd) = self.odd.filter(|_| index + 1 == pieces) {
                    let pixels = map.chunks(LANES).flat_map(|pixel| &pixel[..odd]);
                    used = pixels.copied().collect();
                    map = &used;
                }
                two_sums(
                    map,
                    map,
                    #[inline(always)]
                    |x, _| [x - origin, (x - origin) * (x - origin)],
                )
            },
            |index| (x.len() - index * piece).min(piece) / self.pixels.max(1),
        );
        let mean: Vec<f64> = sums.iter().map(|sum| sum / count).collect();
        let variance = squares
            .iter()
            .zip(&mean)
            .map(|(square, mean)| (square / count - mean * mean).max(0.0))
            .collect();
        let mean = mean.iter().zip(&origin).map(|(mean, origin)| mean + f64::from(*origin));
        (mean.collect(), variance)
    }

    /// Per channel Σ g and Σ g · (x − mean).
    fn products(&self, gradient: &[f32], x: &[f32], mean: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let piece = self.piece();
        self.reduce(
            x.len().div_ceil(piece),
            |index, map| {
                let start = index * piece + map * self.pixels;
                let range = start..start + self.pixels;
                let mean = mean[map % self.channels] as f32;
                two_sums(
                    &gradient[range.clone()],
                    &x[range],
                    #[inline(always)]
                    |g, x| [g, g * (x - mean)],
                )
            },
            |index| (x.len() - index * piece).min(piece) / self.pixels.max(1),
        )
    }
}

/// Pixels whose terms are added in f32, per lane, before the sum goes on in f64.
const SHORT: usize = 32;

/// Two sums over a map in sixteen lanes, in an order that depends on its length alone.
#[inline(always)]
fn two_sums(values: &[f32], others: &[f32], term: impl Fn(f32, f32) -> [f32; 2]) -> [f64; 2] {
    vectorised(
        #[inline(always)]
        || {
            let mut totals = [[0.0f64; LANES]; 2];
            for (values, others) in values.chunks(SHORT * LANES).zip(others.chunks(SHORT * LANES)) {
                let (whole, rest) = values.as_chunks::<LANES>();
                let (other_whole, other_rest) = others.as_chunks::<LANES>();
                let mut sums = [[0.0f32; LANES]; 2];
                for (values, others) in whole.iter().zip(other_whole) {
                    for lane in 0..LANES {
                        let [first, second] = term(values[lane], others[lane]);
                        sums[0][lane] += first;
                        sums[1][lane] += second;
                    }
                }
                for (lane, (value, other)) in rest.iter().zip(other_rest).enumerate() {
                    let [first, second] = term(*value, *other);
                    sums[0][lane] += first;
                    sums[1][lane] += second;
                }
                for lane in 0..LANES {
                    totals[0][lane] += f64::from(sums[0][lane]);
                    totals[1][lane] += f64::from(sums[1][lane]);
                }
            }
            [totals[0].iter().sum(), totals[1].iter().sum()]
        },
    )
}
