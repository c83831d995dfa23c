//! Two-dimensional convolution (cross-correlation, as everywhere in the field).
//!
//! Large batches are computed with sixteen images side by side ([`correlation`]). In a small batch
//! each image is unrolled into a matrix of windows (im2col) and multiplied by the filters; a 1×1
//! convolution needs no unrolling.

use candle_core::Result;
use rayon::prelude::*;

use candlewick_basis::shape::Window;

use super::IMAGES_PER_PIECE;
use super::activation::{Activation, Elementwise};
use super::matmul::{Matrix, matmul};
use super::simd::dispatch;
use super::tape::{Gradient, Tape, Value, image_dims, numbers, tensor};
use super::{correlation, depthwise, device, lanes, pointwise, winograd, winograd_weights};
use lanes::LANES;

/// Sizes of one convolution.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    pub(super) windows: [Window; 2],
    pub(super) groups: usize,
    pub(super) batch: usize,
    pub(super) channels: usize,
    pub(super) size: [usize; 2],
    pub(super) filters: usize,
    pub(super) out: [usize; 2],
}

/// `activation(x ⋆ w + bias)`.
///
/// # Shapes
/// x `[batch, channels, height, width]`, w `[filters, channels / groups, kernel, kernel]`, bias
/// `[filters]` → `[batch, filters, out, out]` with out as in [`Window::out`]. As PyTorch's `conv2d`.
/// The activation has to be [known by its result](Activation::is_known_by_result).
pub fn conv2d(
    tape: &mut Tape,
    x: &Value,
    w: &Value,
    bias: Option<&Value>,
    windows: [Window; 2],
    groups: usize,
    activation: Option<Activation>,
) -> Result<Value> {
    let [batch, channels, height, width] = image_dims(x)?;
    let filters = w.dims()[0];
    let expected = [filters, channels / groups, windows[0].kernel, windows[1].kernel];
    if w.dims() != expected || !channels.is_multiple_of(groups) || !filters.is_multiple_of(groups) {
        candle_core::bail!(
            "filters {:?} do not fit maps {:?} in {groups} groups",
            w.dims(),
            x.dims()
        );
    }
    let (Some(out_height), Some(out_width)) = (windows[0].out(height), windows[1].out(width))
    else {
        candle_core::bail!("a window {windows:?} does not fit into maps {:?}", x.dims());
    };
    let geometry = Geometry {
        windows,
        groups,
        batch,
        channels,
        size: [height, width],
        filters,
        out: [out_height, out_width],
    };
    if tape.is_by_candle() {
        return device::conv::conv2d(tape, x, w, bias, geometry, activation, lanes::worthwhile(x));
    }
    if lanes::worthwhile(x) {
        return conv_in_lanes(tape, x, w, bias, geometry, activation);
    }
    let result = {
        let (x, w) = (numbers(x.tensor())?, numbers(w.tensor())?);
        let bias = bias.map(|bias| numbers(bias.tensor())).transpose()?;
        geometry.forward(&x, &w, bias.as_deref(), activation)
    };
    let result = tensor(result, (batch, filters, out_height, out_width))?;
    let (kept_x, kept_w, kept) = (x.tensor().clone(), w.tensor().clone(), result.clone());
    let mut arguments = vec![x, w];
    arguments.extend(bias);
    Ok(tape.record(result, &arguments, move |mut gradient: Gradient, wanted| {
        let (x, w) = (numbers(&kept_x)?, numbers(&kept_w)?);
        if let Some(activation) = activation {
            let kept = numbers(&kept)?;
            let piece = geometry.piece(geometry.filters, geometry.positions());
            gradient
                .par_chunks_mut(piece)
                .zip(kept.par_chunks(piece))
                .for_each(|(gradient, kept)| activation.back_in_place(gradient, kept));
        }
        let for_x = wanted[0].then(|| geometry.backward_input(&gradient, &w));
        let for_bias = wanted.len() == 3 && wanted[2];
        let (for_w, for_bias) = geometry.backward_parameters(&gradient, &x, wanted[1], for_bias);
        Ok(vec![for_x, for_w, for_bias])
    }))
}

