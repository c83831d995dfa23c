//! Convolution without unrolling, on batches in [lanes](super::lanes).
//!
//! Sixteen images lie side by side in a vector, so a product of a weight with a pixel is one
//! instruction for all of them, whatever the stride or the number of channels. A tile of filters
//! and neighbouring pixels is summed up in registers.

use super::lanes::LANES;
use super::simd::Simd;

/// Filters whose weights lie together.
pub(super) const FILTERS: usize = 8;

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
}

impl Line<'_> {
    /// # Safety
    /// All pixels, weights and outputs that the fields describe exist, and nobody else uses the
    /// outputs.
    #[inline(always)]
    pub(super) unsafe fn run<V: Simd>(&self) {
        // SAFETY: the caller's promise.
        unsafe {
            for part in (0..LANES).step_by(V::WIDTH) {
                if V::MANY_REGISTERS {
                    match self.filters {
                        8 => self.tiles::<V, 8, 2>(part, 0),
                        7 => self.tiles::<V, 7, 3>(part, 0),
                        6 => self.tiles::<V, 6, 4>(part, 0),
                        5 => self.tiles::<V, 5, 4>(part, 0),
                        rest => self.few::<V, 4>(part, 0, rest),
                    }
                } else {
                    for first in (0..self.filters).step_by(4) {
                        self.few::<V, 2>(part, first, self.filters - first);
                    }
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn few<V: Simd, const P: usize>(&self, part: usize, first: usize, filters: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            match filters {
                1 => self.tiles::<V, 1, 4>(part, first),
                2 => self.tiles::<V, 2, 4>(part, first),
                3 => self.tiles::<V, 3, P>(part, first),
                _ => self.tiles::<V, 4, P>(part, first),
            }
        }
    }

    /// Tiles of `F` filters from `first` on and `P` outputs, then what is left.
    #[inline(always)]
    unsafe fn tiles<V: Simd, const F: usize, const P: usize>(&self, part: usize, first: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut position = 0;
            while position + P <= self.positions {
                self.tile::<V, F, P>(part, first, position);
                position += P;
            }
            while position + 2 <= self.positions {
                self.tile::<V, F, 2>(part, first, position);
                position += 2;
            }
            if position < self.positions {
                self.tile::<V, F, 1>(part, first, position);
            }
        }
    }

    #[inline(always)]
    unsafe fn tile<V: Simd, const F: usize, const P: usize>(
        &self,
        part: usize,
        first: usize,
        position: usize,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let out = self.out.add(first * self.filter + position * self.out_step + part);
            let mut sums = [[V::splat(0.0); P]; F];
            for f in 0..F {
                for p in 0..P {
                    if self.add {
                        sums[f][p] = V::load(out.add(f * self.filter + p * self.out_step));
                    } else if let Some(bias) = self.bias {
                        sums[f][p] = V::splat(*bias.get_unchecked(first + f));
                    }
                }
            }
            let mut x = self.x.add(position * self.step + part);
            let mut weights = self.weights.as_ptr().add(first);
            for _ in 0..self.channels {
                for tap in self.taps {
                    let from = x.add(*tap);
                    let pixels: [V; P] = std::array::from_fn(|p| V::load(from.add(p * self.step)));
                    for f in 0..F {
                        let weight = V::splat(*weights.add(f));
                        for p in 0..P {
                            sums[f][p] = pixels[p].fma(weight, sums[f][p]);
                        }
                    }
                    weights = weights.add(FILTERS);
                }
                x = x.add(self.channel);
            }
            for f in 0..F {
                for p in 0..P {
                    let to = out.add(f * self.filter + p * self.out_step);
                    let sum = if self.relu { sums[f][p].relu() } else { sums[f][p] };
                    sum.store(to);
                }
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

impl Dots<'_> {
    /// # Safety
    /// All that the fields describe exists, and nobody else uses `into`.
    #[inline(always)]
    pub(super) unsafe fn run<V: Simd>(&self) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut filter = 0;
            if V::MANY_REGISTERS {
                while filter + 6 <= self.filters {
                    self.taps::<V, 6>(filter);
                    filter += 6;
                }
            }
            while filter + 4 <= self.filters {
                self.taps::<V, 4>(filter);
                filter += 4;
            }
            while filter < self.filters {
                self.taps::<V, 1>(filter);
                filter += 1;
            }
        }
    }

    #[inline(always)]
    unsafe fn taps<V: Simd, const F: usize>(&self, filter: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut tap = 0;
            while tap + 3 <= self.taps.len() {
                self.tile::<V, F, 3>(filter, tap);
                tap += 3;
            }
            while tap < self.taps.len() {
                self.tile::<V, F, 1>(filter, tap);
                tap += 1;
            }
        }
    }

    #[inline(always)]
    unsafe fn tile<V: Simd, const F: usize, const T: usize>(&self, filter: usize, tap: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = [[V::splat(0.0); T]; F];
            let gradient = self.gradient.add(filter * self.filter);
            let taps: [usize; T] = std::array::from_fn(|t| self.taps[tap + t]);
            for row in 0..self.rows {
                let mut gradient = gradient.add(row * self.gradient_row);
                let mut x = self.x.add(row * self.row);
                for _ in 0..self.positions {
                    for part in (0..LANES).step_by(V::WIDTH) {
                        let pixels: [V; T] =
                            std::array::from_fn(|t| V::load(x.add(taps[t] + part)));
                        for f in 0..F {
                            let slope = V::load(gradient.add(f * self.filter + part));
                            for t in 0..T {
                                sums[f][t] = slope.fma(pixels[t], sums[f][t]);
                            }
                        }
                    }
                    gradient = gradient.add(LANES);
                    x = x.add(self.step);
                }
            }
            for f in 0..F {
                for t in 0..T {
                    *self.into.add((filter + f) * self.into_filter + tap + t) += sums[f][t].sum();
                }
            }
        }
    }
}
