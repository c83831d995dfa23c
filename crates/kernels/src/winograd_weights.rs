//! The weight gradient of 3×3 convolutions in Winograd's domain.
//!
//! It is the transpose of the forward pass: transformed inputs times transformed output gradients,
//! summed over all tiles and images, then transformed back once. The inputs are turned so that
//! vectors run along channels and the sum runs along images.

use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use super::conv::Geometry;
use super::direct::UNROLLED;
use super::lanes::LANES;
use super::pieces::sum_in_order;
use super::simd::{Kernel, Simd, dispatch};
use super::transform::{COMPONENTS, IN, OUT, gradient, weights_back};
use super::winograd::{AHEAD, Tiling, prefetch_tile};
use super::winograd_deep;

/// Numbers of transformed input and gradient that are worked on together.
const CHUNK: usize = 192 * 1024;

/// Partial sums of the whole batch: enough for any number of threads that makes sense here.
const PARTS: usize = 8;

/// Numbers of transformed weight gradients that are summed up at a time.
const SLAB: usize = 5 << 19;

/// Room between components against conflicts in the cache.
const GAP: usize = LANES;

/// The gradient of w.
pub(super) fn backward_weights(geometry: &Geometry, gradient: &[f32], x: &[f32]) -> Vec<f32> {
    let tiling = Tiling::forward(geometry);
    if winograd_deep::pays(&tiling) {
        return winograd_deep::backward_weights(&tiling, gradient, x);
    }
    let (from, to) = (tiling.channels * tiling.pixels(), tiling.filters * tiling.positions());
    let per_part = (x.len() / from).div_ceil(PARTS).max(1);
    let slab = (SLAB / (COMPONENTS * tiling.channels)).next_multiple_of(8);
    let mut into = Box::<[f32]>::new_uninit_slice(tiling.filters * tiling.channels * 9);
    for (index, into) in into.chunks_mut(slab * tiling.channels * 9).enumerate() {
        let range = index * slab..tiling.filters.min((index + 1) * slab);
        let parts: Vec<Vec<f32>> = x
            .par_chunks(per_part * from)
            .zip(gradient.par_chunks(per_part * to))
            .map(|(x, gradient)| {
                dispatch(Part { tiling: &tiling, range: range.clone(), x, gradient })
            })
            .collect();
        let components = sum_in_order(parts);
        into.par_chunks_mut(tiling.channels * 9).enumerate().for_each(|(filter, into)| {
            let padded = tiling.channels.next_multiple_of(LANES);
            let (from, step) = (&components[filter * padded..], range.len() * padded);
            dispatch(
                #[inline(always)]
                || {
                    // SAFETY: there are all components of each filter.
                    unsafe { taps_of(from.as_ptr(), step, false, into) }
                },
            );
        });
    }
    // SAFETY: the taps of each filter were written.
    unsafe { into.assume_init() }.into_vec()
}

/// Transforms the components of one filter, so many numbers apart, back to the gradients of its
/// taps, `[channels][9]`; these are added to what stands there if `add`. All of `into` is written.
///
/// # Safety
/// The components of all channels, padded to whole vectors, can be read, and so can `into` if `add`.
#[inline(always)]
pub(super) unsafe fn taps_of(
    components: *const f32,
    component: usize,
    add: bool,
    into: &mut [MaybeUninit<f32>],
) {
    let channels = into.len() / 9;
    for first in (0..channels).step_by(LANES) {
        let mut rows = [[[0.0; LANES]; 3]; IN];
        for (k, row) in rows.iter_mut().enumerate() {
            let mut found = [[0.0; LANES]; IN];
            for (l, found) in found.iter_mut().enumerate() {
                let at = (k * IN + l) * component + first;
                // SAFETY: the caller's promise.
                *found = unsafe { components.add(at).cast::<[f32; LANES]>().read_unaligned() };
            }
            *row = weights_back::<LANES>(found);
        }
        for column in 0..3 {
            let mut found = [[0.0; LANES]; IN];
            for k in 0..IN {
                found[k] = rows[k][column];
            }
            for (row, tap) in weights_back::<LANES>(found).iter().enumerate() {
                for (lane, value) in tap.iter().take(channels - first).enumerate() {
                    let into = &mut into[(first + lane) * 9 + row * 3 + column];
                    // SAFETY: the caller's promise.
                    let before = if add { Some(unsafe { into.assume_init() }) } else { None };
                    into.write(before.map_or(*value, |before| before + value));
                }
            }
        }
    }
}

