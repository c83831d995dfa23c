//! A smooth random field that moves every pixel: Albumentations' `ElasticTransform`, after Simard,
//! Steinkraus and Platt, "Best practices for convolutional neural networks applied to visual document
//! analysis" (ICDAR 2003).

use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use super::boxes::BBox;
use super::distortion::distort_boxes;
use super::image::{Frame, Image};
use super::parameters::{Border, Fill, Interpolation, Range};
use super::simd::vectorised;
use super::transform::{Fault, Scene, Transform};
use super::warp::{Sampling, warp};
use crate::basis::seed::Stream;

/// `{ elastic = 120, sigma = 6 }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Elastic {
    /// What the smoothed field is multiplied with (alpha), in pixels.
    elastic: f64,
    /// The standard deviation of the Gaussian that smooths the field, in pixels.
    #[serde(default = "fifty")]
    sigma: f64,
    /// Whether x and y move by the same field.
    #[serde(default)]
    same_dxdy: bool,
    /// What is smoothed.
    #[serde(default)]
    noise_distribution: NoiseDistribution,
    /// How values between pixels are found.
    #[serde(default)]
    interpolation: Interpolation,
    /// What lies outside of the image.
    #[serde(default)]
    border: Border,
    /// The colour outside, if the border is constant.
    #[serde(default)]
    fill: Fill,
}

fn fifty() -> f64 {
    50.0
}

/// Noise between −1 and 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum NoiseDistribution {
    /// Normal, divided by its largest absolute value in the image.
    #[default]
    Gaussian,
    /// Uniform.
    Uniform,
}

/// What is drawn for one image.
#[derive(Serialize, Deserialize)]
pub struct Drawn {
    /// Names the random field.
    field: u64,
}

impl Elastic {
    /// By how much every pixel moves along x and y: two fields, or one for both.
    ///
    /// # Shapes
    /// Each: [height, width]
    fn fields(&self, drawn: &Drawn, frame: Frame) -> Vec<Vec<f32>> {
        let Frame { height, width, .. } = frame;
        let mut stream = Stream::keyed(drawn.field);
        let count = if self.same_dxdy { 1 } else { 2 };
        let mut noise: Vec<f32> = (0..count * height * width)
            .map(|_| match self.noise_distribution {
                NoiseDistribution::Gaussian => StandardNormal.sample(&mut stream),
                NoiseDistribution::Uniform => 2.0 * stream.uniform() as f32 - 1.0,
            })
            .collect();
        if self.noise_distribution == NoiseDistribution::Gaussian {
            let largest = noise.iter().fold(1e-6f32, |largest, value| largest.max(value.abs()));
            noise.iter_mut().for_each(|value| *value /= largest);
        }
        let columns = Smoothing::new(self.sigma, height);
        let rows = Smoothing::new(self.sigma, width);
        let smooth = |field: &[f32]| {
            let turned = columns.smooth_and_turn(field, width);
            let mut smoothed = rows.smooth_and_turn(&turned, height);
            smoothed.iter_mut().for_each(|value| *value *= self.elastic as f32);
            smoothed
        };
        noise.chunks_exact(height * width).map(smooth).collect()
    }

    fn map(&self, drawn: &Drawn, frame: Frame) -> impl Fn(usize, &mut [f32], &mut [f32]) + use<> {
        let fields = self.fields(drawn, frame);
        move |row, xs, ys| {
            let of_row = |field: usize| &fields[field][row * frame.width..][..frame.width];
            let (dxs, dys) = (of_row(0), of_row(fields.len() - 1));
            for (x, (to, dx)) in (0i32..).zip(xs.iter_mut().zip(dxs)) {
                *to = x as f32 + dx;
            }
            for (to, dy) in ys.iter_mut().zip(dys) {
                *to = row as f32 + dy;
            }
        }
    }
}

/// A Gaussian along one side of a field, whose edges go on for ever. Whatever lies beyond an edge is
/// the edge, so that a row of `length` weights is all it takes, however wide the Gaussian.
struct Smoothing {
    length: usize,
    /// [length, length]
    weights: Vec<f32>,
    /// The first weight of each row that is not 0, and the one behind the last.
    reach: Vec<(usize, usize)>,
}

impl Smoothing {
    fn new(sigma: f64, length: usize) -> Smoothing {
        // Four standard deviations on each side, as OpenCV for numbers that are not bytes.
        let radius = ((sigma * 8.0 + 1.0).round_ties_even() as usize | 1) / 2;
        let kernel: Vec<f64> =
            (0..=radius).map(|distance| (-0.5 * (distance as f64 / sigma).powi(2)).exp()).collect();
        let total = kernel[0] + 2.0 * kernel[1..].iter().sum::<f64>();
        // What the tail from some distance on weighs.
        let mut tails = vec![0.0; radius + 2];
        for distance in (0..=radius).rev() {
            tails[distance] = tails[distance + 1] + kernel[distance] / total;
        }
        let tail = |distance: usize| tails[distance.min(radius + 1)];
        let mut weights = vec![0.0; length * length];
        let mut reach = Vec::with_capacity(length);
        for (at, row) in weights.chunks_exact_mut(length).enumerate() {
            let (first, end) = (at.saturating_sub(radius), (at + radius + 1).min(length));
            for from in first..end {
                let distance = from.abs_diff(at);
                row[from] = (tail(distance) - tail(distance + 1)) as f32;
            }
            row[0] += tail(at + 1) as f32;
            row[length - 1] += tail(length - at) as f32;
            reach.push((first, end));
        }
        Smoothing { length, weights, reach }
    }

    /// Smooths the columns of a field and turns them into rows.
    ///
    /// # Shapes
    /// `field`: [length, width], returns [width, length]
    fn smooth_and_turn(&self, field: &[f32], width: usize) -> Vec<f32> {
        /// Columns whose sums stay in registers.
        const LANES: usize = 64;
        let mut turned = vec![0.0; field.len()];
        let length = self.length;
        // The last columns are filled up, so that there is one loop for all.
        let mut strip = vec![[0.0f32; LANES]; length];
        for (start, out) in (0..width).step_by(LANES).zip(turned.chunks_mut(LANES * length)) {
            let lanes = LANES.min(width - start);
            for (to, from) in strip.iter_mut().zip(field.chunks_exact(width)) {
                to[..lanes].copy_from_slice(&from[start..start + lanes]);
            }
            vectorised(
                #[inline(always)]
                || {
                    for (at, (first, end)) in self.reach.iter().enumerate() {
                        let weights = &self.weights[at * length..][*first..*end];
                        let mut sums = [0.0f32; LANES];
                        for (weight, values) in weights.iter().zip(&strip[*first..*end]) {
                            for (sum, value) in sums.iter_mut().zip(values) {
                                *sum += weight * value;
                            }
                        }
                        for (out, sum) in out.chunks_exact_mut(length).zip(sums) {
                            out[at] = sum;
                        }
                    }
                },
            );
        }
        turned
    }
}

impl Transform for Elastic {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        Range::new(self.elastic, self.elastic).check("elastic", 0.0, 100_000.0)?;
        Range::new(self.sigma, self.sigma).check("sigma", 1.0, 10_000.0)?;
        Ok(frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Drawn {
        Drawn { field: stream.next_u64() }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        let Elastic { interpolation, border, fill, .. } = *self;
        let map = self.map(drawn, image.frame());
        warp(image, Sampling { interpolation, border, fill }, map);
    }

    fn boxes(&self, drawn: &Drawn, frame: Frame, boxes: &mut [BBox]) {
        distort_boxes(boxes, frame, self.map(drawn, frame));
    }
}
