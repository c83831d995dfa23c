//! 3×3 convolutions of stride 1 by Winograd's minimal filtering, in [lanes](super::lanes).
//!
//! Maps are cut into tiles of 4×4 outputs. In the transformed domain a convolution is one small
//! matrix product for each of 36 components. A few tiles at a time go through transform, products
//! and inverse transform, so that all that is between stays in the second-level cache.
//!
//! There is no F(2×2, 3×3). On a map of m×m outputs it takes 16 ⌈m/2⌉² products for each pair of channels,
//! F(4×4) 36 ⌈m/4⌉² and the plain sum 9 m²: of all sizes only at m = 2 it takes the fewest.

use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use super::conv::Geometry;
use super::direct::{FILTERS, Line};
use super::lanes::LANES;
use super::simd::{Kernel, Simd, dispatch, fence, prefetch};
use super::streaming::{self, stream_line};
use super::transform::{COMPONENTS, IN, OUT, input, output, weights};
use super::winograd_deep;

/// Numbers of transformed input that are worked on together.
const CHUNK: usize = 128 * 1024;

/// Numbers of transformed filters that are kept at a time.
const SLAB: usize = 5 << 19;

/// Room between components, so that they do not all fall into the same set of the cache.
const GAP: usize = LANES;

/// How many channels ahead pixels are prefetched.
pub(super) const AHEAD: usize = 2;

/// One convolution in tiles.
pub(super) struct Tiling {
    pub(super) channels: usize,
    pub(super) filters: usize,
    pub(super) size: [usize; 2],
    pub(super) out: [usize; 2],
    pub(super) padding: [usize; 2],
    /// Tiles per axis.
    pub(super) tiles: [usize; 2],
}

/// Whether the tiles save enough products to pay for the transforms, forward and for weights.
pub(super) fn pays(geometry: &Geometry) -> bool {
    let least = geometry.channels.min(geometry.filters);
    fits(geometry) && least >= 16 && saves(geometry.out, geometry.out)
}

/// Whether they do for the input gradient.
pub(super) fn pays_backward(geometry: &Geometry) -> bool {
    let least = geometry.channels.min(geometry.filters);
    fits(geometry) && least >= 16 && saves(geometry.size, geometry.out)
}

fn fits(geometry: &Geometry) -> bool {
    geometry.groups == 1
        && geometry.windows.iter().all(|window| {
            window.kernel == 3
                && window.stride == 1
                && window.dilation == 1
                && window.padding[0] <= 2
                && window.padding[1] <= 2
        })
}

/// Whether maps of `tiled` in tiles take at most half of the products of nine for each of `outputs`.
fn saves(tiled: [usize; 2], outputs: [usize; 2]) -> bool {
    let products: usize = tiled.iter().map(|size| size.div_ceil(OUT) * IN).product();
    2 * products <= 9 * outputs[0] * outputs[1]
}

impl Tiling {
    pub(super) fn forward(geometry: &Geometry) -> Tiling {
        Tiling {
            channels: geometry.channels,
            filters: geometry.filters,
            size: geometry.size,
            out: geometry.out,
            padding: geometry.windows.map(|window| window.padding[0]),
            tiles: geometry.out.map(|out| out.div_ceil(OUT)),
        }
    }

    /// The input gradient: a convolution of the output's gradient with turned filters.
    fn backward(geometry: &Geometry) -> Tiling {
        Tiling {
            channels: geometry.filters,
            filters: geometry.channels,
            size: geometry.out,
            out: geometry.size,
            padding: geometry.windows.map(|window| 2 - window.padding[0]),
            tiles: geometry.size.map(|size| size.div_ceil(OUT)),
        }
    }

    pub(super) fn pixels(&self) -> usize {
        self.size[0] * self.size[1] * LANES
    }

    pub(super) fn positions(&self) -> usize {
        self.out[0] * self.out[1] * LANES
    }

    /// Tiles in a map.
    pub(super) fn count(&self) -> usize {
        self.tiles[0] * self.tiles[1]
    }

    /// Tiles that go through together.
    fn chunk(&self) -> usize {
        let tiles = (CHUNK / (COMPONENTS * self.channels * LANES)).max(1).min(self.count());
        // An even number, in equal parts.
        let parts = self.count().div_ceil(tiles.next_multiple_of(2));
        self.count().div_ceil(parts)
    }

