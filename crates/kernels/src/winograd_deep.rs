//! Winograd's minimal filtering where maps are small and channels many, as deep in a network.
//!
//! There the filters, 36 numbers for nine weights, are what does not fit into a cache, and images
//! are too few to share them between threads. So the tiles of many images are transformed first, by
//! groups of channels; then threads share the filters, a few at a time, whose transformed weights
//! are made, used for all images, and forgotten in the second-level cache.

use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use super::direct::{FILTERS, Line};
use super::lanes::LANES;
use super::simd::{Kernel, Simd, dispatch};
use super::transform::COMPONENTS;
use super::winograd::{Tiling, inverse};
use super::winograd_weights::{Outer, slopes_of, taps_of};

/// Channels that are transformed and multiplied together.
const GROUP: usize = 64;

/// Numbers of transformed input that are kept at a time.
const ROUND: usize = 5 << 18;

/// The same for the gradient of weights. Rounds are added up in their order, so this number decides
/// about the last bits.
const SUMMED: usize = 5 << 19;

/// Numbers of products that a thread makes at a time: they stay in half a megabyte of cache.
const PRODUCTS: usize = 64 << 10;

/// Numbers of transformed gradients that a thread holds at a time. They are read once each; many of them
/// share what is read of the inputs.
const SLOPES: usize = 256 << 10;

/// Room between components, so that they do not all fall into the same set of the cache.
const GAP: usize = LANES;

/// Whether filters are so many, and maps so small, that this way is the faster one.
pub(super) fn pays(tiling: &Tiling) -> bool {
    tiling.channels.min(tiling.filters) >= 2 * tiling.count() * LANES
}

/// A few blocks of images whose tiles are transformed together.
struct Round<'a> {
    tiling: &'a Tiling,
    /// Per block, all channels.
    blocks: Vec<&'a [f32]>,
}

impl<'a> Round<'a> {
    /// Blocks that make up a round of so many numbers.
    fn blocks(tiling: &Tiling, numbers: usize) -> usize {
        (numbers / (COMPONENTS * tiling.channels * tiling.count() * LANES)).max(1)
    }

    fn new(tiling: &'a Tiling, x: &'a [f32]) -> Round<'a> {
        Round { tiling, blocks: x.chunks(tiling.channels * tiling.pixels()).collect() }
    }

    /// Numbers of one component of one channel: tiles of all blocks.
    fn side(&self) -> usize {
        self.blocks.len() * self.tiling.count() * LANES
    }

    /// Numbers of one component of a group of channels.
    fn component(&self) -> usize {
        GROUP * self.side() + GAP
    }

    fn groups(&self) -> impl Iterator<Item = (usize, Range<usize>)> {
        let channels = self.tiling.channels;
        let starts = (0..channels).step_by(GROUP);
        starts.map(move |first| first..channels.min(first + GROUP)).enumerate()
    }

    /// The tiles of all blocks, transformed: `[groups][COMPONENTS][side / LANES][GROUP][LANES]`, or,
    /// if `upright`, `[groups][COMPONENTS][GROUP / LANES][side][LANES]`. Gaps, and channels behind the last one,
    /// hold nothing.
    fn transform(&self, upright: bool) -> Box<[MaybeUninit<f32>]> {
        let group = COMPONENTS * self.component();
        let mut inputs = Box::new_uninit_slice(self.tiling.channels.div_ceil(GROUP) * group);
        inputs.par_chunks_mut(group).zip(self.groups().collect::<Vec<_>>()).for_each(
            |(into, (_, channels))| {
                if upright {
                    dispatch(Upright { round: self, channels, into });
                } else {
                    dispatch(Flat { round: self, channels, into });
                }
            },
        );
        inputs
    }
}

/// A group of channels with tiles side by side.
struct Flat<'a> {
    round: &'a Round<'a>,
    channels: Range<usize>,
    into: &'a mut [MaybeUninit<f32>],
}

impl Kernel for Flat<'_> {
    type Out = ();

    #[inline(always)]
    fn run<V: Simd>(self) {
        let (round, tiling) = (self.round, self.round.tiling);
        let mut place = 0;
        for block in &round.blocks {
            let x = block[self.channels.start * tiling.pixels()..].as_ptr();
            for tile in 0..tiling.count() {
                let into = self.into[place * GROUP..].as_mut_ptr().cast();
                // SAFETY: `into` has room for the components of a group, and the block has all
                // channels.
                unsafe {
                    let (channels, component) = (self.channels.len(), round.component());
                    tiling.transform::<V>(x, channels, tile, into, component, LANES);
                }
                place += LANES;
            }
        }
    }
}

/// A group of channels with channels side by side.
struct Upright<'a> {
    round: &'a Round<'a>,
    channels: Range<usize>,
    into: &'a mut [MaybeUninit<f32>],
}

