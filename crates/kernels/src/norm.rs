//! Batch normalisation (Ioffe and Szegedy, 2015).

use std::mem::MaybeUninit;
use std::ops::Range;

use candle_core::Result;
use rayon::prelude::*;

use super::IMAGES_PER_PIECE;
use super::activation::{Activation, Elementwise};
use super::buffer::Buffer;
use super::device;
use super::lanes::LANES;
use super::per_image;
use super::pieces::PIECE;
use super::simd::dispatch;
use super::streaming;
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
    if x.dims().len() < 2 {
        candle_core::bail!("batch norm needs [batch, channels, …], found {:?}", x.dims());
    }
    if tape.is_by_candle() {
        return device::norm::batch_norm(tape, x, gamma, beta, eps, statistics, activation);
    }
    let (norm, found) = Normalisation::of(x, gamma, beta, eps, statistics)?;
    let layout = norm.layout;
    let is_rectified = activation == Some(Activation::Relu);
    let activation = activation.filter(|_| !is_rectified);
    let mut result = Box::<[f32]>::new_uninit_slice(x.tensor().elem_count());
    let is_large = streaming::is_large(&result);
    {
        let x = numbers(x.tensor())?;
        let pieces = result.par_chunks_mut(layout.piece()).zip(x.par_chunks(layout.piece()));
        pieces.for_each_init(Vec::new, |room, (piece, x)| {
            let mut maps = x.chunks(layout.pixels);
            layout.each_map_mut(piece, |channel, map| {
                let Some(x) = maps.next() else { return };
                for (run, x) in map.chunks_mut(PIECE).zip(x.chunks(PIECE)) {
                    streaming::write(run, is_large, room, |run| {
                        let run = norm.normalise(channel, x, run, is_rectified);
                        if let Some(activation) = activation {
                            activation.apply_in_place(run);
                        }
                        run
                    });
                }
            });
        });
    }
    // SAFETY: each run of each map was written from those of `x`, which are as many.
    let result = unsafe { result.assume_init() }.into_vec();
    let result = tensor(result, x.tensor().shape())?;
    let kept_x = x.tensor().clone();
    // Whether a ReLU lets a gradient pass can be told from x, which is read anyway.
    let activation = activation.map(|activation| (activation, result.clone()));
    let value =
        tape.record_like(x, result, &[x, gamma, beta], move |mut gradient: Gradient, wanted| {
            let x = numbers(&kept_x)?;
            if let Some((activation, kept)) = activation {
                let kept = numbers(&kept)?;
                gradient
                    .par_chunks_mut(layout.piece())
                    .zip(kept.par_chunks(layout.piece()))
                    .for_each(|(gradient, kept)| activation.back_in_place(gradient, kept));
            }
            let (sums, products) = layout.reduce(x.len(), |piece| {
                let (norm, gradient, x) = (&norm, &gradient, &x);
                move |map| {
                    let range = layout.range(piece, map);
                    let (gradient, x) = (&gradient[range.clone()], &x[range]);
                    norm.products(map % layout.channels, gradient, x, is_rectified)
                }
            });
            let found = norm.backward(&sums, &products);
            if wanted[0] {
                let pieces = gradient.par_chunks_mut(layout.piece());
                pieces.zip(x.par_chunks(layout.piece())).for_each(|(gradient, x)| {
                    let mut maps = x.chunks(layout.pixels.max(1));
                    layout.each_map_mut(gradient, |channel, gradient| {
                        let Some(x) = maps.next() else { return };
                        let affine = is_rectified.then(|| norm.affines[channel]);
                        through(found.terms[channel], affine, gradient, x);
                    });
                });
                layout.clear_unused(&mut gradient);
            }
            Ok(found.given(wanted, gradient))
        });
    Ok((value, found))
}

/// What normalises a batch, channel by channel.
pub(super) struct Normalisation {
    pub(super) layout: Layout,
    /// Numbers of a channel.
    count: f64,
    /// Whether mean and variance are those of the batch.
    from_batch: bool,
    mean: Vec<f64>,
    /// 1 / √(variance + eps).
    inverse: Vec<f64>,
    gamma: Vec<f64>,
    /// (x − mean) · inverse · gamma + beta as one product and one sum.
    affines: Vec<Affine>,
}

/// `x · scale + shift`.
#[derive(Clone, Copy)]
pub(super) struct Affine {
    scale: f32,
    shift: f32,
}

impl Affine {
    #[inline(always)]
    fn at(self, x: f32) -> f32 {
        x * self.scale + self.shift
    }