    /// First output of a tile.
    pub(super) fn origin(&self, tile: usize) -> [usize; 2] {
        [tile / self.tiles[1] * OUT, tile % self.tiles[1] * OUT]
    }

    /// Filters of a block of `FILTERS` that fit into a slab.
    fn slab(&self) -> usize {
        let blocks = SLAB / (COMPONENTS * self.channels * FILTERS);
        blocks.max(1) * FILTERS
    }

    /// `count` filters from `first` on in the transformed domain:
    /// `[blocks][COMPONENTS][channels][FILTERS]`.
    fn filters(
        &self,
        first: usize,
        count: usize,
        weight: &(impl Fn(usize, usize, usize) -> f32 + Sync),
    ) -> Vec<f32> {
        let per_block = COMPONENTS * self.channels * FILTERS;
        let mut into = Box::<[f32]>::new_uninit_slice(count.div_ceil(FILTERS) * per_block);
        into.par_chunks_mut(per_block).enumerate().for_each(|(block, into)| {
            dispatch(
                #[inline(always)]
                || {
                    self.block_of_filters(first + block * FILTERS, 0..self.channels, weight, into);
                },
            );
        });
        // SAFETY: each block was written.
        unsafe { into.assume_init() }.into_vec()
    }

    /// `FILTERS` filters from `first` on, some of their channels, in the transformed domain:
    /// `[COMPONENTS][channels][FILTERS]`: `into`, all of it written. Those behind the last filter are zeros.
    #[inline(always)]
    pub(super) fn block_of_filters<'a>(
        &self,
        first: usize,
        channels: Range<usize>,
        weight: &impl Fn(usize, usize, usize) -> f32,
        into: &'a mut [MaybeUninit<f32>],
    ) -> &'a mut [f32] {
        assert_eq!(into.len(), COMPONENTS * channels.len() * FILTERS, "components of filters");
        for (at, channel) in channels.clone().enumerate() {
            let mut taps = [[[0.0; FILTERS]; 3]; 3];
            for (f, filter) in (first..self.filters).take(FILTERS).enumerate() {
                for tap in 0..9 {
                    taps[tap / 3][tap % 3][f] = weight(filter, channel, tap);
                }
            }
            let rows = taps.map(weights);
            for column in 0..IN {
                let transformed = weights([rows[0][column], rows[1][column], rows[2][column]]);
                for (row, values) in transformed.iter().enumerate() {
                    let at = ((row * IN + column) * channels.len() + at) * FILTERS;
                    into[at..at + FILTERS].write_copy_of_slice(values);
                }
            }
        }
        // SAFETY: each component of each channel was written.
        unsafe { into.assume_init_mut() }
    }

    fn run(
        &self,
        weight: impl Fn(usize, usize, usize) -> f32 + Sync,
        x: &[f32],
        bias: Option<&[f32]>,
        relu: bool,
    ) -> Vec<f32> {
        let (from, to) = (self.channels * self.pixels(), self.filters * self.positions());
        let mut out = Box::<[f32]>::new_uninit_slice(x.len() / from * to);
        if winograd_deep::pays(self) {
            winograd_deep::run(self, &weight, x, bias, relu, &mut out);
        } else {
            let is_large = streaming::is_large(&out);
            for first in (0..self.filters).step_by(self.slab()) {
                let count = self.slab().min(self.filters - first);
                let filters = &self.filters(first, count, &weight);
                out.par_chunks_mut(to).zip(x.par_chunks(from)).for_each(|(out, x)| {
                    let range = first..first + count;
                    dispatch(Block { tiling: self, range, filters, bias, relu, x, out, is_large });
                });
            }
        }
        // SAFETY: each block of `x` has written all maps of one of the result.
        unsafe { out.assume_init() }.into_vec()
    }

    /// Transforms the channels of one tile: component k of channel c goes to
    /// `into[k · component + c · channel]`.
    ///
    /// # Safety
    /// `x` holds all channels of a block, and `into` has room for all components.
    #[inline(always)]
    pub(super) unsafe fn transform<V: Simd>(
        &self,
        x: *const f32,
        channels: usize,
        tile: usize,
        into: *mut f32,
        component: usize,
        channel: usize,
    ) {
        const NOTHING: [f32; LANES * IN] = [0.0; LANES * IN];
        let first = self.origin(tile);
        let row = self.size[1] * LANES;
        // The columns of the tile that lie in the map; rows outside read zeros instead.
        let start = self.padding[1].saturating_sub(first[1]).min(IN);
        let end = (self.size[1] + self.padding[1]).saturating_sub(first[1]).clamp(start, IN);
        let left = (first[1] + start).saturating_sub(self.padding[1]) * LANES;
        // SAFETY: rows and columns outside of the map are left out; the rest is the caller's promise.
        unsafe {
            let rows: [(*const f32, usize); IN] =
                std::array::from_fn(|r| match (first[0] + r).checked_sub(self.padding[0]) {
                    Some(y) if y < self.size[0] => (x.add(y * row + left), self.pixels()),
                    _ => (NOTHING.as_ptr(), 0),
                });
            // Columns outside are never written: they stay zeros.
            let mut half = [[V::splat(0.0); IN]; IN];
            for c in 0..channels {
                // Channels are too far apart for the processor's own prefetcher.
                for (row, channel) in rows {
                    let ahead = row.wrapping_add((c + AHEAD) * channel);
                    for column in 0..end - start {
                        prefetch(ahead.wrapping_add(column * LANES));
                    }
                }
                for part in (0..LANES).step_by(V::WIDTH) {
                    for column in start..end {
                        let at = (column - start) * LANES + part;
                        let pixels = V::load_each(|r| rows[r].0.add(c * rows[r].1 + at));
                        let down = input::<V>(pixels);
                        for k in 0..IN {
                            half[k][column] = down[k];
                        }
                    }
                    let into = into.add(c * channel + part);
                    for k in 0..IN {
                        for (l, value) in input::<V>(half[k]).into_iter().enumerate() {
                            value.store(into.add((k * IN + l) * component));
                        }
                    }
                }
            }
        }
    }
}

