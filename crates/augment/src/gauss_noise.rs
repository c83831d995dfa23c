//! A normal number added to every value: Albumentations' `GaussNoise`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bytes::rounded;
use super::image::{Frame, Image};
use super::noise::{BLOCK, Field, Normal};
use super::parameters::Range;
use super::simd::vectorised;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// A normal number added to every value: `{ gauss-noise = [0.2, 0.44], mean-range = 0, per-channel
/// = true }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GaussNoise {
    /// Standard deviation, in parts of 255 (`std_range` of Albumentations).
    gauss_noise: Range,
    /// Mean, in parts of 255.
    #[serde(default = "zero")]
    mean_range: Range,
    /// Whether each channel gets its own noise.
    #[serde(default = "yes")]
    per_channel: bool,
}

fn zero() -> Range {
    Range::new(0.0, 0.0)
}

fn yes() -> bool {
    true
}

/// One field of noise.
#[derive(Serialize, Deserialize)]
pub struct Drawn {
    std: f64,
    mean: f64,
    key: u64,
}

impl Transform for GaussNoise {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.gauss_noise.check("gauss-noise", 0.0, 1.0)?;
        self.mean_range.check("mean-range", -1.0, 1.0)?;
        Ok(frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Drawn {
        Drawn {
            std: self.gauss_noise.draw(stream),
            mean: self.mean_range.draw(stream),
            key: stream.next_u64(),
        }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        let values_per_number = if self.per_channel { 1 } else { image.frame().channels };
        let (std, mean) = (drawn.std as f32 * 255.0, drawn.mean as f32 * 255.0);
        let (field, normal) = (Field::new(drawn.key), Normal::table());
        vectorised(
            #[inline(always)]
            || {
                let blocks = image.pixels_mut().chunks_mut(BLOCK * values_per_number);
                for (index, values) in blocks.enumerate() {
                    // Noise is made whole before it is added, towards zero, as Albumentations does.
                    let mut noise = [0.0; BLOCK];
                    for (noise, word) in noise.iter_mut().zip(&field.block(index)) {
                        *noise = (normal.of(*word) * std + mean).trunc();
                    }
                    if values_per_number == 1 {
                        for (value, noise) in values.iter_mut().zip(&noise) {
                            *value = rounded(f32::from(*value) + noise);
                        }
                    } else {
                        let (pixels, _) = values.as_chunks_mut::<3>();
                        for (pixel, noise) in pixels.iter_mut().zip(&noise) {
                            for value in pixel {
                                *value = rounded(f32::from(*value) + noise);
                            }
                        }
                    }
                }
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noised(transform: &str, channels: usize) -> Vec<f64> {
        let transform: GaussNoise = serde_json::from_str(transform).unwrap();
        let frame = Frame { height: 128, width: 128, channels };
        let mut image = Image::new(frame, vec![128; frame.bytes()]);
        let mut stream = candlewick_basis::seed::derive(1, "noise", &[]);
        let drawn = transform.draw(&Scene { frame, boxes: &[] }, &mut stream);
        transform.pixels(&drawn, &mut image);
        image.pixels().iter().map(|value| f64::from(*value) - 128.0).collect()
    }

    #[test]
    fn noise_has_the_mean_and_deviation_that_albumentations_gives() {
        // GaussNoise((0.1, 0.1)) on a gray image of 128: mean 0.0, deviation 25.14 (less than 25.5
        // because noise is cut to whole numbers); with a mean of 0.1: 25.14 and 25.29.
        for (parameters, mean, std) in [
            (r#"{"gauss-noise": 0.1}"#, 0.0, 25.14),
            (r#"{"gauss-noise": 0.1, "mean-range": 0.1}"#, 25.14, 25.29),
        ] {
            let noise = noised(parameters, 3);
            let n = noise.len() as f64;
            let found = noise.iter().sum::<f64>() / n;
            let deviation = (noise.iter().map(|x| (x - found).powi(2)).sum::<f64>() / n).sqrt();
            assert!((found - mean).abs() < 0.4, "{found}");
            assert!((deviation - std).abs() < 0.3, "{deviation}");
        }
    }

    #[test]
    fn channels_share_noise_only_if_told_to() {
        let own = noised(r#"{"gauss-noise": 0.1}"#, 3);
        assert!(own.chunks(3).filter(|pixel| pixel[0] == pixel[1]).count() < 1000);
        let shared = noised(r#"{"gauss-noise": 0.1, "per-channel": false}"#, 3);
        assert!(shared.chunks(3).all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]));
        assert!(shared.iter().any(|x| *x > 20.0));
    }
}
