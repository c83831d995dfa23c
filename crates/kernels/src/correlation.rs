//! Whole convolutions in [lanes](super::lanes) by the tiles of [`direct`](super::direct).
//!
//! A convolution, and its input gradient, is a few *phases*: outputs at a fixed distance that look
//! at the same taps. Forward there is one phase; the input gradient has one for each remainder
//! modulo the stride, so that no product with a stuffed zero is computed.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::conv::Geometry;
use super::direct::{Dots, FILTERS, Line};
use super::lanes::LANES;
use super::pieces::sum_in_order;
use super::simd::{Kernel, Simd, dispatch, fence};
use super::streaming;

/// Numbers of a padded band of rows; together with weights and outputs it stays in the second-level
/// cache.
pub(super) const BAND: usize = 48 * 1024;

/// Outputs that share their taps. Pairs are of height and width.
struct Phase {
    first: [usize; 2],
    step: [usize; 2],
    count: [usize; 2],
    /// The number of the tap in the filter, and where it looks in the padded input.
    taps: Vec<(usize, [usize; 2])>,
}

/// One side of a convolution: where outputs come from.
struct Correlation {
    groups: usize,
    /// Per group.
    channels: usize,
    /// Per group.
    filters: usize,
    size: [usize; 2],
    out: [usize; 2],
    before: [usize; 2],
    after: [usize; 2],
    /// Between inputs of neighbouring outputs of a phase.
    step: [usize; 2],
    phases: Vec<Phase>,
}

impl Correlation {
    fn forward(geometry: &Geometry) -> Correlation {
        let windows = &geometry.windows;
        let mut taps = Vec::new();
        for y in 0..windows[0].kernel {
            for x in 0..windows[1].kernel {
                let look = [y * windows[0].dilation, x * windows[1].dilation];
                taps.push((y * windows[1].kernel + x, look));
            }
        }
        let phase = Phase { first: [0, 0], step: [1, 1], count: geometry.out, taps };
        Correlation {
            groups: geometry.groups,
            channels: geometry.channels / geometry.groups,
            filters: geometry.filters / geometry.groups,
            size: geometry.size,
            out: geometry.out,
            before: [windows[0].padding[0], windows[1].padding[0]],
            after: [0, 0],
            step: [windows[0].stride, windows[1].stride],
            phases: vec![phase],
        }
        .with_room()
    }

    fn backward(geometry: &Geometry) -> Correlation {
        let windows = &geometry.windows;
        // Along one axis: for each remainder, the taps and how far from its number they look.
        let axis = |axis: usize| -> Vec<(usize, Vec<(usize, isize)>)> {
            let window = &windows[axis];
            (0..window.stride)
                .map(|remainder| {
                    let taps = (0..window.kernel).filter_map(|tap| {
                        let from = (remainder + window.padding[0]) as isize;
                        let from = from - (tap * window.dilation) as isize;
                        let stride = window.stride as isize;
                        (from % stride == 0).then_some((tap, from / stride))
                    });
                    let size = geometry.size[axis];
                    (size.saturating_sub(remainder).div_ceil(window.stride), taps.collect())
                })
                .collect()
        };
        let axes = [axis(0), axis(1)];
        let before = [0, 1].map(|a| {
            let looks = axes[a].iter().flat_map(|(_, taps)| taps.iter().map(|(_, look)| -look));
            looks.max().unwrap_or(0).max(0)
        });
        let mut phases = Vec::new();
        for (y, (rows, taps_y)) in axes[0].iter().enumerate() {
            for (x, (columns, taps_x)) in axes[1].iter().enumerate() {
                let mut taps = Vec::new();
                for (tap_y, look_y) in taps_y {
                    for (tap_x, look_x) in taps_x {
                        let look = [(look_y + before[0]) as usize, (look_x + before[1]) as usize];
                        taps.push((tap_y * windows[1].kernel + tap_x, look));
                    }
                }
                let step = [windows[0].stride, windows[1].stride];
                phases.push(Phase { first: [y, x], step, count: [*rows, *columns], taps });
            }
        }
        Correlation {
            groups: geometry.groups,
            channels: geometry.filters / geometry.groups,
            filters: geometry.channels / geometry.groups,
            size: geometry.out,
            out: geometry.size,
            before: before.map(|before| before as usize),
            after: [0, 0],
            step: [1, 1],
            phases,
        }
        .with_room()
    }