    /// The gradient of a ReLU of what is at `x`, from that of its result.
    #[inline(always)]
    fn rectify(self, gradient: f32, x: f32) -> f32 {
        if self.at(x) > 0.0 { gradient } else { 0.0 }
    }
}

/// Gradients of a normalisation.
pub(super) struct Backward {
    /// Per channel, dx = g · a + x · b + c.
    pub(super) terms: Vec<[f32; 3]>,
    for_gamma: Vec<f32>,
    for_beta: Vec<f32>,
}

impl Backward {
    /// The gradients of x, gamma and beta that are wanted.
    pub(super) fn given(self, wanted: &[bool], for_x: Gradient) -> Vec<Option<Gradient>> {
        let all = [for_x, self.for_gamma, self.for_beta];
        all.into_iter().zip(wanted).map(|(found, wanted)| wanted.then_some(found)).collect()
    }
}

impl Normalisation {
    /// That of [`batch_norm`], and the batch's statistics if they are used.
    pub(super) fn of(
        x: &Value,
        gamma: &Value,
        beta: &Value,
        eps: f64,
        statistics: Statistics,
    ) -> Result<(Normalisation, Option<BatchStatistics>)> {
        let (batch, channels) = (x.dims()[0], x.dims()[1]);
        let pixels = x.dims()[2..].iter().product::<usize>();
        let count = (batch * pixels) as f64;
        let layout = if x.is_in_lanes() {
            let odd = (batch % LANES != 0).then_some(batch % LANES);
            Layout { channels, pixels: pixels * LANES, images: 1, odd }
        } else {
            Layout { channels, pixels, images: IMAGES_PER_PIECE, odd: None }
        };
        let from_batch = matches!(statistics, Statistics::Batch);
        let (mean, variance): (Vec<f64>, Vec<f64>) = match statistics {
            Statistics::Batch => layout.moments(&numbers(x.tensor())?, count),
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
        let gamma: Vec<f64> =
            numbers(gamma.tensor())?.iter().map(|gamma| f64::from(*gamma)).collect();
        let beta = numbers(beta.tensor())?;
        let affines = (0..channels)
            .map(|c| {
                let shift = f64::from(beta[c]) - mean[c] * inverse[c] * gamma[c];
                Affine { scale: (gamma[c] * inverse[c]) as f32, shift: shift as f32 }
            })
            .collect();
        Ok((Normalisation { layout, count, from_batch, mean, inverse, gamma, affines }, found))
    }

    /// One map, and max(0, ·) of it if it `is_rectified`: `into`, all of it written.
    pub(super) fn normalise<'a>(
        &self,
        channel: usize,
        x: &[f32],
        into: &'a mut [MaybeUninit<f32>],
        is_rectified: bool,
    ) -> &'a mut [f32] {
        assert_eq!(x.len(), into.len(), "numbers of a map");
        let affine = self.affines[channel];
        let pairs = into.iter_mut().zip(x);
        dispatch(
            #[inline(always)]
            || {
                if is_rectified {
                    pairs.for_each(|(y, x)| {
                        let value = affine.at(*x);
                        y.write(if value < 0.0 { 0.0 } else { value });
                    });
                } else {
                    pairs.for_each(|(y, x)| {
                        y.write(affine.at(*x));
                    });
                }
            },
        );
        // SAFETY: each number has its pair.
        unsafe { into.assume_init_mut() }
    }

    /// Σ g and Σ g · (x − mean) over one map, g after a ReLU if it `is_rectified`.
    pub(super) fn products(
        &self,
        channel: usize,
        gradient: &[f32],
        x: &[f32],
        is_rectified: bool,
    ) -> [f64; 2] {
        let mean = self.mean[channel] as f32;
        let affine = self.affines[channel];
        if is_rectified {
            two_sums(
                gradient,
                x,
                #[inline(always)]
                |g, x| {
                    let g = affine.rectify(g, x);
                    [g, g * (x - mean)]
                },
            )
        } else {
            two_sums(
                gradient,
                x,
                #[inline(always)]
                |g, x| [g, g * (x - mean)],
            )
        }
    }

    /// The gradients, from each channel's Σ g and Σ g · (x − mean).
    pub(super) fn backward(&self, sums: &[f64], products: &[f64]) -> Backward {
        let products: Vec<f64> =
            products.iter().zip(&self.inverse).map(|(sum, inv)| sum * inv).collect();
        let as_f32 = |sums: &[f64]| sums.iter().map(|sum| *sum as f32).collect::<Vec<f32>>();
        // dx = γ·inv · (g − mean(g) − x̂ · mean(g·x̂)), written as g·a + x·b + c per channel.
        let terms = (0..self.layout.channels)
            .map(|c| {
                let a = self.gamma[c] * self.inverse[c];
                if !self.from_batch {
                    return [a as f32, 0.0, 0.0];
                }
                let b = -a * self.inverse[c] * products[c] / self.count;
                let c0 = -a * sums[c] / self.count - b * self.mean[c];
                [a as f32, b as f32, c0 as f32]
            })
            .collect();
        Backward { terms, for_gamma: as_f32(&products), for_beta: as_f32(sums) }
    }
}

