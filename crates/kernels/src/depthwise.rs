//! Depthwise convolutions: each filter sees one channel (Howard et al., "MobileNets", 2017).
//!
//! There is no matrix product in them, only rows times single weights. Each map is laid into a
//! [`Frame`] of zeros, where what a tap sees of a row of outputs is one run of numbers whatever the
//! padding, the stride and the dilation, and whether images lie [in lanes](super::lanes) or one
//! behind the other. Frames stay in the second-level cache.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::activation::{Activation, Elementwise};
use super::conv::Geometry;
use super::frame::Frame;
use super::lanes::{LANES, sum_of};
use super::simd::{Kernel, Simd, dispatch};

/// `out = Σ_t weight[t] · frame[tap_t] + bias`, then max(0, ·) if `relu`. All of `out` is written and returned.
struct Sums<'a, 'b> {
    frame: &'a Frame,
    room: &'a mut [f32],
    map: &'a [f32],
    weights: &'a [f32],
    bias: f32,
    relu: bool,
    out: &'b mut [MaybeUninit<f32>],
}

impl<'b> Kernel for Sums<'_, 'b> {
    type Out = &'b mut [f32];

    #[inline(always)]
    fn run<V: Simd>(self) -> &'b mut [f32] {
        assert_eq!(self.out.len(), self.frame.positions(), "outputs of a map");
        self.frame.lay(self.map, self.room);
        let [run, whole] = self.frame.run();
        let mut line = vec![0.0; whole];
        let taps = self.frame.taps.iter().copied().zip(self.weights.iter().copied());
        let start = (taps, self.bias, self.relu);
        for (from, range) in self.frame.lines() {
            let from = self.room[from..].as_ptr();
            let out = &mut self.out[range];
            let to = if run == whole { out.as_mut_ptr().cast() } else { line.as_mut_ptr() };
            let mut at = 0;
            // SAFETY: whole vectors behind each tap lie in the frame; so do those of the outputs, or
            // they go to `line`, which has them.
            unsafe {
                while at + 4 * V::WIDTH <= whole {
                    Self::tile::<V, 4>(&start, from.add(at), to.add(at));
                    at += 4 * V::WIDTH;
                }
                while at < whole {
                    Self::tile::<V, 1>(&start, from.add(at), to.add(at));
                    at += V::WIDTH;
                }
            }
            if run < whole {
                out.write_copy_of_slice(&line[..run]);
            }
        }
        // SAFETY: the lines are all of it, and each was written.
        unsafe { self.out.assume_init_mut() }
    }
}

impl Sums<'_, '_> {
    /// # Safety
    /// As many vectors as `P` can be read behind each tap from `from` on, and written at `to`.
    #[inline(always)]
    unsafe fn tile<V: Simd, const P: usize>(
        (taps, bias, relu): &(impl Iterator<Item = (usize, f32)> + Clone, f32, bool),
        from: *const f32,
        to: *mut f32,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = [V::splat(*bias); P];
            for (tap, weight) in taps.clone() {
                let weight = V::splat(weight);
                for p in 0..P {
                    sums[p] = V::load(from.add(tap + p * V::WIDTH)).fma(weight, sums[p]);
                }
            }
            for p in 0..P {
                let sum = if *relu { sums[p].relu() } else { sums[p] };
                sum.store(to.add(p * V::WIDTH));
            }
        }
    }
}

/// The transpose of [`Sums`]: adds each gradient, times each weight, to where the tap looked. All of `map` is
/// written.
struct Spread<'a> {
    frame: &'a Frame,
    room: &'a mut [f32],
    gradient: &'a [f32],
    weights: &'a [f32],
    map: &'a mut [MaybeUninit<f32>],
}

