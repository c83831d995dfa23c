//! Convolution without unrolling, on batches in [lanes](super::lanes).
//!
//! Sixteen images lie side by side in a vector, so a product of a weight with a pixel is one
//! instruction for all of them, whatever the stride or the number of channels. A tile of filters
//! and neighbouring pixels is summed up in registers.

use std::ops::Range;

use super::lanes::{LANES, sum_of};
use super::simd::Simd;

/// Filters whose weights lie together: as many as tiles of sixteen registers do in two halves.
pub(super) const FILTERS: usize = 12;

/// How often loops over the terms of a sum are unrolled; without, loop instructions take a sixth of the time.
/// Divides `LANES`.
pub(super) const UNROLLED: usize = 4;
const _: () = assert!(LANES.is_multiple_of(UNROLLED));

/// One line of outputs: `out[f][p] = start + Σ_c Σ_t weight[c][t][f] · x[c · channel + tap_t + p · step]`.
/// All strides are in numbers.
pub(super) struct Line<'a> {
    /// The pixel that tap offsets count from, for the first output.
    pub(super) x: *const f32,
    /// Between channels of x.
    pub(super) channel: usize,
    /// Between pixels of neighbouring outputs.
    pub(super) step: usize,
    /// Input channels.
    pub(super) channels: usize,
    /// Where each tap looks.
    pub(super) taps: &'a [usize],
    /// `[channels][taps][FILTERS]`, for one block of filters.
    pub(super) weights: &'a [f32],
    /// The first output of the first filter.
    pub(super) out: *mut f32,
    /// Between filters of the output.
    pub(super) filter: usize,
    /// Between neighbouring outputs.
    pub(super) out_step: usize,
    /// Filters in this block, at most `FILTERS`.
    pub(super) filters: usize,
    /// Outputs.
    pub(super) positions: usize,
    /// What sums start with, if not 0; one per filter of the block.
    pub(super) bias: Option<&'a [f32]>,
    /// Replace negative results by 0.
    pub(super) relu: bool,
    /// Start with what stands in the output.
    pub(super) add: bool,
    /// Use streaming stores: outputs start at cache lines, and a fence has to follow.
    pub(super) stream: bool,
}