/// g · a + (x · b + c) in place of the gradient g of one map, after a ReLU of what is `affine` if there is
/// one.
pub(super) fn through(
    [a, b, c]: [f32; 3],
    affine: Option<Affine>,
    gradient: &mut [f32],
    x: &[f32],
) {
    let pairs = gradient.iter_mut().zip(x);
    dispatch(
        #[inline(always)]
        || match affine {
            Some(affine) => {
                pairs.for_each(|(g, x)| *g = affine.rectify(*g, *x) * a + (*x * b + c));
            }
            None => pairs.for_each(|(g, x)| *g = *g * a + (*x * b + c)),
        },
    );
}

/// How channels lie in memory.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    pub(super) channels: usize,
    /// Numbers in one map.
    pub(super) pixels: usize,
    /// Images, or blocks of them in lanes, in one piece.
    images: usize,
    /// Images in the last block, if they do not fill it.
    odd: Option<usize>,
}

impl Layout {
    fn piece(&self) -> usize {
        (self.images * self.channels * self.pixels).max(1)
    }

    /// The numbers of a map of a piece.
    pub(super) fn range(&self, piece: usize, map: usize) -> Range<usize> {
        let start = piece * self.piece() + map * self.pixels;
        start..start + self.pixels
    }

    /// Sets lanes without image to 0, in a gradient.
    pub(super) fn clear_unused(&self, gradient: &mut [f32]) {
        if let Some(odd) = self.odd {
            let last = gradient.len() - self.channels * self.pixels;
            for pixel in gradient[last..].chunks_mut(LANES) {
                pixel[odd..].fill(0.0);
            }
        }
    }

    fn each_map_mut<T>(&self, piece: &mut [T], mut visit: impl FnMut(usize, &mut [T])) {
        for (index, map) in piece.chunks_mut(self.pixels).enumerate() {
            visit(index % self.channels, map);
        }
    }

    /// Two sums per channel over `len` numbers, pieces added in order: of each map of a piece, what
    /// `sums` of that piece finds.
    pub(super) fn reduce<Sum: FnMut(usize) -> [f64; 2]>(
        &self,
        len: usize,
        sums: impl Fn(usize) -> Sum + Sync,
    ) -> (Vec<f64>, Vec<f64>) {
        let piece = self.piece();
        let partial: Vec<(Vec<f64>, Vec<f64>)> = (0..len.div_ceil(piece))
            .into_par_iter()
            .map(|index| {
                let mut totals = (vec![0.0; self.channels], vec![0.0; self.channels]);
                let mut sum = sums(index);
                for map in 0..(len - index * piece).min(piece) / self.pixels.max(1) {
                    let channel = map % self.channels;
                    let [first, second] = sum(map);
                    totals.0[channel] += first;
                    totals.1[channel] += second;
                }
                totals
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
        let last = x.len().div_ceil(self.piece()).saturating_sub(1);
        let (sums, squares) = self.reduce(x.len(), |piece| {
            let origin = &origin;
            move |map| {
                let origin = origin[map % self.channels];
                let mut map = &x[self.range(piece, map)];
                let used: Vec<f32>;
                if let Some(odd) = self.odd.filter(|_| piece == last) {
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
            }
        });
        let mean: Vec<f64> = sums.iter().map(|sum| sum / count).collect();
        let variance = squares
            .iter()
            .zip(&mean)
            .map(|(square, mean)| (square / count - mean * mean).max(0.0))
            .collect();
        let mean = mean.iter().zip(&origin).map(|(mean, origin)| mean + f64::from(*origin));
        (mean.collect(), variance)
    }
}

/// Two sums over a map, in an order that depends on its length alone.
#[inline(always)]
fn two_sums(values: &[f32], others: &[f32], term: impl Fn(f32, f32) -> [f32; 2]) -> [f64; 2] {
    let sums = per_image::two_sums(
        values,
        others,
        #[inline(always)]
        |_, value, other| term(value, other),
    );
    sums.map(|lanes| lanes.iter().sum())
}