impl Kernel for Upright<'_> {
    type Out = ();

    #[inline(always)]
    fn run<V: Simd>(self) {
        let (round, tiling) = (self.round, self.round.tiling);
        let square = LANES * LANES + GAP;
        let mut flat = vec![0.0; COMPONENTS * square];
        let mut place = 0;
        for block in &round.blocks {
            for tile in 0..tiling.count() {
                for first in self.channels.clone().step_by(LANES) {
                    let x = block[first * tiling.pixels()..].as_ptr();
                    let count = LANES.min(self.channels.end - first);
                    // SAFETY: as in `Flat`; `flat` has room for LANES channels of one tile.
                    unsafe {
                        tiling.transform::<V>(x, count, tile, flat.as_mut_ptr(), square, LANES);
                        for k in 0..COMPONENTS {
                            let column = (first - self.channels.start) * round.side();
                            let at = k * round.component() + column + place * LANES;
                            let to = self.into[at..].as_mut_ptr().cast();
                            V::transpose(flat[k * square..].as_ptr(), LANES, to, LANES);
                        }
                    }
                }
                place += LANES;
            }
        }
    }
}

/// Filters that a thread takes at a time, `side` numbers of each component of each, of so many numbers
/// in all; not more than leave work to other threads.
fn filters_together(numbers: usize, side: usize) -> usize {
    (numbers / (COMPONENTS * side * FILTERS)).clamp(1, 4) * FILTERS
}

/// The maps of a few filters, for all blocks of a round. All of `out` is written.
struct Outputs<'a, W> {
    round: &'a Round<'a>,
    /// That the round has [transformed](Round::transform).
    inputs: &'a [MaybeUninit<f32>],
    weight: &'a W,
    filters: Range<usize>,
    bias: Option<&'a [f32]>,
    relu: bool,
    /// Per block.
    out: Vec<&'a mut [MaybeUninit<f32>]>,
}

impl<W: Fn(usize, usize, usize) -> f32> Kernel for Outputs<'_, W> {
    type Out = ();

    #[inline(always)]
    fn run<V: Simd>(self) {
        let (round, tiling) = (self.round, self.round.tiling);
        let (side, count) = (round.side(), self.filters.len());
        let product = count * side + GAP;
        let mut products = Box::<[f32]>::new_uninit_slice(COMPONENTS * product);
        let mut weights = Box::<[f32]>::new_uninit_slice(COMPONENTS * GROUP * FILTERS);
        for (group, channels) in round.groups() {
            let inputs = &self.inputs[group * COMPONENTS * round.component()..];
            for block in (0..count).step_by(FILTERS) {
                let first = self.filters.start + block;
                let weights = &mut weights[..COMPONENTS * channels.len() * FILTERS];
                let weights =
                    tiling.block_of_filters(first, channels.clone(), self.weight, weights);
                for k in 0..COMPONENTS {
                    let line = Line {
                        x: inputs[k * round.component()..].as_ptr().cast(),
                        channel: LANES,
                        step: GROUP * LANES,
                        channels: channels.len(),
                        taps: &[0],
                        weights: &weights[k * channels.len() * FILTERS..],
                        out: products[k * product + block * LANES..].as_mut_ptr().cast(),
                        filter: LANES,
                        out_step: count * LANES,
                        filters: FILTERS.min(count - block),
                        positions: side / LANES,
                        bias: None,
                        relu: false,
                        add: group > 0,
                        stream: false,
                    };
                    // SAFETY: both buffers have the room that the line describes.
                    unsafe { line.run::<V>() };
                }
            }
        }
        for (block, out) in self.out.into_iter().enumerate() {
            for (f, map) in out.chunks_mut(tiling.positions()).enumerate() {
                let bias = self.bias.map_or(0.0, |bias| bias[self.filters.start + f]);
                for tile in 0..tiling.count() {
                    let place = block * tiling.count() + tile;
                    let from = products[(place * count + f) * LANES..].as_ptr().cast();
                    let origin = tiling.origin(tile);
                    // SAFETY: the origin lies within the map.
                    unsafe {
                        inverse::<V>(tiling, from, product, origin, bias, self.relu, None, map)
                    };
                }
            }
        }
    }
}