    /// Sets the padding behind so that every tap looks at something.
    fn with_room(mut self) -> Correlation {
        for axis in 0..2 {
            let reach = |phase: &Phase| {
                let last = phase.count[axis].checked_sub(1)? * self.step[axis];
                // Without taps nothing is read, but rows are still counted.
                Some(last + phase.taps.iter().map(|(_, look)| look[axis] + 1).max().unwrap_or(1))
            };
            let reach = self.phases.iter().filter_map(reach).max().unwrap_or(0);
            self.after[axis] = reach.saturating_sub(self.size[axis] + self.before[axis]);
        }
        self
    }

    fn is_padded(&self) -> bool {
        self.before != [0, 0] || self.after != [0, 0]
    }

    fn pixels(&self) -> usize {
        self.size[0] * self.size[1] * LANES
    }

    /// Numbers between rows, and between channels, of what tiles read: a band, or the input itself.
    fn strides(&self, rows: usize) -> [usize; 2] {
        if self.is_padded() {
            let row = (self.before[1] + self.size[1] + self.after[1]) * LANES;
            [row, row * rows]
        } else {
            [self.size[1] * LANES, self.pixels()]
        }
    }

    /// Output rows whose inputs fill a band.
    fn band(&self, phase: &Phase) -> usize {
        let row = (self.before[1] + self.size[1] + self.after[1]) * LANES * self.channels;
        let rows = (BAND / row.max(1)).saturating_sub(self.halo(phase));
        // Bands of even height share the work of copying rows twice evenly.
        let rows = (rows / self.step[0]).clamp(1, phase.count[0].max(1));
        phase.count[0].max(1).div_ceil(phase.count[0].max(1).div_ceil(rows))
    }

    /// Rows that the last output of a band needs beyond its own.
    fn halo(&self, phase: &Phase) -> usize {
        phase.taps.iter().map(|(_, look)| look[0]).max().unwrap_or(0)
    }

    /// Copies rows `first..first + rows` of the padded channels `x` of a group into `band`.
    fn copy_band(&self, x: &[f32], first: usize, rows: usize, band: &mut Vec<f32>) {
        let [row, channel] = self.strides(rows);
        band.resize(channel * self.channels, 0.0);
        let line = self.size[1] * LANES;
        for (map, band) in x.chunks(self.pixels()).zip(band.chunks_mut(channel)) {
            for (index, band) in band.chunks_mut(row).enumerate() {
                let from = (first + index).checked_sub(self.before[0]);
                match from.filter(|from| *from < self.size[0]) {
                    None => band.fill(0.0),
                    Some(from) => {
                        let (left, rest) = band.split_at_mut(self.before[1] * LANES);
                        let (middle, right) = rest.split_at_mut(line);
                        left.fill(0.0);
                        middle.copy_from_slice(&map[from * line..][..line]);
                        right.fill(0.0);
                    }
                }
            }
        }
    }
}

