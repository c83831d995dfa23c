//! Maps of images on their own: sums for each image, whether images lie one behind the other or in lanes.
//!
//! Both orders are worked on in vectors of sixteen numbers. In lanes, each number of a vector is of another image.
//! Otherwise all numbers are of one image, and their sum stands in every lane.

use candle_core::Result;
use rayon::prelude::*;

use super::IMAGES_PER_PIECE;
use super::lanes::{LANES, Pixel};
use super::simd::dispatch;
use super::tape::{Gradient, Value};

/// How the maps of a batch lie in memory.
#[derive(Clone, Copy)]
pub(super) struct Maps {
    pub(super) channels: usize,
    /// Numbers of a map: pixels, or pixels times lanes.
    pub(super) numbers: usize,
    /// Pixels of a map.
    pub(super) pixels: usize,
    /// Whether images lie in lanes.
    pub(super) in_lanes: bool,
}

impl Maps {
    /// Those of `x`, `[batch, channels, …]`.
    pub(super) fn of(x: &Value) -> Result<Maps> {
        if x.dims().len() < 2 {
            candle_core::bail!("expected [batch, channels, …], found {:?}", x.dims());
        }
        let pixels = x.dims()[2..].iter().product::<usize>();
        let in_lanes = x.is_in_lanes();
        let numbers = if in_lanes { pixels * LANES } else { pixels };
        Ok(Maps { channels: x.dims()[1], numbers, pixels, in_lanes })
    }

    /// Those of `x`, whose channels each have a number in `gamma` and in `beta`.
    pub(super) fn with_affine(x: &Value, gamma: &Value, beta: &Value) -> Result<Maps> {
        let maps = Maps::of(x)?;
        if [gamma, beta].iter().any(|it| it.dims() != [maps.channels]) {
            let (gamma, beta) = (gamma.dims(), beta.dims());
            candle_core::bail!("{gamma:?} and {beta:?} do not fit {} channels", maps.channels);
        }
        Ok(maps)
    }

    /// The wanted ones of the gradients of x, gamma and beta. `sums` has a row for each piece: the sums for gamma of
    /// all channels, then those for beta.
    pub(super) fn gradients(
        &self,
        for_x: Gradient,
        sums: Vec<Vec<f64>>,
        wanted: &[bool],
    ) -> Vec<Option<Gradient>> {
        let mut for_gamma = sum_rows(sums, 2 * self.channels);
        let for_beta = for_gamma.split_off(self.channels);
        let all = [for_x, for_gamma, for_beta];
        all.into_iter().zip(wanted).map(|(found, wanted)| wanted.then_some(found)).collect()
    }

    /// Numbers of an image, or of a block of images in lanes.
    pub(super) fn group(&self) -> usize {
        (self.channels * self.numbers).max(1)
    }

    /// Numbers that one piece of work holds.
    pub(super) fn piece(&self) -> usize {
        if self.in_lanes { self.group() } else { self.group() * IMAGES_PER_PIECE }
    }

    /// What `visit` finds for each piece of `gradient` and `x`, in order: it may change the gradient.
    pub(super) fn each_piece<T: Send>(
        &self,
        gradient: &mut [f32],
        x: &[f32],
        visit: impl Fn(usize, &mut [f32], &[f32]) -> T + Sync,
    ) -> Vec<T> {
        gradient
            .par_chunks_mut(self.piece())
            .zip(x.par_chunks(self.piece()))
            .enumerate()
            .map(|(piece, (gradient, x))| visit(piece, gradient, x))
            .collect()
    }

    /// Two sums over a run of maps: for each lane, or for all of them together.
    #[inline(always)]
    pub(super) fn two_sums(
        &self,
        values: &[f32],
        others: &[f32],
        term: impl Fn(usize, f32, f32) -> [f32; 2],
    ) -> [Pixel<f64>; 2] {
        let mut sums = two_sums(values, others, term);
        if !self.in_lanes {
            sums = sums.map(|lanes| [lanes.iter().sum(); LANES]);
        }
        sums
    }

    /// The sum over images of what [`two_sums`](Self::two_sums) found for each.
    pub(super) fn over_images(&self, sums: &Pixel<f64>) -> f64 {
        if self.in_lanes { sums.iter().sum() } else { sums[0] }
    }
}

/// Two sums over a run of numbers, for each of sixteen lanes, in an order that depends on its length alone.
#[inline(always)]
pub(super) fn two_sums(
    values: &[f32],
    others: &[f32],
    term: impl Fn(usize, f32, f32) -> [f32; 2],
) -> [Pixel<f64>; 2] {
    dispatch(
        #[inline(always)]
        || {
            let mut totals = [[0.0f64; LANES]; 2];
            for (values, others) in values.chunks(SHORT * LANES).zip(others.chunks(SHORT * LANES)) {
                let (whole, rest) = values.as_chunks::<LANES>();
                let (other_whole, other_rest) = others.as_chunks::<LANES>();
                let mut sums = [[0.0f32; LANES]; 2];
                for (values, others) in whole.iter().zip(other_whole) {
                    for lane in 0..LANES {
                        let [first, second] = term(lane, values[lane], others[lane]);
                        sums[0][lane] += first;
                        sums[1][lane] += second;
                    }
                }
                for (lane, (value, other)) in rest.iter().zip(other_rest).enumerate() {
                    let [first, second] = term(lane, *value, *other);
                    sums[0][lane] += first;
                    sums[1][lane] += second;
                }
                for lane in 0..LANES {
                    totals[0][lane] += f64::from(sums[0][lane]);
                    totals[1][lane] += f64::from(sums[1][lane]);
                }
            }
            totals
        },
    )
}

/// Vectors whose terms are added in f32 before the sum goes on in f64.
const SHORT: usize = 32;

/// Each of `numbers` becomes what `change` makes of its lane, itself and the one of `others`.
#[inline(always)]
pub(super) fn change(numbers: &mut [f32], others: &[f32], change: impl Fn(usize, f32, f32) -> f32) {
    dispatch(
        #[inline(always)]
        || {
            let (whole, rest) = numbers.as_chunks_mut::<LANES>();
            let (other_whole, other_rest) = others.as_chunks::<LANES>();
            for (numbers, others) in whole.iter_mut().zip(other_whole) {
                for lane in 0..LANES {
                    numbers[lane] = change(lane, numbers[lane], others[lane]);
                }
            }
            for (lane, (number, other)) in rest.iter_mut().zip(other_rest).enumerate() {
                *number = change(lane, *number, *other);
            }
        },
    );
}

/// Rows of numbers added up, the first one first.
pub(super) fn sum_rows(rows: Vec<Vec<f64>>, width: usize) -> Vec<f32> {
    let mut total = vec![0.0f64; width];
    for row in rows {
        total.iter_mut().zip(row).for_each(|(sum, more)| *sum += more);
    }
    total.into_iter().map(|sum| sum as f32).collect()
}