/// `x ⋆ weight + bias` into `out`, all of which is written; `weight(filter, channel, tap)`.
pub(super) fn run(
    tiling: &Tiling,
    weight: &(impl Fn(usize, usize, usize) -> f32 + Sync),
    x: &[f32],
    bias: Option<&[f32]>,
    relu: bool,
    out: &mut [MaybeUninit<f32>],
) {
    let (from, to) = (tiling.channels * tiling.pixels(), tiling.filters * tiling.positions());
    let blocks = Round::blocks(tiling, ROUND);
    for (x, out) in x.chunks(blocks * from).zip(out.chunks_mut(blocks * to)) {
        let round = &Round::new(tiling, x);
        let inputs = &round.transform(false)[..];
        let together = filters_together(PRODUCTS, round.side());
        let mut shares: Vec<Vec<&mut [MaybeUninit<f32>]>> = Vec::new();
        shares.resize_with(tiling.filters.div_ceil(together), Vec::new);
        for block in out.chunks_mut(to) {
            let maps = block.chunks_mut(together * tiling.positions());
            shares.iter_mut().zip(maps).for_each(|(share, maps)| share.push(maps));
        }
        shares.into_par_iter().enumerate().for_each(|(index, out)| {
            let first = index * together;
            let filters = first..tiling.filters.min(first + together);
            dispatch(Outputs { round, inputs, weight, filters, bias, relu, out });
        });
    }
}

/// The weight gradients of a few filters from the blocks of a round. All of `into` is written.
struct Slopes<'a> {
    round: &'a Round<'a>,
    /// That the round has [transformed](Round::transform), upright.
    inputs: &'a [MaybeUninit<f32>],
    /// Per block, all filters.
    gradients: &'a [&'a [f32]],
    filters: Range<usize>,
    /// Whether to add to what `into` holds, which is written then.
    add: bool,
    /// `[filters][channels][9]`.
    into: &'a mut [MaybeUninit<f32>],
}

impl Kernel for Slopes<'_> {
    type Out = ();

    #[inline(always)]
    fn run<V: Simd>(self) {
        let (round, tiling) = (self.round, self.round.tiling);
        let (side, count) = (round.side(), self.filters.len());
        let slope = count * side + GAP;
        let mut slopes = Box::<[f32]>::new_uninit_slice(COMPONENTS * slope);
        for (block, gradient) in self.gradients.iter().enumerate() {
            let maps = gradient[self.filters.start * tiling.positions()..]
                .chunks(tiling.positions())
                .take(count);
            for (f, map) in maps.enumerate() {
                for tile in 0..tiling.count() {
                    let place = (block * tiling.count() + tile) * LANES;
                    let to = slopes[f * side + place..].as_mut_ptr().cast();
                    // SAFETY: the buffer has room for all components.
                    unsafe { slopes_of::<V>(tiling, map, tile, to, slope) };
                }
            }
        }
        let component = count * GROUP + GAP;
        let mut sums = Box::<[f32]>::new_uninit_slice(COMPONENTS * component);
        for (group, channels) in round.groups() {
            let inputs = &self.inputs[group * COMPONENTS * round.component()..];
            for k in 0..COMPONENTS {
                let outer = Outer {
                    slopes: slopes[k * slope..].as_ptr().cast(),
                    inputs: inputs[k * round.component()..].as_ptr().cast(),
                    into: sums[k * component..].as_mut_ptr().cast(),
                    inner: side,
                    filters: count,
                    width: channels.len().next_multiple_of(LANES),
                    row: GROUP,
                    add: false,
                };
                // SAFETY: the buffers have the sizes that the fields say.
                unsafe { outer.run::<V>() };
            }
            for (f, into) in self.into.chunks_mut(tiling.channels * 9).enumerate() {
                let into = &mut into[channels.start * 9..channels.end * 9];
                // SAFETY: the sums of all channels of the group were stored, and so was `into` if `add`.
                unsafe { taps_of(sums[f * GROUP..].as_ptr().cast(), component, self.add, into) };
            }
        }
    }
}

/// The gradient of w: `[filters][channels][9]`.
pub(super) fn backward_weights(tiling: &Tiling, gradient: &[f32], x: &[f32]) -> Vec<f32> {
    let (from, to) = (tiling.channels * tiling.pixels(), tiling.filters * tiling.positions());
    assert!(x.len() >= from, "a batch has images");
    let mut into = Box::<[f32]>::new_uninit_slice(tiling.filters * tiling.channels * 9);
    let blocks = Round::blocks(tiling, SUMMED);
    let rounds = x.chunks(blocks * from).zip(gradient.chunks(blocks * to));
    for (index, (x, gradient)) in rounds.enumerate() {
        let round = &Round::new(tiling, x);
        let inputs = &round.transform(true)[..];
        let gradients = &gradient.chunks(to).collect::<Vec<_>>()[..];
        let together = filters_together(SLOPES, round.side());
        let pieces = into.par_chunks_mut(together * tiling.channels * 9).enumerate();
        pieces.for_each(|(piece, into)| {
            let first = piece * together;
            let filters = first..tiling.filters.min(first + together);
            let add = index > 0;
            dispatch(Slopes { round, inputs, gradients, filters, add, into });
        });
    }
    // SAFETY: the first round has written all of it.
    unsafe { into.assume_init() }.into_vec()
}
