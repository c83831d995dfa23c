//! 1×1 convolutions in [lanes](super::lanes): the filters times the pixels of a block of images. Rows of pixels have no
//! ends here, and channels are taken in groups, so that caches hold what is used again.
//!
//! Each output is the same chain of products as in [`correlation`](super::correlation), with the same bits.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::conv::Geometry;
use super::correlation::BAND;
use super::direct::{FILTERS, Line};
use super::lanes::LANES;
use super::matmul::{Matrix, matmul};
use super::pieces::sum_in_order;
use super::simd::{Kernel, Simd, dispatch, fence};
use super::streaming;

/// Channels whose products are added up together: their pixels of a tile, and their weights for a block of filters, stay
/// in the first-level cache.
const CHANNELS: usize = 256;

/// The fewest and the most filters whose weights one piece of work has gradients of.
const FEWEST: usize = 48;
const MOST: usize = 192;

/// With so many pieces of work, threads need not share images, too.
const MANY: usize = 8;

/// One block of images. All of `out` is written.
struct Block<'a> {
    groups: usize,
    /// Per group.
    channels: usize,
    /// Per group.
    filters: usize,
    positions: usize,
    /// `[groups][blocks of filters][channels][FILTERS]`.
    weights: &'a [f32],
    bias: Option<&'a [f32]>,
    relu: bool,
    x: &'a [f32],
    out: &'a mut [MaybeUninit<f32>],
    /// Whether the outputs of all blocks [are](streaming::is_large).
    is_large: bool,
}

impl Kernel for Block<'_> {
    type Out = ();

    #[inline(always)]
    fn run<V: Simd>(self) {
        let map = self.positions * LANES;
        let blocks = self.filters.div_ceil(FILTERS);
        let together = self.channels.clamp(1, CHANNELS);
        let band = (BAND / (together * LANES)).clamp(1, self.positions.max(1));
        let band = self.positions.max(1).div_ceil(self.positions.max(1).div_ceil(band));
        for group in 0..self.groups {
            for first in (0..self.positions).step_by(band) {
                for channel in (0..self.channels).step_by(together) {
                    let channels = together.min(self.channels - channel);
                    let is_last = channel + channels == self.channels;
                    let x = &self.x[(group * self.channels + channel) * map + first * LANES..];
                    for block in 0..blocks {
                        let filter = group * self.filters + block * FILTERS;
                        let filters = FILTERS.min(self.filters - block * FILTERS);
                        let weights =
                            ((group * blocks + block) * self.channels + channel) * FILTERS;
                        let line = Line {
                            x: x.as_ptr(),
                            channel: map,
                            step: LANES,
                            channels,
                            taps: &[0],
                            weights: &self.weights[weights..],
                            out: self.out[filter * map + first * LANES..].as_mut_ptr().cast(),
                            filter: map,
                            out_step: LANES,
                            filters,
                            positions: band.min(self.positions - first),
                            bias: self.bias.map(|bias| &bias[filter..filter + filters]),
                            relu: self.relu && is_last,
                            add: channel > 0,
                            stream: self.is_large && is_last,
                        };
                        // SAFETY: the channels, positions and filters lie within `x`, `weights` and `out`.
                        unsafe { line.run::<V>() };
                    }
                }
            }
        }
        fence();
    }
}

/// Sides of a product: from `channels` of x to `filters`, per group.
#[derive(Clone, Copy)]
struct Sides {
    groups: usize,
    channels: usize,
    filters: usize,
    positions: usize,
}