/// A few blocks of images; the result is `[COMPONENTS][filters][channels]`, channels padded to
/// whole vectors.
struct Part<'a> {
    tiling: &'a Tiling,
    /// Of filters.
    range: Range<usize>,
    x: &'a [f32],
    gradient: &'a [f32],
}

impl Kernel for Part<'_> {
    type Out = Vec<f32>;

    #[inline(always)]
    fn run<V: Simd>(self) -> Vec<f32> {
        let tiling = self.tiling;
        let (channels, filters) = (tiling.channels, self.range.len());
        let padded = channels.next_multiple_of(LANES);
        let per_tile = COMPONENTS * (padded + filters) * LANES;
        let chunk = (CHUNK / per_tile).clamp(1, tiling.count());
        let chunk = tiling.count().div_ceil(tiling.count().div_ceil(chunk));
        let mut into = Box::<[f32]>::new_uninit_slice(COMPONENTS * filters * padded);
        let inputs = COMPONENTS * (chunk * LANES * padded + GAP);
        let mut inputs = Box::<[f32]>::new_uninit_slice(inputs);
        let slopes = COMPONENTS * (chunk * LANES * filters + GAP);
        let mut slopes = Box::<[f32]>::new_uninit_slice(slopes);
        let group = LANES * LANES + GAP;
        let mut upright = vec![0.0; COMPONENTS * group];
        let blocks = self.x.chunks(channels * tiling.pixels());
        let mut is_first = true;
        let gradients = self.gradient.chunks(tiling.filters * tiling.positions());
        for (x, gradient) in blocks.zip(gradients) {
            let gradient = &gradient[self.range.start * tiling.positions()..];
            for first in (0..tiling.count()).step_by(chunk) {
                let tiles = chunk.min(tiling.count() - first);
                let side = tiles * LANES;
                let (component, slope) = (side * padded + GAP, side * filters + GAP);
                for tile in 0..tiles {
                    for c in (0..channels).step_by(LANES) {
                        // SAFETY: all buffers have room for the components of a chunk.
                        unsafe {
                            let x = x[c * tiling.pixels()..].as_ptr();
                            let count = LANES.min(channels - c);
                            let to = upright.as_mut_ptr();
                            tiling.transform::<V>(x, count, first + tile, to, group, LANES);
                            for k in 0..COMPONENTS {
                                let at = k * component + c * side + tile * LANES * LANES;
                                let to = inputs[at..].as_mut_ptr().cast();
                                V::transpose(upright[k * group..].as_ptr(), LANES, to, LANES);
                            }
                        }
                    }
                    for f in 0..filters {
                        let map = &gradient[f * tiling.positions()..][..tiling.positions()];
                        let to = slopes[f * side + tile * LANES..].as_mut_ptr().cast();
                        // SAFETY: as above.
                        unsafe { slopes_of::<V>(tiling, map, first + tile, to, slope) };
                    }
                }
                for k in 0..COMPONENTS {
                    let outer = Outer {
                        slopes: slopes[k * slope..].as_ptr().cast(),
                        inputs: inputs[k * component..].as_ptr().cast(),
                        into: into[k * filters * padded..].as_mut_ptr().cast(),
                        inner: side,
                        filters,
                        width: padded,
                        row: padded,
                        add: !is_first,
                    };
                    // SAFETY: the buffers have the sizes that the fields say.
                    unsafe { outer.run::<V>() };
                }
                is_first = false;
            }
        }
        assert!(!is_first, "a part has images");
        // SAFETY: the first products were stored to all of it.
        unsafe { into.assume_init() }.into_vec()
    }
}

