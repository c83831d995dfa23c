//! Batch normalisation (Ioffe and Szegedy, 2015).

use candle_core::Result;
use rayon::prelude::*;

use super::IMAGES_PER_PIECE;
use super::activation::Activation;
use super::tape::{Gradient, Tape, Value, numbers, tensor};

/// What a batch says about its channels.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchStatistics {
    /// Mean per channel.
    pub mean: Vec<f32>,
    /// Variance per channel with n − 1 in the denominator (n, if n is 1), for running averages.
    pub unbiased_variance: Vec<f32>,
}

/// Where mean and variance come from.
#[derive(Clone, Copy, Debug)]
pub enum Statistics<'a> {
    /// From the batch itself: training.
    Batch,
    /// From running averages: evaluation, and frozen layers.
    Running {
        /// `[channels]`.
        mean: &'a [f32],
        /// `[channels]`.
        variance: &'a [f32],
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
    let layout = Layout { channels: *channels, pixels: rest.iter().product() };
    let count = (batch * layout.pixels) as f64;
    let from_batch = matches!(statistics, Statistics::Batch);
    let (mean, inverse, found) = {
        let x = numbers(x.tensor())?;
        let (mean, variance): (Vec<f64>, Vec<f64>) = match statistics {
            Statistics::Batch => layout.moments(&x, count),
            Statistics::Running { mean, variance } => (
                mean.iter().map(|mean| f64::from(*mean)).collect(),
                variance.iter().map(|variance| f64::from(*variance)).collect(),
            ),
        };
        let found = from_batch.then(|| BatchStatistics {
            mean: mean.iter().map(|mean| *mean as f32).collect(),
            unbiased_variance: variance
                .iter()
                .map(|variance| (variance * count / (count - 1.0).max(1.0)) as f32)
                .collect(),
        });
        let inverse: Vec<f64> =
            variance.iter().map(|variance| 1.0 / (variance + eps).sqrt()).collect();
        (mean, inverse, found)
    };
    let mut result = numbers(x.tensor())?.to_vec();
    {
        let (gamma, beta) = (numbers(gamma.tensor())?, numbers(beta.tensor())?);
        // (x − mean) · inverse · gamma + beta is one product and one sum.
        let scale: Vec<f32> =
            (0..*channels).map(|c| (f64::from(gamma[c]) * inverse[c]) as f32).collect();
        let shift: Vec<f32> = (0..*channels)
            .map(|c| (f64::from(beta[c]) - mean[c] * inverse[c] * f64::from(gamma[c])) as f32)
            .collect();
        result.par_chunks_mut(layout.piece()).for_each(|piece| {
            layout.each_map_mut(piece, |c, map| {
                pulp::Arch::new().dispatch(|| {
                    map.iter_mut().for_each(|x| *x = *x * scale[c] + shift[c]);
                });
            });
            if let Some(activation) = activation {
                activation.apply_in_place(piece);
            }
        });
    }
    let result = tensor(result, x.tensor().shape())?;
    let (kept_x, kept_gamma, kept) = (x.tensor().clone(), gamma.tensor().clone(), result.clone());
    let value = tape.record(result, &[x, gamma, beta], move |mut gradient: Gradient, wanted| {
        let (x, gamma) = (numbers(&kept_x)?, numbers(&kept_gamma)?);
        if let Some(activation) = activation {
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
                    pulp::Arch::new().dispatch(|| {
                        gradient.iter_mut().zip(x).for_each(|(g, x)| *g = *g * a + (*x * b + c));
                    });
                });
            },
        );
        Ok(vec![Some(gradient), for_gamma, for_beta])
    });
    Ok((value, found))
}

/// How channels lie in memory.
#[derive(Clone, Copy)]
struct Layout {
    channels: usize,
    pixels: usize,
}

impl Layout {
    fn piece(&self) -> usize {
        IMAGES_PER_PIECE * self.channels * self.pixels
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
        let origin: Vec<f64> = (0..self.channels)
            .map(|c| x.get(c * self.pixels).map_or(0.0, |x| f64::from(*x)))
            .collect();
        let piece = self.piece();
        let (sums, squares) = self.reduce(
            x.len().div_ceil(piece.max(1)),
            |index, map| {
                let start = index * piece + map * self.pixels;
                let origin = origin[map % self.channels];
                lanes(
                    &x[start..start + self.pixels],
                    |x, _| {
                        let x = f64::from(x) - origin;
                        [x, x * x]
                    },
                    &[],
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
        (mean.iter().zip(&origin).map(|(mean, origin)| mean + origin).collect(), variance)
    }

    /// Per channel Σ g and Σ g · (x − mean).
    fn products(&self, gradient: &[f32], x: &[f32], mean: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let piece = self.piece();
        self.reduce(
            x.len().div_ceil(piece.max(1)),
            |index, map| {
                let start = index * piece + map * self.pixels;
                let range = start..start + self.pixels;
                let mean = mean[map % self.channels];
                lanes(
                    &gradient[range.clone()],
                    |g, x| {
                        let g = f64::from(g);
                        [g, g * (f64::from(x) - mean)]
                    },
                    &x[range],
                )
            },
            |index| (x.len() - index * piece).min(piece) / self.pixels.max(1),
        )
    }
}

/// Two sums over a map in eight lanes, in an order that depends on its length alone. The second
/// slice may be empty.
#[inline(always)]
fn lanes(values: &[f32], term: impl Fn(f32, f32) -> [f64; 2], others: &[f32]) -> [f64; 2] {
    pulp::Arch::new().dispatch(|| {
        let mut sums = [[0.0f64; 8]; 2];
        let (chunks, rest) = values.as_chunks::<8>();
        let (other_chunks, other_rest) = others.as_chunks::<8>();
        if others.is_empty() {
            for chunk in chunks {
                for lane in 0..8 {
                    let [first, second] = term(chunk[lane], 0.0);
                    sums[0][lane] += first;
                    sums[1][lane] += second;
                }
            }
        } else {
            for (chunk, other) in chunks.iter().zip(other_chunks) {
                for lane in 0..8 {
                    let [first, second] = term(chunk[lane], other[lane]);
                    sums[0][lane] += first;
                    sums[1][lane] += second;
                }
            }
        }
        let mut total = [sums[0].iter().sum::<f64>(), sums[1].iter().sum::<f64>()];
        for (index, value) in rest.iter().enumerate() {
            let [first, second] = term(*value, other_rest.get(index).copied().unwrap_or(0.0));
            total[0] += first;
            total[1] += second;
        }
        total
    })
}