/// One block of images through a convolution. All of the maps of the filters in `range` are written.
struct Block<'a> {
    tiling: &'a Tiling,
    /// Of filters.
    range: Range<usize>,
    filters: &'a [f32],
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
        let tiling = self.tiling;
        let (channels, chunk) = (tiling.channels, tiling.chunk());
        // Per component, tile after tile: what is summed up together lies together.
        let inputs = COMPONENTS * (chunk * channels * LANES + GAP);
        let mut inputs = Box::<[f32]>::new_uninit_slice(inputs);
        let products = COMPONENTS * (chunk * FILTERS * LANES + GAP);
        let mut products = Box::<[f32]>::new_uninit_slice(products);
        let mut room = Tile([0.0; OUT * OUT * LANES]);
        for first in (0..tiling.count()).step_by(chunk) {
            let tiles = chunk.min(tiling.count() - first);
            let component = tiles * channels * LANES + GAP;
            let product = tiles * FILTERS * LANES + GAP;
            for tile in 0..tiles {
                // SAFETY: `inputs` has room for all components of all tiles of a chunk.
                unsafe {
                    let into = inputs.as_mut_ptr().cast::<f32>().add(tile * channels * LANES);
                    let x = self.x.as_ptr();
                    tiling.transform::<V>(x, channels, first + tile, into, component, LANES);
                }
            }
            for block in 0..self.range.len().div_ceil(FILTERS) {
                let filter = self.range.start + block * FILTERS;
                let filters = FILTERS.min(self.range.end - filter);
                for k in 0..COMPONENTS {
                    let line = Line {
                        x: inputs[k * component..].as_ptr().cast(),
                        channel: LANES,
                        step: channels * LANES,
                        channels,
                        taps: &[0],
                        weights: &self.filters[(block * COMPONENTS + k) * channels * FILTERS..],
                        out: products[k * product..].as_mut_ptr().cast(),
                        filter: LANES,
                        out_step: FILTERS * LANES,
                        filters,
                        positions: tiles,
                        bias: None,
                        relu: false,
                        add: false,
                        stream: false,
                    };
                    // SAFETY: both buffers have the room that the line describes.
                    unsafe { line.run::<V>() };
                }
                for f in 0..filters {
                    let bias = self.bias.map_or(0.0, |bias| bias[filter + f]);
                    let map = tiling.positions();
                    let out = &mut self.out[(filter + f) * map..][..map];
                    for tile in 0..tiles {
                        let from = products[(tile * FILTERS + f) * LANES..].as_ptr().cast();
                        let origin = tiling.origin(first + tile);
                        let room = self.is_large.then_some(&mut room);
                        // SAFETY: the origin lies within the map of the output, which starts at a cache line.
                        unsafe {
                            inverse::<V>(tiling, from, product, origin, bias, self.relu, room, out)
                        };
                    }
                }
            }
        }
        fence();
    }
}

