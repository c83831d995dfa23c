//! Depthwise convolutions: each filter sees one channel (Howard et al., "MobileNets", 2017).
//!
//! There is no matrix product in them, only rows times single weights. Each map is laid into a
//! [`Frame`] of zeros, where what a tap sees of a row of outputs is one run of numbers whatever the
//! padding, the stride and the dilation, and whether images lie [in lanes](super::lanes) or one
//! behind the other. Frames stay in the second-level cache.

use rayon::prelude::*;

use super::activation::Activation;
use super::conv::Geometry;
use super::lanes::{LANES, overwritten};
use super::simd::{Kernel, Simd, dispatch};

/// One map with its padding. The columns of a row are sorted by their remainder modulo the stride.
struct Frame {
    /// Numbers of a pixel: images that lie side by side.
    lanes: usize,
    /// Of the map inside.
    size: [usize; 2],
    /// Outputs per axis.
    out: [usize; 2],
    /// In front of the map; the frame has as many zeros behind as a window sees.
    padding: [usize; 2],
    stride: [usize; 2],
    /// Numbers of the columns with one remainder.
    plane: usize,
    rows: usize,
    /// Where each tap sees the first output.
    taps: Vec<usize>,
}

impl Frame {
    fn new(geometry: &Geometry, lanes: usize) -> Frame {
        let windows = &geometry.windows;
        let stride = [windows[0].stride, windows[1].stride];
        let reach = windows.map(|window| (window.kernel - 1) * window.dilation);
        let run = (geometry.out[1] * lanes).next_multiple_of(LANES);
        let mut frame = Frame {
            lanes,
            size: geometry.size,
            out: geometry.out,
            padding: [windows[0].padding[0], windows[1].padding[0]],
            stride,
            plane: reach[1] / stride[1] * lanes + run,
            rows: (geometry.out[0] - 1) * stride[0] + reach[0] + 1,
            taps: Vec::new(),
        };
        for y in 0..windows[0].kernel {
            for x in 0..windows[1].kernel {
                let (y, x) = (y * windows[0].dilation, x * windows[1].dilation);
                frame.taps.push(y * frame.row() + frame.column(x));
            }
        }
        frame
    }

    /// The frame of the output's gradient whose convolution with the turned filter is the gradient
    /// of the input; there is one at stride 1.
    fn turned(geometry: &Geometry, lanes: usize) -> Option<Frame> {
        let mut turned = *geometry;
        (turned.size, turned.out) = (geometry.out, geometry.size);
        for window in &mut turned.windows {
            let reach = (window.kernel - 1) * window.dilation;
            window.padding = [reach.checked_sub(window.padding[0])?; 2];
            if window.stride != 1 {
                return None;
            }
        }
        Some(Frame::new(&turned, lanes))
    }

    fn row(&self) -> usize {
        self.plane * self.stride[1]
    }

    /// Where a column of the padded map begins in its row.
    fn column(&self, column: usize) -> usize {
        column % self.stride[1] * self.plane + column / self.stride[1] * self.lanes
    }

    /// A frame of zeros.
    fn empty(&self) -> Vec<f32> {
        vec![0.0; self.rows * self.row()]
    }

    /// Numbers of a row of outputs, and as whole vectors.
    fn run(&self) -> [usize; 2] {
        let run = self.out[1] * self.lanes;
        [run, run.next_multiple_of(LANES)]
    }

    fn pixels(&self) -> usize {
        self.size[0] * self.size[1] * self.lanes
    }

    fn positions(&self) -> usize {
        self.out[0] * self.out[1] * self.lanes
    }

    /// Rows of the map that the frame has, and columns.
    fn seen(&self) -> [usize; 2] {
        let whole = [self.rows, self.plane / self.lanes * self.stride[1]];
        [0, 1].map(|axis| whole[axis].saturating_sub(self.padding[axis]).min(self.size[axis]))
    }

    /// Lays `map` into the frame.
    #[inline(always)]
    fn lay(&self, map: &[f32], frame: &mut [f32]) {
        let (lanes, [rows, columns]) = (self.lanes, self.seen());
        let lines = frame.chunks_exact_mut(self.row()).skip(self.padding[0]).take(rows);
        for (frame, line) in lines.zip(map.chunks_exact(self.size[1] * lanes)) {
            let line = &line[..columns * lanes];
            if self.stride[1] == 1 {
                frame[self.padding[1] * lanes..][..line.len()].copy_from_slice(line);
            } else if lanes == 1 {
                self.deal::<1>(line, frame);
            } else {
                self.deal::<LANES>(line, frame);
            }
        }
    }