/// [`conv2d`] of a batch with sixteen images side by side.
fn conv_in_lanes(
    tape: &mut Tape,
    x: &Value,
    w: &Value,
    bias: Option<&Value>,
    geometry: Geometry,
    activation: Option<Activation>,
) -> Result<Value> {
    let x = &lanes::enter(tape, x)?;
    let result = {
        let (x, w) = (numbers(x.tensor())?, numbers(w.tensor())?);
        let bias = bias.map(|bias| numbers(bias.tensor())).transpose()?;
        let relu = activation == Some(Activation::Relu);
        let bias = bias.as_deref();
        let mut result = if geometry.is_depthwise() {
            depthwise::forward(&geometry, LANES, &x, &w, bias, activation.filter(|_| relu))
        } else if winograd::pays(&geometry) {
            winograd::forward(&geometry, &x, &w, bias, relu)
        } else if geometry.is_pointwise() {
            pointwise::forward(&geometry, &x, &w, bias, relu)
        } else {
            correlation::forward(&geometry, &x, &w, bias, relu)
        };
        if let Some(activation) = activation.filter(|_| !relu) {
            activation.apply_in_parallel(&mut result);
        }
        result
    };
    let [height, width] = geometry.out;
    let blocks = geometry.batch.div_ceil(LANES);
    let result = tensor(result, (blocks, geometry.filters, height, width, LANES))?;
    let (kept_x, kept_w) = (x.tensor().clone(), w.tensor().clone());
    let activation = activation.map(|activation| (activation, result.clone()));
    let mut arguments = vec![x, w];
    arguments.extend(bias);
    let backward = move |mut gradient: Gradient, wanted: &[bool]| {
        let (x, w) = (numbers(&kept_x)?, numbers(&kept_w)?);
        let wants_bias = wanted.len() == 3 && wanted[2];
        let for_bias = if activation.is_some() || wants_bias {
            Some(match &activation {
                Some((activation, kept)) => {
                    let kept = numbers(kept)?;
                    geometry.through_activation(&mut gradient, |gradient, at| {
                        activation.back_in_place(gradient, &kept[at..at + gradient.len()]);
                    })
                }
                None => geometry.through_activation(&mut gradient, |_, _| {}),
            })
        } else {
            None
        };
        let for_w = wanted[1].then(|| {
            if geometry.is_depthwise() {
                depthwise::backward_weights(&geometry, LANES, &gradient, &x)
            } else if winograd::pays(&geometry) {
                winograd_weights::backward_weights(&geometry, &gradient, &x)
            } else if geometry.is_pointwise() {
                pointwise::backward_weights(&geometry, &gradient, &x)
            } else {
                correlation::backward_weights(&geometry, &gradient, &x)
            }
        });
        let mut gradients = vec![None, for_w];
        if wanted.len() == 3 {
            gradients.push(for_bias.filter(|_| wants_bias));
        }
        if wanted[0] {
            gradients[0] = Some(if geometry.is_depthwise() {
                depthwise::backward_input(&geometry, LANES, &gradient, &w)
            } else if winograd::pays_backward(&geometry) {
                winograd::backward_input(&geometry, &gradient, &w)
            } else if geometry.is_pointwise() {
                pointwise::backward_input(&geometry, &gradient, &w)
            } else {
                correlation::backward_input(&geometry, &gradient, &w)
            });
        }
        Ok(gradients)
    };
    Ok(tape.record_lanes(geometry.batch, result, &arguments, backward))
}