/// Transforms the gradient of one tile of outputs.
///
/// # Safety
/// `into` has room for all components.
#[inline(always)]
pub(super) unsafe fn slopes_of<V: Simd>(
    tiling: &Tiling,
    map: &[f32],
    tile: usize,
    into: *mut f32,
    component: usize,
) {
    let origin = tiling.origin(tile);
    let rows = OUT.min(tiling.out[0] - origin[0]);
    let columns = OUT.min(tiling.out[1] - origin[1]);
    let row = tiling.out[1] * LANES;
    // SAFETY: rows and columns behind the map are left out; the rest is the caller's promise.
    unsafe {
        let map = map.as_ptr().add(origin[0] * row + origin[1] * LANES);
        prefetch_tile(map, AHEAD * tiling.positions(), row, [rows, columns]);
        for part in (0..LANES).step_by(V::WIDTH) {
            let mut half = [[V::splat(0.0); OUT]; IN];
            for x in 0..columns {
                let mut column = [V::splat(0.0); OUT];
                for y in 0..rows {
                    column[y] = V::load(map.add(y * row + x * LANES + part));
                }
                let down = gradient::<V>(column);
                for k in 0..IN {
                    half[k][x] = down[k];
                }
            }
            for k in 0..IN {
                for (l, value) in gradient::<V>(half[k]).into_iter().enumerate() {
                    value.store(into.add((k * IN + l) * component + part));
                }
            }
        }
    }
}

/// `into[f][c] (+)= Σ_j slopes[f][j] · inputs[c / LANES][j][c % LANES]`.
pub(super) struct Outer {
    pub(super) slopes: *const f32,
    pub(super) inputs: *const f32,
    pub(super) into: *mut f32,
    /// Numbers j, a multiple of `LANES`.
    pub(super) inner: usize,
    pub(super) filters: usize,
    /// Numbers c, whole vectors of `LANES`.
    pub(super) width: usize,
    /// Numbers between rows of sums.
    pub(super) row: usize,
    pub(super) add: bool,
}

impl Outer {
    /// # Safety
    /// The pointers lead to matrices of the sizes that the other fields say.
    #[inline(always)]
    pub(super) unsafe fn run<V: Simd>(&self) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut column = 0;
            while column < self.width {
                let two = column + 2 * V::WIDTH <= self.width;
                let mut filter = 0;
                while filter < self.filters {
                    let left = self.filters - filter;
                    filter += match (two, V::MANY_REGISTERS, left) {
                        (true, true, 8..) => self.tile::<V, 8, 2>(filter, column),
                        // Eight are done faster as four and four than as six and two.
                        (true, false, 6 | 7 | 9..) => self.tile::<V, 6, 2>(filter, column),
                        (true, _, 4..) => self.tile::<V, 4, 2>(filter, column),
                        (true, _, 2..) => self.tile::<V, 2, 2>(filter, column),
                        (true, ..) => self.tile::<V, 1, 2>(filter, column),
                        (false, _, 8..) => self.tile::<V, 8, 1>(filter, column),
                        (false, ..) => self.tile::<V, 1, 1>(filter, column),
                    };
                }
                column += if two { 2 } else { 1 } * V::WIDTH;
            }
        }
    }

    /// `F` filters and `P` vectors of numbers c; how many filters.
    #[inline(always)]
    unsafe fn tile<V: Simd, const F: usize, const P: usize>(
        &self,
        filter: usize,
        column: usize,
    ) -> usize {
        // SAFETY: the caller's promise.
        unsafe {
            let into = self.into.add(filter * self.row + column);
            let mut sums = [[V::splat(0.0); P]; F];
            if self.add {
                for f in 0..F {
                    for p in 0..P {
                        sums[f][p] = V::load(into.add(f * self.row + p * V::WIDTH));
                    }
                }
            }
            let slopes = self.slopes.add(filter * self.inner);
            let places: [usize; P] = std::array::from_fn(|p| {
                let c = column + p * V::WIDTH;
                c / LANES * LANES * self.inner + c % LANES
            });
            for first in (0..self.inner).step_by(UNROLLED) {
                for j in first..first + UNROLLED {
                    let row: [V; P] = V::load_each(|p| self.inputs.add(places[p] + j * LANES));
                    for f in 0..F {
                        let slope = V::splat(*slopes.add(f * self.inner + j));
                        for p in 0..P {
                            sums[f][p] = row[p].fma(slope, sums[f][p]);
                        }
                    }
                }
            }
            for f in 0..F {
                for p in 0..P {
                    sums[f][p].store(into.add(f * self.row + p * V::WIDTH));
                }
            }
        }
        F
    }
}