impl Line<'_> {
    /// # Safety
    /// All pixels, weights and outputs that the fields describe exist, and no other thread uses the
    /// outputs.
    #[inline(always)]
    pub(super) unsafe fn run<V: Simd>(&self) {
        // SAFETY: the caller's promise.
        unsafe {
            let halves = LANES / V::WIDTH;
            match (V::MANY_REGISTERS, self.filters) {
                (true, 12) => self.tiles::<V, 12, 0, 2>(),
                (false, 12) => self.tiles::<V, 6, 6, 2>(),
                (_, 11) => self.tiles::<V, 6, 5, 2>(),
                (_, 10) => self.tiles::<V, 5, 5, 2>(),
                (_, 9) => self.tiles::<V, 5, 4, 2>(),
                (true, 8) => self.tiles::<V, 8, 0, 2>(),
                (true, 7) if halves == 1 => self.tiles::<V, 7, 0, 3>(),
                (true, 7) => self.tiles::<V, 7, 0, 2>(),
                (true, 6) => self.tiles::<V, 6, 0, 4>(),
                (true, 5) => self.tiles::<V, 5, 0, 4>(),
                (true, 4) => self.tiles::<V, 4, 0, 4>(),
                (true, 3) => self.tiles::<V, 3, 0, 4>(),
                (false, 8) => self.tiles::<V, 4, 4, 2>(),
                (false, 7) => self.tiles::<V, 4, 3, 2>(),
                (false, 6) => self.tiles::<V, 6, 0, 2>(),
                (false, 5) => self.tiles::<V, 5, 0, 2>(),
                (false, 4) => self.tiles::<V, 4, 0, 2>(),
                (false, 3) => self.tiles::<V, 3, 0, 2>(),
                (_, 2) => self.tiles::<V, 2, 0, 4>(),
                _ => self.tiles::<V, 1, 0, 4>(),
            }
        }
    }

    /// Tiles of `P` vectors, each with `A` filters and then, while its pixels are at hand, with the
    /// `B` that no registers were left for; `P` is 2 if there are such.
    #[inline(always)]
    unsafe fn tiles<V: Simd, const A: usize, const B: usize, const P: usize>(&self) {
        // SAFETY: the caller's promise.
        unsafe {
            let vectors = self.positions * LANES / V::WIDTH;
            let mut vector = 0;
            while vector + P <= vectors {
                self.tile::<V, A, P>(0, vector);
                if B > 0 {
                    self.tile::<V, B, P>(A, vector);
                }
                vector += P;
            }
            while vector + 2 <= vectors {
                self.tile::<V, A, 2>(0, vector);
                vector += 2;
            }
            if vector < vectors {
                self.tile::<V, A, 1>(0, vector);
                if B > 0 {
                    self.tile::<V, B, 1>(A, vector);
                }
            }
        }
    }

    /// `F` filters from `first` on and `P` vectors of outputs from number `vector` on, which lie in
    /// one position or are all vectors of several.
    #[inline(always)]
    unsafe fn tile<V: Simd, const F: usize, const P: usize>(&self, first: usize, vector: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let per_position = LANES / V::WIDTH;
            let (position, part) = (vector / per_position, vector % per_position * V::WIDTH);
            let places = |step: usize| -> [usize; P] {
                std::array::from_fn(|p| p / per_position * step + p % per_position * V::WIDTH)
            };
            let (looks, goes) = (places(self.step), places(self.out_step));
            let out = self.out.add(first * self.filter + position * self.out_step + part);
            let mut sums = [[V::splat(0.0); P]; F];
            for f in 0..F {
                for p in 0..P {
                    if self.add {
                        sums[f][p] = V::load(out.add(f * self.filter + goes[p]));
                    } else if let Some(bias) = self.bias {
                        sums[f][p] = V::splat(*bias.get_unchecked(first + f));
                    }
                }
            }
            let mut x = self.x.add(position * self.step + part);
            let mut weights = self.weights.as_ptr().add(first);
            if let [tap] = self.taps {
                // All products of Winograd's algorithm are of this kind: an inner loop would cost as much as they do.
                x = x.add(*tap);
                for _ in 0..self.channels / UNROLLED {
                    for _ in 0..UNROLLED {
                        products(x, looks, weights, &mut sums);
                        weights = weights.add(FILTERS);
                        x = x.add(self.channel);
                    }
                }
                for _ in 0..self.channels % UNROLLED {
                    products(x, looks, weights, &mut sums);
                    weights = weights.add(FILTERS);
                    x = x.add(self.channel);
                }
            } else {
                for _ in 0..self.channels {
                    for tap in self.taps {
                        products(x.add(*tap), looks, weights, &mut sums);
                        weights = weights.add(FILTERS);
                    }
                    x = x.add(self.channel);
                }
            }
            for f in 0..F {
                for p in 0..P {
                    let sum = if self.relu { sums[f][p].relu() } else { sums[f][p] };
                    let to = out.add(f * self.filter + goes[p]);
                    if self.stream { sum.stream(to) } else { sum.store(to) }
                }
            }
        }
    }
}

/// Adds the products of `F` weights with the pixels that stand at `places` behind `x`.
///
/// # Safety
/// There are so many weights, and vectors of pixels.
#[inline(always)]
unsafe fn products<V: Simd, const F: usize, const P: usize>(
    x: *const f32,
    places: [usize; P],
    weights: *const f32,
    sums: &mut [[V; P]; F],
) {
    // SAFETY: the caller's promise.
    unsafe {
        let pixels: [V; P] = V::load_each(|p| x.add(places[p]));
        for f in 0..F {
            let weight = V::splat(*weights.add(f));
            for p in 0..P {
                sums[f][p] = pixels[p].fma(weight, sums[f][p]);
            }
        }
    }
}

/// A rectangle of gradients against shifted pixels:
/// `into[f][t] += Σ_rows Σ_positions Σ_lanes gradient[f] · x[tap_t]`, summed over lanes.
pub(super) struct Dots<'a> {
    pub(super) gradient: *const f32,
    /// Between filters of the gradient.
    pub(super) filter: usize,
    /// Between rows of the gradient.
    pub(super) gradient_row: usize,
    pub(super) x: *const f32,
    /// Between the input rows of neighbouring output rows.
    pub(super) row: usize,
    /// Between the pixels of neighbouring outputs.
    pub(super) step: usize,
    pub(super) rows: usize,
    pub(super) positions: usize,
    /// Where each tap looks.
    pub(super) taps: &'a [usize],
    pub(super) filters: usize,
    pub(super) into: *mut f32,
    /// Between filters of `into`.
    pub(super) into_filter: usize,
}