/// One block of images through a correlation. All of `out` is written: every output is in one phase.
struct Block<'a> {
    correlation: &'a Correlation,
    /// Per phase, `[groups][blocks of filters][channels][taps][FILTERS]`.
    weights: &'a [Vec<f32>],
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
        let correlation = self.correlation;
        let mut band = Vec::new();
        let map = correlation.out[0] * correlation.out[1] * LANES;
        for group in 0..correlation.groups {
            let x = &self.x[group * correlation.channels * correlation.pixels()..];
            let x = &x[..correlation.channels * correlation.pixels()];
            for (phase, weights) in correlation.phases.iter().zip(self.weights) {
                // A stride beyond the map leaves phases without outputs.
                if phase.count.contains(&0) {
                    continue;
                }
                let per_block = correlation.channels * phase.taps.len() * FILTERS;
                let blocks = correlation.filters.div_ceil(FILTERS);
                let height = correlation.band(phase);
                for first in (0..phase.count[0]).step_by(height) {
                    let rows = height.min(phase.count[0] - first);
                    let in_first = first * correlation.step[0];
                    let in_rows = (rows - 1) * correlation.step[0] + 1 + correlation.halo(phase);
                    let [row, channel] = correlation.strides(in_rows);
                    let source = if correlation.is_padded() {
                        correlation.copy_band(x, in_first, in_rows, &mut band);
                        &band[..]
                    } else {
                        &x[in_first * row..]
                    };
                    let taps: Vec<usize> = phase
                        .taps
                        .iter()
                        .map(|(_, look)| look[0] * row + look[1] * LANES)
                        .collect();
                    for block in 0..blocks {
                        let filter = group * correlation.filters + block * FILTERS;
                        let filters = FILTERS.min(correlation.filters - block * FILTERS);
                        for y in 0..rows {
                            let out_row = phase.first[0] + (first + y) * phase.step[0];
                            let at = filter * map
                                + (out_row * correlation.out[1] + phase.first[1]) * LANES;
                            let line = Line {
                                x: source[y * correlation.step[0] * row..].as_ptr(),
                                channel,
                                step: correlation.step[1] * LANES,
                                channels: correlation.channels,
                                taps: &taps,
                                weights: &weights[(group * blocks + block) * per_block..],
                                out: self.out[at..].as_mut_ptr().cast(),
                                filter: map,
                                out_step: phase.step[1] * LANES,
                                filters,
                                positions: phase.count[1],
                                bias: self.bias.map(|bias| &bias[filter..filter + filters]),
                                relu: self.relu,
                                add: false,
                                stream: self.is_large,
                            };
                            // SAFETY: the phase's rows, columns and taps lie within the padded
                            // input, by the construction of `Correlation`, and its outputs within `out`.
                            unsafe { line.run::<V>() };
                        }
                    }
                }
            }
        }
        fence();
    }
}

impl Correlation {
    /// Weights in the order of [`Line`]; `weight(group, filter, channel, tap)` with filter and
    /// channel within the group.
    fn pack(&self, weight: impl Fn(usize, usize, usize, usize) -> f32 + Sync) -> Vec<Vec<f32>> {
        let blocks = self.filters.div_ceil(FILTERS);
        let pack = |phase: &Phase| {
            let per_block = self.channels * phase.taps.len() * FILTERS;
            let mut packed = vec![0.0; self.groups * blocks * per_block];
            // Without taps there is nothing to pack.
            packed.par_chunks_mut(per_block.max(1)).enumerate().for_each(|(index, packed)| {
                let (group, first) = (index / blocks, index % blocks * FILTERS);
                let mut rows = packed.as_chunks_mut::<FILTERS>().0.iter_mut();
                for channel in 0..self.channels {
                    for ((tap, _), row) in phase.taps.iter().zip(&mut rows) {
                        for (filter, place) in (first..self.filters).zip(row) {
                            *place = weight(group, filter, channel, *tap);
                        }
                    }
                }
            });
            packed
        };
        self.phases.iter().map(pack).collect()
    }