impl Geometry {
    /// Takes a gradient in lanes back through the activation, by `back` of the part from a number on,
    /// and sums it up to that of the bias in the same pass.
    fn through_activation(
        &self,
        gradient: &mut [f32],
        back: impl Fn(&mut [f32], usize) + Sync,
    ) -> Vec<f32> {
        /// Runs that stay in the first-level cache between both loops.
        const RUN: usize = 2048;
        let map = self.positions() * LANES;
        let sums: Vec<f64> = gradient
            .par_chunks_mut(map)
            .enumerate()
            .with_min_len(8)
            .map(|(index, gradient)| {
                let mut sum = 0.0;
                for (run, gradient) in gradient.chunks_mut(RUN).enumerate() {
                    back(gradient, index * map + run * RUN);
                    sum += sum_of(gradient);
                }
                sum
            })
            .collect();
        let blocks = sums.chunks(self.filters);
        let sum = |filter: usize| blocks.clone().map(|block| block[filter]).sum::<f64>() as f32;
        (0..self.filters).map(sum).collect()
    }

    pub(super) fn positions(&self) -> usize {
        self.out[0] * self.out[1]
    }

    /// Taps of one filter: rows of the unrolled matrix of a group.
    pub(super) fn taps(&self) -> usize {
        self.channels / self.groups * self.windows[0].kernel * self.windows[1].kernel
    }

    pub(super) fn pixels(&self) -> usize {
        self.size[0] * self.size[1]
    }

    fn piece(&self, channels: usize, pixels: usize) -> usize {
        IMAGES_PER_PIECE * channels * pixels
    }

    /// Whether the image is its own unrolled matrix.
    pub(super) fn is_pointwise(&self) -> bool {
        self.windows
            .iter()
            .all(|window| window.kernel == 1 && window.stride == 1 && window.padding == [0, 0])
    }

    /// Whether each filter sees one channel, and each channel has one filter.
    fn is_depthwise(&self) -> bool {
        self.groups > 1 && self.groups == self.channels && self.groups == self.filters
    }

    fn forward(
        &self,
        x: &[f32],
        w: &[f32],
        bias: Option<&[f32]>,
        activation: Option<Activation>,
    ) -> Vec<f32> {
        if self.is_depthwise() {
            return depthwise::forward(self, 1, x, w, bias, activation);
        }
        let (positions, taps) = (self.positions(), self.taps());
        let (group_in, group_out) = (self.channels / self.groups, self.filters / self.groups);
        let mut result = vec![0.0; self.batch * self.filters * positions];
        result
            .par_chunks_mut(self.piece(self.filters, positions))
            .zip(x.par_chunks(self.piece(self.channels, self.pixels())))
            .for_each(|(result, x)| {
                let mut unrolled = self.unrolled_buffer();
                let images = result
                    .chunks_mut(group_out * positions)
                    .zip(x.chunks(group_in * self.pixels()));
                for (index, (result, x)) in images.enumerate() {
                    let group = index % self.groups;
                    let w = &w[group * group_out * taps..][..group_out * taps];
                    if let Some(bias) = bias {
                        let bias = &bias[group * group_out..][..group_out];
                        for (map, bias) in result.chunks_mut(positions).zip(bias) {
                            map.fill(*bias);
                        }
                    }
                    let windows = self.unroll(x, &mut unrolled);
                    let product = Matrix::new(windows, taps, positions);
                    matmul(Matrix::new(w, group_out, taps), product, result, bias.is_some());
                    if let Some(activation) = activation {
                        activation.apply_in_place(result);
                    }
                }
            });
        result
    }

    fn backward_input(&self, gradient: &[f32], w: &[f32]) -> Vec<f32> {
        // With a stride, adding up in short rows would wait for its own stores.
        if self.is_depthwise() && self.windows.iter().all(|window| window.stride == 1) {
            return depthwise::backward_input(self, 1, gradient, w);
        }
        let (positions, taps) = (self.positions(), self.taps());
        let (group_in, group_out) = (self.channels / self.groups, self.filters / self.groups);
        let mut for_x = vec![0.0; self.batch * self.channels * self.pixels()];
        for_x
            .par_chunks_mut(self.piece(self.channels, self.pixels()))
            .zip(gradient.par_chunks(self.piece(self.filters, positions)))
            .for_each(|(for_x, gradient)| {
                let mut unrolled = self.unrolled_buffer();
                let images = for_x
                    .chunks_mut(group_in * self.pixels())
                    .zip(gradient.chunks(group_out * positions));
                for (index, (for_x, gradient)) in images.enumerate() {
                    let group = index % self.groups;
                    let w = &w[group * group_out * taps..][..group_out * taps];
                    let w = Matrix::new(w, group_out, taps).t();
                    let gradient = Matrix::new(gradient, group_out, positions);
                    if self.is_pointwise() {
                        matmul(w, gradient, for_x, false);
                    } else {
                        matmul(w, gradient, &mut unrolled, false);
                        self.roll(&unrolled, for_x);
                    }
                }
            });
        for_x
    }