/// All taps look at the same rows before they go on to the next ones. In these rows the gradients of a tile's filters
/// have so many numbers, which stay in the first-level cache.
const RESIDENT: usize = 4 * 1024;

/// Taps whose sums stay in that cache too; a multiple of the taps of every tile.
const TAPS: usize = 36;

/// The most filters of a tile.
const FILTERS_AT_ONCE: usize = 6;

impl Dots<'_> {
    /// # Safety
    /// All that the fields describe exists, and no other thread uses `into`.
    #[inline(always)]
    pub(super) unsafe fn run<V: Simd>(&self) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = Vec::new();
            let mut filter = 0;
            while filter < self.filters {
                filter += match (V::MANY_REGISTERS, self.filters - filter) {
                    (true, 6..) => self.taps::<V, 6, 3>(filter, &mut sums),
                    (false, 6) => self.taps::<V, 6, 2>(filter, &mut sums),
                    (_, 4..) => self.taps::<V, 4, 3>(filter, &mut sums),
                    (_, 3) => self.taps::<V, 3, 3>(filter, &mut sums),
                    (_, 2) => self.taps::<V, 2, 4>(filter, &mut sums),
                    _ => self.taps::<V, 1, 4>(filter, &mut sums),
                };
            }
        }
    }

    /// Tiles of `F` filters and `T` taps; how many filters. Each lane of `sums` has a sum of its own, row after row
    /// and position after position, whatever the width of registers and however many rows are taken together.
    #[inline(always)]
    unsafe fn taps<V: Simd, const F: usize, const T: usize>(
        &self,
        filter: usize,
        sums: &mut Vec<[[f32; LANES]; FILTERS_AT_ONCE]>,
    ) -> usize {
        // SAFETY: the caller's promise.
        unsafe {
            let together = (RESIDENT / (F * self.positions * LANES).max(1)).max(1);
            for (group, taps) in self.taps.chunks(TAPS).enumerate() {
                sums.clear();
                sums.resize(taps.len(), [[0.0; LANES]; FILTERS_AT_ONCE]);
                for first in (0..self.rows).step_by(together) {
                    let rows = first..self.rows.min(first + together);
                    let mut tap = 0;
                    while tap + T <= taps.len() {
                        self.tile::<V, F, T>(filter, rows.clone(), &taps[tap..], &mut sums[tap..]);
                        tap += T;
                    }
                    while tap < taps.len() {
                        self.tile::<V, F, 1>(filter, rows.clone(), &taps[tap..], &mut sums[tap..]);
                        tap += 1;
                    }
                }
                for (tap, sums) in sums.iter().enumerate() {
                    for f in 0..F {
                        let place = (filter + f) * self.into_filter + group * TAPS + tap;
                        *self.into.add(place) += sum_of(sums[f]);
                    }
                }
            }
        }
        F
    }

    /// Adds the products of some rows to the sums of `F` filters and the first `T` of `taps`.
    #[inline(always)]
    unsafe fn tile<V: Simd, const F: usize, const T: usize>(
        &self,
        filter: usize,
        rows: Range<usize>,
        taps: &[usize],
        sums: &mut [[[f32; LANES]; FILTERS_AT_ONCE]],
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let gradient = self.gradient.add(filter * self.filter);
            let taps: [usize; T] = std::array::from_fn(|t| taps[t]);
            for part in (0..LANES).step_by(V::WIDTH) {
                let mut of_part = [[V::splat(0.0); T]; F];
                for f in 0..F {
                    for t in 0..T {
                        of_part[f][t] = V::load(sums[t][f][part..].as_ptr());
                    }
                }
                for row in rows.clone() {
                    let mut gradient = gradient.add(row * self.gradient_row + part);
                    let mut x = self.x.add(row * self.row + part);
                    for _ in 0..self.positions {
                        let pixels: [V; T] = V::load_each(|t| x.add(taps[t]));
                        for f in 0..F {
                            let slope = V::load(gradient.add(f * self.filter));
                            for t in 0..T {
                                of_part[f][t] = slope.fma(pixels[t], of_part[f][t]);
                            }
                        }
                        gradient = gradient.add(LANES);
                        x = x.add(self.step);
                    }
                }
                for f in 0..F {
                    for t in 0..T {
                        of_part[f][t].store(sums[t][f][part..].as_mut_ptr());
                    }
                }
            }
        }
    }
}