    fn run(&self, weights: &[Vec<f32>], x: &[f32], bias: Option<&[f32]>, relu: bool) -> Vec<f32> {
        let (from, to) = (
            self.groups * self.channels * self.pixels(),
            self.groups * self.filters * self.out[0] * self.out[1] * LANES,
        );
        let mut out = Box::<[f32]>::new_uninit_slice(x.len() / from * to);
        let is_large = streaming::is_large(&out);
        out.par_chunks_mut(to).zip(x.par_chunks(from)).for_each(|(out, x)| {
            dispatch(Block { correlation: self, weights, bias, relu, x, out, is_large });
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
    let correlation = Correlation::forward(geometry);
    let taps = geometry.windows[0].kernel * geometry.windows[1].kernel;
    let weights = correlation.pack(|group, filter, channel, tap| {
        w[((group * correlation.filters + filter) * correlation.channels + channel) * taps + tap]
    });
    correlation.run(&weights, x, bias, relu)
}

/// The gradient of x.
pub(super) fn backward_input(geometry: &Geometry, gradient: &[f32], w: &[f32]) -> Vec<f32> {
    let correlation = Correlation::backward(geometry);
    let taps = geometry.windows[0].kernel * geometry.windows[1].kernel;
    // Here the convolution's channels are the filters of the correlation.
    let weights = correlation.pack(|group, channel, filter, tap| {
        w[((group * correlation.channels + filter) * correlation.filters + channel) * taps + tap]
    });
    correlation.run(&weights, gradient, None, false)
}

/// One block's part in the gradient of w.
struct WeightBlock<'a> {
    correlation: &'a Correlation,
    gradient: &'a [f32],
    x: &'a [f32],
}

impl Kernel for WeightBlock<'_> {
    type Out = Vec<f32>;

    #[inline(always)]
    fn run<V: Simd>(self) -> Vec<f32> {
        let correlation = self.correlation;
        let phase = &correlation.phases[0];
        let per_filter = correlation.channels * phase.taps.len();
        let mut into = vec![0.0; correlation.groups * correlation.filters * per_filter];
        let map = correlation.out[0] * correlation.out[1] * LANES;
        let mut band = Vec::new();
        let height = correlation.band(phase);
        for group in 0..correlation.groups {
            let x = &self.x[group * correlation.channels * correlation.pixels()..];
            let x = &x[..correlation.channels * correlation.pixels()];
            for first in (0..phase.count[0]).step_by(height) {
                let rows = height.min(phase.count[0] - first);
                let in_first = first * correlation.step[0];
                let in_rows = (rows - 1) * correlation.step[0] + 1 + correlation.halo(phase);
                let [row, channel] = correlation.strides(in_rows);
                let source = if correlation.is_padded() {
                    correlation.copy_band(x, in_first, in_rows, &mut band);
                    &band[..]
                } else {
                    &x[in_first * row..]
                };
                let taps: Vec<usize> = (0..correlation.channels)
                    .flat_map(|c| {
                        let look =
                            move |look: &[usize; 2]| c * channel + look[0] * row + look[1] * LANES;
                        phase.taps.iter().map(move |(_, at)| look(at))
                    })
                    .collect();
                let filter = group * correlation.filters;
                let dots = Dots {
                    gradient: self.gradient[filter * map + first * correlation.out[1] * LANES..]
                        .as_ptr(),
                    filter: map,
                    gradient_row: correlation.out[1] * LANES,
                    x: source.as_ptr(),
                    row: correlation.step[0] * row,
                    step: correlation.step[1] * LANES,
                    rows,
                    positions: phase.count[1],
                    taps: &taps,
                    filters: correlation.filters,
                    into: into[filter * per_filter..].as_mut_ptr(),
                    into_filter: per_filter,
                };
                // SAFETY: as in `Block`.
                unsafe { dots.run::<V>() };
            }
        }
        into
    }
}

/// The gradient of w: each block of images sums its own, then blocks are added in their order.
pub(super) fn backward_weights(geometry: &Geometry, gradient: &[f32], x: &[f32]) -> Vec<f32> {
    let correlation = Correlation::forward(geometry);
    let (from, to) = (
        correlation.groups * correlation.channels * correlation.pixels(),
        correlation.groups * correlation.filters * correlation.out[0] * correlation.out[1] * LANES,
    );
    let parts: Vec<Vec<f32>> = gradient
        .par_chunks(to)
        .zip(x.par_chunks(from))
        .map(|(gradient, x)| dispatch(WeightBlock { correlation: &correlation, gradient, x }))
        .collect();
    sum_in_order(parts)
}
