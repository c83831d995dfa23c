//! Fog of many faint discs: Albumentations' `RandomFog`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bytes::rounded;
use super::drawing::{disc, disc_rows};
use super::gaussian::{blur, kernel};
use super::image::{Frame, Image};
use super::parameters::Range;
use super::simd::vectorised;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Fog of many faint discs: `{ fog = [0.3, 1], alpha-coef = 0.08 }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Fog {
    /// How thick it is (`fog_coef_range` of Albumentations).
    fog: Range,
    /// How opaque a disc is in the thickest fog.
    #[serde(default = "faint")]
    alpha_coef: f64,
}

fn faint() -> f64 {
    0.08
}

/// One fog.
#[derive(Serialize, Deserialize)]
pub struct Drawn {
    intensity: f64,
    key: u64,
}

/// Discs of random places in ever smaller regions around the middle: (place, radius).
fn discs(drawn: &Drawn, frame: Frame, mut disc: impl FnMut([i64; 2], usize)) {
    let Frame { height, width, .. } = frame;
    let mut stream = Stream::keyed(drawn.key);
    let least = (((width / 3) as f64 * drawn.intensity) as usize).max(1);
    let most_radius = ((height.min(width) as f64 * 0.1 * drawn.intensity) as usize).max(2);
    let least_radius = (most_radius / 2).max(1);
    let (middle_x, middle_y) = ((width - 1) as i64 / 2, (height - 1) as i64 / 2);
    let (mut columns, mut rows) = (width, height);
    for _ in 0..10 {
        if columns <= least || rows <= least {
            break;
        }
        let area = (columns * rows) as f64;
        let n = (area / (least * least) as f64 * drawn.intensity * 10.0) as usize;
        for _ in 0..n {
            let x =
                middle_x - (columns / 2) as i64 + stream.below(columns as u64 / 2 * 2 + 1) as i64;
            let y = middle_y - (rows / 2) as i64 + stream.below(rows as u64 / 2 * 2 + 1) as i64;
            let radius = least_radius + stream.below((most_radius - least_radius) as u64) as usize;
            disc([x, y], radius);
        }
        columns = (columns as f64 * 0.9) as usize;
        rows = (rows as f64 * 0.9) as usize;
    }
}

impl Transform for Fog {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        frame.coloured("fog")?;
        self.fog.check("fog", 0.0, 1.0)?;
        Range::new(self.alpha_coef, self.alpha_coef).check("alpha-coef", 0.0, 1.0)?;
        Ok(frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Drawn {
        Drawn { intensity: self.fog.draw(stream), key: stream.next_u64() }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        let frame = image.frame();
        let Frame { height, width, channels } = frame;
        // How many discs cover a pixel: +1 where one begins in a row, −1 behind its end.
        let mut changes = vec![0i32; height * (width + 1)];
        let mut shapes: Vec<Option<Vec<usize>>> = Vec::new();
        discs(drawn, frame, |place, radius| {
            if shapes.len() <= radius {
                shapes.resize(radius + 1, None);
            }
            let shape = shapes[radius].get_or_insert_with(|| disc(radius));
            for (row, left, right) in disc_rows(place, shape, [height, width]) {
                changes[row * (width + 1) + left] += 1;
                changes[row * (width + 1) + right] -= 1;
            }
        });
        // Each disc does the same to a value; so a table for every number of them.
        let alpha = (self.alpha_coef * drawn.intensity) as f32;
        let mut tables: Vec<[u8; 256]> = vec![std::array::from_fn(|value| value as u8)];
        let rows = image.pixels_mut().chunks_exact_mut(width * channels);
        for (pixels, changes) in rows.zip(changes.chunks_exact(width + 1)) {
            let mut cover = 0;
            for (pixel, change) in pixels.chunks_exact_mut(channels).zip(changes) {
                cover += change;
                while tables.len() <= cover as usize {
                    let last = tables[tables.len() - 1];
                    tables.push(
                        last.map(|value| rounded(255.0 * alpha + f32::from(value) * (1.0 - alpha))),
                    );
                }
                let table = &tables[cover as usize];
                for value in pixel {
                    *value = table[usize::from(*value)];
                }
            }
        }
        let size = (height.min(width) / 30).max(3) | 1;
        let weights = match size {
            3 => vec![0.25, 0.5, 0.25],
            5 => vec![0.0625, 0.25, 0.375, 0.25, 0.0625],
            7 => vec![0.03125, 0.109375, 0.21875, 0.28125, 0.21875, 0.109375, 0.03125],
            _ => kernel(size, 0.3 * ((size - 1) as f64 * 0.5 - 1.0) + 0.8),
        };
        let mut values: Vec<f32> = image.pixels().iter().map(|value| f32::from(*value)).collect();
        blur(&mut values, [height, width, channels], &weights);
        vectorised(
            #[inline(always)]
            || {
                for (pixel, value) in image.pixels_mut().iter_mut().zip(&values) {
                    *pixel = rounded(*value);
                }
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fog_is_as_thick_as_that_of_albumentations() {
        // RandomFog((0.6, 0.6)) on gradients, mean of 40: the channels, the middle row, the third row.
        let transform: Fog = serde_json::from_str(r#"{"fog": 0.6}"#).unwrap();
        let frame = Frame { height: 128, width: 160, channels: 3 };
        let pixels = (0..frame.bytes()).map(|i| [i / 3 % 160, i / 480 * 2, 60][i % 3] as u8);
        let clear = Image::new(frame, pixels.collect());
        let mut sums = [0.0; 5];
        for key in 0..20 {
            let mut image = clear.clone();
            transform.pixels(&Drawn { intensity: 0.6, key }, &mut image);
            for (row, values) in image.pixels().chunks(480).enumerate() {
                for (at, value) in values.iter().enumerate() {
                    sums[at % 3] += f64::from(*value) / (128.0 * 160.0 * 20.0);
                    if row == 64 || row == 2 {
                        sums[3 + usize::from(row == 2)] += f64::from(*value) / (480.0 * 20.0);
                    }
                }
            }
        }
        let expected = [(94.3, 0.3), (137.8, 0.3), (76.0, 0.3), (109.6, 2.5), (51.7, 0.5)];
        for (found, (expected, tolerance)) in sums.into_iter().zip(expected) {
            assert!((found - expected).abs() < tolerance, "{sums:?}");
        }
    }
}