impl Sides {
    /// The product, where `weight(group, filter, channel)` counts within the group.
    fn run(
        self,
        weight: impl Fn(usize, usize, usize) -> f32 + Sync,
        x: &[f32],
        bias: Option<&[f32]>,
        relu: bool,
    ) -> Vec<f32> {
        let Sides { groups, channels, filters, positions } = self;
        let blocks = filters.div_ceil(FILTERS);
        let mut weights = vec![0.0; groups * blocks * channels * FILTERS];
        weights.par_chunks_mut(channels * FILTERS).enumerate().for_each(|(index, packed)| {
            let (group, first) = (index / blocks, index % blocks * FILTERS);
            let rows = packed.as_chunks_mut::<FILTERS>().0.iter_mut();
            for (channel, row) in rows.enumerate() {
                for (filter, place) in (first..filters).zip(row) {
                    *place = weight(group, filter, channel);
                }
            }
        });
        let (from, to) =
            (groups * channels * positions * LANES, groups * filters * positions * LANES);
        let mut out = Box::<[f32]>::new_uninit_slice(x.len() / from * to);
        let is_large = streaming::is_large(&out);
        let weights = &weights;
        out.par_chunks_mut(to).zip(x.par_chunks(from)).for_each(|(out, x)| {
            dispatch(Block {
                groups,
                channels,
                filters,
                positions,
                weights,
                bias,
                relu,
                x,
                out,
                is_large,
            });
        });
        // SAFETY: each block of `x` has written one of the result.
        unsafe { out.assume_init() }.into_vec()
    }
}

/// `x ⋆ w + bias`, then max(0, ·) if `relu`.
pub(super) fn forward(
    geometry: &Geometry,
    x: &[f32],
    w: &[f32],
    bias: Option<&[f32]>,
    relu: bool,
) -> Vec<f32> {
    let groups = geometry.groups;
    let (channels, filters) = (geometry.channels / groups, geometry.filters / groups);
    let sides = Sides { groups, channels, filters, positions: geometry.positions() };
    let weight = |group, filter, channel| w[(group * filters + filter) * channels + channel];
    sides.run(weight, x, bias, relu)
}

/// The gradient of x.
pub(super) fn backward_input(geometry: &Geometry, gradient: &[f32], w: &[f32]) -> Vec<f32> {
    let groups = geometry.groups;
    // The convolution's filters are what is added up here.
    let (filters, channels) = (geometry.channels / groups, geometry.filters / groups);
    let sides = Sides { groups, channels, filters, positions: geometry.positions() };
    let weight = |group, filter, channel| w[(group * channels + channel) * filters + filter];
    sides.run(weight, gradient, None, false)
}

/// The gradient of w: gradients times pixels. Each piece of work has the gradients of some filters, on all images if
/// there are many pieces, else on one block of them; then the blocks are added in their order.
pub(super) fn backward_weights(geometry: &Geometry, gradient: &[f32], x: &[f32]) -> Vec<f32> {
    let (groups, numbers) = (geometry.groups, geometry.positions() * LANES);
    let (channels, filters) = (geometry.channels / groups, geometry.filters / groups);
    let rows = filters.div_ceil(2).next_multiple_of(FILTERS).clamp(FEWEST, MOST);
    let (per_gradient, per_x) = (geometry.filters * numbers, geometry.channels * numbers);
    let on = |gradient: &[f32], x: &[f32]| {
        let mut for_w = vec![0.0; geometry.filters * channels];
        let of_groups = for_w.par_chunks_mut(filters * channels).enumerate();
        let pieces = of_groups.flat_map(|(group, for_w)| {
            let pieces = for_w.par_chunks_mut(rows * channels).enumerate();
            pieces.map(move |(piece, for_w)| (group, group * filters + piece * rows, for_w))
        });
        pieces.for_each(|(group, first, for_w)| {
            let rows = for_w.len() / channels;
            let blocks = gradient.chunks(per_gradient).zip(x.chunks(per_x));
            for (block, (gradient, x)) in blocks.enumerate() {
                let gradient = &gradient[first * numbers..][..rows * numbers];
                let x = &x[group * channels * numbers..][..channels * numbers];
                let x = Matrix::new(x, channels, numbers).t();
                matmul(Matrix::new(gradient, rows, numbers), x, for_w, block > 0);
            }
        });
        for_w
    };
    if groups * filters.div_ceil(rows) >= MANY {
        return on(gradient, x);
    }
    let blocks = gradient.par_chunks(per_gradient).zip(x.par_chunks(per_x));
    sum_in_order(blocks.map(|(gradient, x)| on(gradient, x)).collect())
}
