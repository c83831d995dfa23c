//! Windows of an image as the columns of a matrix (im2col), and back.

use candlewick_basis::shape::Window;

use super::conv::Geometry;

impl Geometry {
    pub(super) fn unrolled_buffer(&self) -> Vec<f32> {
        if self.is_pointwise() { Vec::new() } else { vec![0.0; self.taps() * self.positions()] }
    }

    /// The windows of the channels in `x` as a matrix `[taps, positions]`.
    pub(super) fn unroll<'a>(&self, x: &'a [f32], into: &'a mut Vec<f32>) -> &'a [f32] {
        if self.is_pointwise() {
            return x;
        }
        let mut rows = into.chunks_mut(self.positions());
        for map in x.chunks(self.pixels()) {
            for tap_y in 0..self.windows[0].kernel {
                for tap_x in 0..self.windows[1].kernel {
                    let Some(row) = rows.next() else { continue };
                    let taps_x = Taps::new(&self.windows[1], tap_x, self.size[1], self.out[1]);
                    for (y, line) in row.chunks_mut(self.out[1]).enumerate() {
                        match source(&self.windows[0], tap_y, y, self.size[0]) {
                            None => line.fill(0.0),
                            Some(from) => {
                                taps_x.read(&map[from * self.size[1]..][..self.size[1]], line)
                            }
                        }
                    }
                }
            }
        }
        into
    }

    /// The transpose of [`unroll`](Self::unroll): adds each element to the pixel it came from.
    pub(super) fn roll(&self, unrolled: &[f32], x: &mut [f32]) {
        let mut rows = unrolled.chunks(self.positions());
        for map in x.chunks_mut(self.pixels()) {
            for tap_y in 0..self.windows[0].kernel {
                for tap_x in 0..self.windows[1].kernel {
                    let Some(row) = rows.next() else { continue };
                    let taps_x = Taps::new(&self.windows[1], tap_x, self.size[1], self.out[1]);
                    for (y, line) in row.chunks(self.out[1]).enumerate() {
                        if let Some(to) = source(&self.windows[0], tap_y, y, self.size[0]) {
                            taps_x.add(line, &mut map[to * self.size[1]..][..self.size[1]]);
                        }
                    }
                }
            }
        }
    }
}

/// The input line that `tap` of the window at output `position` looks at; none in the padding.
fn source(window: &Window, tap: usize, position: usize, size: usize) -> Option<usize> {
    (position * window.stride + tap * window.dilation)
        .checked_sub(window.padding[0])
        .filter(|line| *line < size)
}

/// The outputs of a line whose `tap` lies inside the image, and where the first of them looks.
struct Taps {
    first: usize,
    end: usize,
    from: usize,
    stride: usize,
}

impl Taps {
    fn new(window: &Window, tap: usize, size: usize, out: usize) -> Taps {
        let offset = tap * window.dilation;
        let first = window.padding[0].saturating_sub(offset).div_ceil(window.stride).min(out);
        let reach = (size + window.padding[0]).saturating_sub(offset);
        let end = reach.div_ceil(window.stride).clamp(first, out);
        let from = (first * window.stride + offset).saturating_sub(window.padding[0]);
        Taps { first, end, from, stride: window.stride }
    }

    fn read(&self, line: &[f32], into: &mut [f32]) {
        into[..self.first].fill(0.0);
        into[self.end..].fill(0.0);
        let into = &mut into[self.first..self.end];
        if into.is_empty() {
            return;
        }
        if self.stride == 1 {
            into.copy_from_slice(&line[self.from..self.from + into.len()]);
        } else {
            let taken = line[self.from..].iter().step_by(self.stride);
            into.iter_mut().zip(taken).for_each(|(into, value)| *into = *value);
        }
    }

    fn add(&self, line: &[f32], into: &mut [f32]) {
        let line = &line[self.first..self.end];
        if line.is_empty() {
            return;
        }
        if self.stride == 1 {
            let into = &mut into[self.from..self.from + line.len()];
            into.iter_mut().zip(line).for_each(|(into, value)| *into += value);
        } else {
            let taken = into[self.from..].iter_mut().step_by(self.stride);
            taken.zip(line).for_each(|(into, value)| *into += value);
        }
    }
}
