//! Maps with their padding, laid out so that taps see runs of numbers.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::conv::Geometry;
use super::lanes::LANES;

/// One map with its padding. The columns of a row are sorted by their remainder modulo the stride.
pub(super) struct Frame {
    /// Numbers of a pixel: images that lie side by side.
    lanes: usize,
    /// Of the map inside.
    size: [usize; 2],
    /// Outputs per axis.
    pub(super) out: [usize; 2],
    /// In front of the map; the frame has as many zeros behind as a window sees.
    padding: [usize; 2],
    stride: [usize; 2],
    /// Numbers of the columns with one remainder.
    plane: usize,
    rows: usize,
    /// Where each tap sees the first output.
    pub(super) taps: Vec<usize>,
}

impl Frame {
    pub(super) fn new(geometry: &Geometry, lanes: usize) -> Frame {
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
    pub(super) fn turned(geometry: &Geometry, lanes: usize) -> Option<Frame> {
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

    pub(super) fn row(&self) -> usize {
        self.plane * self.stride[1]
    }

    /// Where a column of the padded map begins in its row.
    fn column(&self, column: usize) -> usize {
        column % self.stride[1] * self.plane + column / self.stride[1] * self.lanes
    }

    /// A frame of zeros.
    pub(super) fn empty(&self) -> Vec<f32> {
        vec![0.0; self.rows * self.row()]
    }

    /// Numbers of a row of outputs, and as whole vectors.
    pub(super) fn run(&self) -> [usize; 2] {
        let run = self.out[1] * self.lanes;
        [run, run.next_multiple_of(LANES)]
    }

    pub(super) fn pixels(&self) -> usize {
        self.size[0] * self.size[1] * self.lanes
    }

    pub(super) fn positions(&self) -> usize {
        self.out[0] * self.out[1] * self.lanes
    }

    /// Rows of the map that the frame has, and columns.
    fn seen(&self) -> [usize; 2] {
        let whole = [self.rows, self.plane / self.lanes * self.stride[1]];
        [0, 1].map(|axis| whole[axis].saturating_sub(self.padding[axis]).min(self.size[axis]))
    }

    /// Lays `map` into the frame.
    #[inline(always)]
    pub(super) fn lay(&self, map: &[f32], frame: &mut [f32]) {
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

    /// Takes the map out of the frame; pixels that no window sees are 0. All of `map` is written.
    #[inline(always)]
    pub(super) fn take(&self, frame: &[f32], map: &mut [MaybeUninit<f32>]) {
        assert_eq!(map.len(), self.pixels(), "pixels of a map");
        let (lanes, [rows, columns]) = (self.lanes, self.seen());
        let (lines, below) = map.split_at_mut(rows * self.size[1] * lanes);
        below.fill(MaybeUninit::new(0.0));
        let frames = frame.chunks_exact(self.row()).skip(self.padding[0]);
        for (frame, line) in frames.zip(lines.chunks_exact_mut(self.size[1] * lanes)) {
            let (line, behind) = line.split_at_mut(columns * lanes);
            behind.fill(MaybeUninit::new(0.0));
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
    fn collect<const L: usize>(&self, frame: &[f32], line: &mut [MaybeUninit<f32>]) {
        for (first, at) in self.remainders() {
            let pixels = line.as_chunks_mut::<L>().0.iter_mut().skip(first).step_by(self.stride[1]);
            let places = frame[at..].as_chunks::<L>().0;
            pixels.zip(places).for_each(|(pixel, place)| {
                pixel.write_copy_of_slice(place);
            });
        }
    }

    /// Each row of outputs with the number in the frame that tap offsets count from for it.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, Range<usize>)> {
        let (step, [run, _]) = (self.stride[0] * self.row(), self.run());
        (0..self.out[0]).map(move |y| (y * step, y * run..(y + 1) * run))
    }
}