impl Kernel for Spread<'_> {
    type Out = ();

    #[inline(always)]
    fn run<V: Simd>(self) {
        self.room.fill(0.0);
        let [run, whole] = self.frame.run();
        let mut line = vec![0.0; whole];
        for (from, range) in self.frame.lines() {
            let gradient = &self.gradient[range];
            let slopes = if run == whole {
                gradient.as_ptr()
            } else {
                line[..run].copy_from_slice(gradient);
                line.as_ptr()
            };
            let to = self.room[from..].as_mut_ptr();
            for (tap, weight) in self.frame.taps.iter().zip(self.weights) {
                let weight = V::splat(*weight);
                for at in (0..whole).step_by(V::WIDTH) {
                    // SAFETY: as in `Sums`.
                    unsafe {
                        let to = to.add(tap + at);
                        let slope = V::load(slopes.add(at));
                        slope.fma(weight, V::load(to)).store(to);
                    }
                }
            }
        }
        self.frame.take(self.room, self.map);
    }
}

/// `into[t] += Σ gradient · frame[tap_t]` over a map.
struct Products<'a> {
    frame: &'a Frame,
    room: &'a mut [f32],
    map: &'a [f32],
    gradient: &'a [f32],
    into: &'a mut [f32],
}

impl Kernel for Products<'_> {
    type Out = ();

    #[inline(always)]
    fn run<V: Simd>(self) {
        self.frame.lay(self.map, self.room);
        let [run, whole] = self.frame.run();
        // Zeros behind a row of gradients let it be read in whole vectors.
        let mut padded = Vec::new();
        let lines = if run == whole {
            self.gradient
        } else {
            padded.resize(whole * self.frame.out[0], 0.0);
            for (line, (_, range)) in padded.chunks_exact_mut(whole).zip(self.frame.lines()) {
                line[..run].copy_from_slice(&self.gradient[range]);
            }
            &padded
        };
        let mut into = self.into.iter_mut();
        let (nines, rest) = self.frame.taps.as_chunks::<9>();
        let (threes, ones) = rest.as_chunks::<3>();
        // SAFETY: as in `Sums`.
        unsafe {
            nines
                .iter()
                .for_each(|taps| add(&mut into, self.frame.dots::<V, 9>(taps, self.room, lines)));
            threes
                .iter()
                .for_each(|taps| add(&mut into, self.frame.dots::<V, 3>(taps, self.room, lines)));
            ones.iter()
                .for_each(|tap| add(&mut into, self.frame.dots::<V, 1>(&[*tap], self.room, lines)));
        }
    }
}

#[inline(always)]
fn add<'a, const T: usize>(into: &mut impl Iterator<Item = &'a mut f32>, sums: [f32; T]) {
    into.zip(sums).for_each(|(into, sum)| *into += sum);
}

/// Positions after which another part of the lanes has its turn: the first-level cache still has them.
const TURN: usize = 32;

impl Frame {
    /// # Safety
    /// `room` is a frame, the taps are some of its own, and `lines` has rows of outputs in whole
    /// vectors.
    #[inline(always)]
    unsafe fn dots<V: Simd, const T: usize>(
        &self,
        taps: &[usize; T],
        room: &[f32],
        lines: &[f32],
    ) -> [f32; T] {
        let [_, whole] = self.run();
        // As the weights of other convolutions: each lane has its sum, and parts of the lanes take turns.
        let mut sums = [[0.0; LANES]; T];
        let together = (TURN * LANES / whole.max(1)).max(1);
        let rows: Vec<_> = lines.chunks_exact(whole).zip(self.lines()).collect();
        for rows in rows.chunks(together) {
            for part in (0..LANES).step_by(V::WIDTH) {
                // SAFETY: parts lie within LANES; the rest is the caller's promise.
                unsafe {
                    let mut of_part: [V; T] = V::load_each(|t| sums[t][part..].as_ptr());
                    for (line, (from, _)) in rows {
                        let from = room[*from..].as_ptr();
                        for at in (part..whole).step_by(LANES) {
                            let slope = V::load(line.as_ptr().add(at));
                            for t in 0..T {
                                of_part[t] = slope.fma(V::load(from.add(taps[t] + at)), of_part[t]);
                            }
                        }
                    }
                    for t in 0..T {
                        of_part[t].store(sums[t][part..].as_mut_ptr());
                    }
                }
            }
        }
        sums.map(sum_of)
    }
}