    /// Gradients of filters and bias: each piece of images sums its own, then pieces are added in
    /// their order.
    fn backward_parameters(
        &self,
        gradient: &[f32],
        x: &[f32],
        wants_w: bool,
        wants_bias: bool,
    ) -> (Option<Vec<f32>>, Option<Vec<f32>>) {
        if self.is_depthwise() && wants_w {
            let (_, for_bias) = self.backward_parameters(gradient, x, false, wants_bias);
            return (Some(depthwise::backward_weights(self, 1, gradient, x)), for_bias);
        }
        let (positions, taps) = (self.positions(), self.taps());
        let (group_in, group_out) = (self.channels / self.groups, self.filters / self.groups);
        let pieces: Vec<(Vec<f32>, Vec<f64>)> = gradient
            .par_chunks(self.piece(self.filters, positions))
            .zip(x.par_chunks(self.piece(self.channels, self.pixels())))
            .map(|(gradient, x)| {
                let mut unrolled = if wants_w { self.unrolled_buffer() } else { Vec::new() };
                let mut for_w = vec![0.0; if wants_w { self.filters * taps } else { 0 }];
                let mut for_bias = vec![0.0f64; if wants_bias { self.filters } else { 0 }];
                let images =
                    gradient.chunks(group_out * positions).zip(x.chunks(group_in * self.pixels()));
                for (index, (gradient, x)) in images.enumerate() {
                    let group = index % self.groups;
                    if wants_bias {
                        let sums = &mut for_bias[group * group_out..][..group_out];
                        for (sum, map) in sums.iter_mut().zip(gradient.chunks(positions)) {
                            *sum += sum_of(map);
                        }
                    }
                    if wants_w {
                        let for_w = &mut for_w[group * group_out * taps..][..group_out * taps];
                        let windows = Matrix::new(self.unroll(x, &mut unrolled), taps, positions);
                        let gradient = Matrix::new(gradient, group_out, positions);
                        matmul(gradient, windows.t(), for_w, true);
                    }
                }
                (for_w, for_bias)
            })
            .collect();
        let mut pieces = pieces.into_iter();
        let (mut for_w, mut for_bias) = pieces
            .next()
            .unwrap_or_else(|| (vec![0.0; self.filters * taps], vec![0.0; self.filters]));
        for (more_w, more_bias) in pieces {
            for_w.iter_mut().zip(more_w).for_each(|(sum, more)| *sum += more);
            for_bias.iter_mut().zip(more_bias).for_each(|(sum, more)| *sum += more);
        }
        let for_bias = for_bias.into_iter().map(|sum| sum as f32).collect();
        (wants_w.then_some(for_w), wants_bias.then_some(for_bias))
    }
}

/// Sum in f64 over eight lanes, so that it is exact enough and fast.
fn sum_of(values: &[f32]) -> f64 {
    dispatch(
        #[inline(always)]
        || {
            let mut lanes = [0.0f64; 8];
            let (chunks, rest) = values.as_chunks::<8>();
            for chunk in chunks {
                for lane in 0..8 {
                    lanes[lane] += f64::from(chunk[lane]);
                }
            }
            lanes.iter().sum::<f64>() + rest.iter().map(|value| f64::from(*value)).sum::<f64>()
        },
    )
}
