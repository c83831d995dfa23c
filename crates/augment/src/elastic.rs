//! A smooth random field that moves every pixel: Albumentations' `ElasticTransform`, after Simard,
//! Steinkraus and Platt, "Best practices for convolutional neural networks applied to visual document
//! analysis" (ICDAR 2003).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::boxes::BBox;
use super::distortion::distort_boxes;
use super::image::{Frame, Image};
use super::parameters::{Border, Fill, Interpolation, Range};
use super::simd::vectorised;
use super::transform::{Fault, Scene, Transform};
use super::warp::{Sampling, warp};
use candlewick_basis::seed::Stream;

/// A smooth random field that moves every pixel: `{ elastic = 120, sigma = 6 }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// By how much every pixel moves along x, and below that along y; once if that is the same.
    /// Both are smoothed as one field, as Albumentations does, so that they are akin where they
    /// meet.
    ///
    /// # Shapes
    /// [height, width] or [2 · height, width]
    fn field(&self, drawn: &Drawn, frame: Frame) -> Vec<f32> {
        let width = frame.width;
        let height = if self.same_dxdy { frame.height } else { 2 * frame.height };
        let mut stream = Stream::keyed(drawn.field);
        let mut noise = vec![0.0f32; height * width];
        match self.noise_distribution {
            NoiseDistribution::Gaussian => {
                for pair in noise.chunks_mut(2) {
                    let drawn = stream.normal_pair();
                    pair.iter_mut().zip(drawn).for_each(|(value, drawn)| *value = drawn as f32);
                }
                let largest = noise.iter().fold(1e-6f32, |largest, value| largest.max(value.abs()));
                noise.iter_mut().for_each(|value| *value /= largest);
            }
            NoiseDistribution::Uniform => {
                noise.iter_mut().for_each(|value| *value = 2.0 * stream.uniform() as f32 - 1.0);
            }
        }
        let turned = Smoothing::new(self.sigma, height).smooth_and_turn(&noise, width);
        let mut field = Smoothing::new(self.sigma, width).smooth_and_turn(&turned, height);
        field.iter_mut().for_each(|value| *value *= self.elastic as f32);
        field
    }

    fn map(&self, drawn: &Drawn, frame: Frame) -> impl Fn(usize, &mut [f32], &mut [f32]) + use<> {
        let field = self.field(drawn, frame);
        let second = field.len() - frame.height * frame.width;
        move |row, xs, ys| {
            let dxs = &field[row * frame.width..][..frame.width];
            let dys = &field[second + row * frame.width..][..frame.width];
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
        let kernel: Vec<f64> = (0..=radius)
            .map(|distance| libm::exp(-0.5 * (distance as f64 / sigma).powi(2)))
            .collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use candlewick_basis::seed::derive;

    /// Root of the mean square, mean largest value, and correlation over four columns of the fields
    /// along x for images of 40×60.
    fn measured(table: &str) -> [f64; 3] {
        let elastic: Elastic = serde_json::from_str(table).unwrap();
        let frame = Frame { height: 40, width: 60, channels: 1 };
        let mut sums = [0.0; 3];
        let images = 400;
        for image in 0..images {
            let drawn = Drawn { field: derive(image, "elastic", &[]).next_u64() };
            let field = &elastic.field(&drawn, frame)[..40 * 60];
            let square = field.iter().map(|x| f64::from(x * x)).sum::<f64>() / field.len() as f64;
            let rows = field.chunks_exact(60);
            let pairs = rows.flat_map(|row| row.iter().zip(&row[4..]));
            let product = pairs.map(|(a, b)| f64::from(a * b)).sum::<f64>() / (40.0 * 56.0);
            let largest = field.iter().fold(0.0, |largest: f32, x| largest.max(x.abs()));
            let of_image = [square.sqrt(), f64::from(largest), product / square];
            sums.iter_mut().zip(of_image).for_each(|(sum, value)| *sum += value);
        }
        sums.map(|sum| sum / images as f64)
    }

    #[test]
    fn fields_are_as_strong_and_as_smooth_as_those_of_albumentations() {
        // Measured with 400 fields of Albumentations 2.0.8's generate_displacement_fields.
        let cases = [
            (r#"{ "elastic": 120, "sigma": 6 }"#, [2.2846, 11.962, 0.7346]),
            (
                r#"{ "elastic": 120, "sigma": 6, "noise-distribution": "uniform" }"#,
                [4.940, 26.03, 0.7318],
            ),
            (r#"{ "elastic": 300 }"#, [12.39, 24.40, 0.9589]),
        ];
        for (table, expected) in cases {
            let found = measured(table);
            for (found, expected) in found.into_iter().zip(expected) {
                // Wide Gaussians leave few independent numbers in a field.
                assert!((found / expected - 1.0).abs() < 0.08, "{table}: {found} for {expected}");
            }
        }
    }

    #[test]
    fn one_field_for_both_moves_along_the_diagonal() {
        let table = r#"{ "elastic": 50, "sigma": 4, "same-dxdy": true }"#;
        let elastic: Elastic = serde_json::from_str(table).unwrap();
        let frame = Frame { height: 5, width: 7, channels: 1 };
        let (mut xs, mut ys) = ([0.0; 7], [0.0; 7]);
        elastic.map(&Drawn { field: 3 }, frame)(2, &mut xs, &mut ys);
        for (column, (x, y)) in xs.into_iter().zip(ys).enumerate() {
            assert!((x - column as f32 - (y - 2.0)).abs() < 1e-5);
            assert!(x != column as f32);
        }
    }
}