/// `activation(x ⋆ w + bias)`; `lanes` images lie side by side.
pub(super) fn forward(
    geometry: &Geometry,
    lanes: usize,
    x: &[f32],
    w: &[f32],
    bias: Option<&[f32]>,
    activation: Option<Activation>,
) -> Vec<f32> {
    let frame = &Frame::new(geometry, lanes);
    let relu = activation == Some(Activation::Relu);
    let maps = x.len() / frame.pixels();
    let mut result = Box::<[f32]>::new_uninit_slice(maps * frame.positions());
    result
        .par_chunks_mut(frame.positions())
        .zip(x.par_chunks(frame.pixels()))
        .enumerate()
        .with_min_len(4)
        .for_each_init(
            || frame.empty(),
            |room, (index, (out, map))| {
                let channel = index % geometry.channels;
                let weights = &w[channel * frame.taps.len()..][..frame.taps.len()];
                let bias = bias.map_or(0.0, |bias| bias[channel]);
                let out = dispatch(Sums { frame, room, map, weights, bias, relu, out });
                if let Some(activation) = activation.filter(|_| !relu) {
                    activation.apply_in_place(out);
                }
            },
        );
    // SAFETY: each map of `x` has written one of the result.
    unsafe { result.assume_init() }.into_vec()
}

/// The gradient of x.
pub(super) fn backward_input(
    geometry: &Geometry,
    lanes: usize,
    gradient: &[f32],
    w: &[f32],
) -> Vec<f32> {
    let turned = Frame::turned(geometry, lanes);
    let frame = &Frame::new(geometry, lanes);
    let taps = frame.taps.len();
    let (pixels, positions) = (frame.pixels(), frame.positions());
    let mut for_x = Box::<[f32]>::new_uninit_slice(gradient.len() / positions * pixels);
    let pieces = for_x.par_chunks_mut(pixels).zip(gradient.par_chunks(positions)).enumerate();
    let pieces = pieces.with_min_len(4);
    if let Some(frame) = &turned {
        let w: Vec<f32> = w.chunks(taps).flat_map(|filter| filter.iter().rev()).copied().collect();
        pieces.for_each_init(
            || frame.empty(),
            |room, (index, (out, map))| {
                let weights = &w[index % geometry.channels * taps..][..taps];
                dispatch(Sums { frame, room, map, weights, bias: 0.0, relu: false, out });
            },
        );
    } else {
        pieces.for_each_init(
            || frame.empty(),
            |room, (index, (map, gradient))| {
                let weights = &w[index % geometry.channels * taps..][..taps];
                dispatch(Spread { frame, room, gradient, weights, map });
            },
        );
    }
    // SAFETY: each map of the gradient has written one of the result.
    unsafe { for_x.assume_init() }.into_vec()
}

/// The gradient of w: each channel adds up its images, first to last.
pub(super) fn backward_weights(
    geometry: &Geometry,
    lanes: usize,
    gradient: &[f32],
    x: &[f32],
) -> Vec<f32> {
    let frame = &Frame::new(geometry, lanes);
    let taps = frame.taps.len();
    let mut for_w = vec![0.0; geometry.channels * taps];
    for_w.par_chunks_mut(taps).enumerate().with_min_len(4).for_each_init(
        || frame.empty(),
        |room, (channel, into)| {
            let maps = x.chunks(frame.pixels()).zip(gradient.chunks(frame.positions()));
            for (map, gradient) in maps.skip(channel).step_by(geometry.channels) {
                dispatch(Products { frame, room, map, gradient, into: &mut into[..] });
            }
        },
    );
    for_w
}