    /// Takes the map out of the frame; pixels that no window sees are 0.
    #[inline(always)]
    fn take(&self, frame: &[f32], map: &mut [f32]) {
        let (lanes, [rows, columns]) = (self.lanes, self.seen());
        let (lines, below) = map.split_at_mut(rows * self.size[1] * lanes);
        below.fill(0.0);
        let frames = frame.chunks_exact(self.row()).skip(self.padding[0]);
        for (frame, line) in frames.zip(lines.chunks_exact_mut(self.size[1] * lanes)) {
            let (line, behind) = line.split_at_mut(columns * lanes);
            behind.fill(0.0);
            if lanes == 1 {
                self.collect::<1>(frame, line);
            } else {
                self.collect::<LANES>(frame, line);
            }
        }
    }

    /// For each remainder modulo the stride, the first column of the map that has it, and where it
    /// lies in a row of the frame.
    fn remainders(&self) -> impl Iterator<Item = (usize, usize)> {
        let (stride, padding) = (self.stride[1], self.padding[1]);
        (0..stride).map(move |remainder| {
            let first = (remainder + stride - padding % stride) % stride;
            (first, self.column(first + padding))
        })
    }

    /// The columns of a line of `L` lanes to their places in a row of the frame.
    #[inline(always)]
    fn deal<const L: usize>(&self, line: &[f32], frame: &mut [f32]) {
        for (first, at) in self.remainders() {
            let pixels = line.as_chunks::<L>().0.iter().skip(first).step_by(self.stride[1]);
            let places = frame[at..].as_chunks_mut::<L>().0;
            places.iter_mut().zip(pixels).for_each(|(place, pixel)| *place = *pixel);
        }
    }

    /// The opposite of [`deal`](Self::deal).
    #[inline(always)]
    fn collect<const L: usize>(&self, frame: &[f32], line: &mut [f32]) {
        for (first, at) in self.remainders() {
            let pixels = line.as_chunks_mut::<L>().0.iter_mut().skip(first).step_by(self.stride[1]);
            pixels.zip(frame[at..].as_chunks::<L>().0).for_each(|(pixel, place)| *pixel = *place);
        }
    }

    /// Each row of outputs with the number in the frame that tap offsets count from for it.
    fn lines(&self) -> impl Iterator<Item = (usize, std::ops::Range<usize>)> {
        let (step, [run, _]) = (self.stride[0] * self.row(), self.run());
        (0..self.out[0]).map(move |y| (y * step, y * run..(y + 1) * run))
    }
}

/// `out = Σ_t weight[t] · frame[tap_t] + bias`, then max(0, ·) if `relu`.
struct Sums<'a> {
    frame: &'a Frame,
    room: &'a mut [f32],
    map: &'a [f32],
    weights: &'a [f32],
    bias: f32,
    relu: bool,
    out: &'a mut [f32],
}

impl Kernel for Sums<'_> {
    type Out = ();

    #[inline(always)]
    fn run<V: Simd>(self) {
        self.frame.lay(self.map, self.room);
        let [run, whole] = self.frame.run();
        let mut line = vec![0.0; whole];
        let taps = self.frame.taps.iter().copied().zip(self.weights.iter().copied());
        let start = (taps, self.bias, self.relu);
        for (from, range) in self.frame.lines() {
            let from = self.room[from..].as_ptr();
            let out = &mut self.out[range];
            let to = if run == whole { out.as_mut_ptr() } else { line.as_mut_ptr() };
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
                out.copy_from_slice(&line[..run]);
            }
        }
    }
}

impl Sums<'_> {
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

/// The transpose of [`Sums`]: adds each gradient, times each weight, to where the tap looked.
struct Spread<'a> {
    frame: &'a Frame,
    room: &'a mut [f32],
    gradient: &'a [f32],
    weights: &'a [f32],
    map: &'a mut [f32],
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
        let mut sums = [V::splat(0.0); T];
        for (line, (from, _)) in lines.chunks_exact(whole).zip(self.lines()) {
            let from = room[from..].as_ptr();
            for at in (0..whole).step_by(V::WIDTH) {
                // SAFETY: the caller's promise.
                unsafe {
                    let slope = V::load(line.as_ptr().add(at));
                    for t in 0..T {
                        sums[t] = slope.fma(V::load(from.add(taps[t] + at)), sums[t]);
                    }
                }
            }
        }
        sums.map(V::sum)
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
    let mut result = overwritten(x.len() / frame.pixels() * frame.positions());
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
                dispatch(Sums { frame, room, map, weights, bias, relu, out: &mut out[..] });
                if let Some(activation) = activation.filter(|_| !relu) {
                    activation.apply_in_place(out);
                }
            },
        );
    result
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
    let mut for_x = overwritten(gradient.len() / positions * pixels);
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
    for_x
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