/// Prefetches a tile of `rows` by `columns` pixels. It starts at `map` plus `ahead` numbers, and its rows are
/// `row` numbers apart.
#[inline(always)]
pub(super) fn prefetch_tile(
    map: *const f32,
    ahead: usize,
    row: usize,
    [rows, columns]: [usize; 2],
) {
    for y in 0..rows {
        for x in 0..columns {
            prefetch(map.wrapping_add(ahead + y * row + x * LANES));
        }
    }
}

/// Room for a tile of outputs.
#[repr(align(64))]
pub(super) struct Tile([f32; OUT * OUT * LANES]);

/// Writes one tile of outputs from its components; by streaming stores if there is `room` to make it in, since
/// these need whole cache lines.
///
/// # Safety
/// `products` leads to all components, `map` is one map of outputs, which starts at a cache line if there is `room`, and
/// `origin` lies within.
#[inline(always)]
pub(super) unsafe fn inverse<V: Simd>(
    tiling: &Tiling,
    products: *const f32,
    component: usize,
    origin: [usize; 2],
    bias: f32,
    relu: bool,
    mut room: Option<&mut Tile>,
    map: &mut [MaybeUninit<f32>],
) {
    let rows = OUT.min(tiling.out[0] - origin[0]);
    let columns = OUT.min(tiling.out[1] - origin[1]);
    let row = tiling.out[1] * LANES;
    // SAFETY: the caller's promise; rows and columns behind the map are left out.
    unsafe {
        let map = map.as_mut_ptr().cast::<f32>().add(origin[0] * row + origin[1] * LANES);
        let (to, step) = match &mut room {
            Some(room) => (room.0.as_mut_ptr(), OUT * LANES),
            None => {
                prefetch_tile(map, AHEAD * tiling.positions(), row, [rows, columns]);
                (map, row)
            }
        };
        for part in (0..LANES).step_by(V::WIDTH) {
            let from = products.add(part);
            let mut half = [[V::splat(0.0); IN]; OUT];
            for l in 0..IN {
                let column = V::load_each(|k| from.add((k * IN + l) * component));
                let down = output::<V>(column);
                for y in 0..OUT {
                    half[y][l] = down[y];
                }
            }
            for y in 0..rows {
                let across = output::<V>(half[y]);
                for x in 0..columns {
                    let value = across[x].add(V::splat(bias));
                    let value = if relu { value.relu() } else { value };
                    value.store(to.add(y * step + x * LANES + part));
                }
            }
        }
        if let Some(room) = room {
            for y in 0..rows {
                for x in 0..columns {
                    let line = room.0.as_ptr().add((y * OUT + x) * LANES);
                    stream_line::<V>(line, map.add(y * row + x * LANES));
                }
            }
        }
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
    let tiling = Tiling::forward(geometry);
    let channels = geometry.channels;
    let weight =
        |filter: usize, channel: usize, tap: usize| w[(filter * channels + channel) * 9 + tap];
    tiling.run(weight, x, bias, relu)
}

/// The gradient of x.
pub(super) fn backward_input(geometry: &Geometry, gradient: &[f32], w: &[f32]) -> Vec<f32> {
    let tiling = Tiling::backward(geometry);
    let channels = geometry.channels;
    // Channels are filters here, and filters are turned by half a circle.
    let weight =
        |channel: usize, filter: usize, tap: usize| w[(filter * channels + channel) * 9 + 8 - tap];
    tiling.run(weight, gradient, None, false)
}
