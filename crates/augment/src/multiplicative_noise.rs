//! Every value times a random number: Albumentations' `MultiplicativeNoise`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bytes::truncated;
use super::image::{Frame, Image};
use super::noise::{BLOCK, Field};
use super::parameters::Range;
use super::simd::vectorised;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Every value times a random number: `{ multiplicative-noise = [0.9, 1.1], per-channel = false,
/// elementwise = false }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MultiplicativeNoise {
    /// What is multiplied by (`multiplier` of Albumentations).
    multiplicative_noise: Range,
    /// Whether each channel has its own number.
    #[serde(default)]
    per_channel: bool,
    /// Whether each pixel has its own number.
    #[serde(default)]
    elementwise: bool,
}

/// What is multiplied by.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub enum Drawn {
    /// One number for all values of a channel.
    Channels {
        /// For each channel.
        multiplier: [f64; 3],
    },
    /// A number for each value or pixel, all from one key.
    Field {
        /// The key.
        key: u64,
    },
}

impl Transform for MultiplicativeNoise {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.multiplicative_noise.check("multiplicative-noise", 0.0, 255.0)?;
        Ok(frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Drawn {
        if self.elementwise {
            return Drawn::Field { key: stream.next_u64() };
        }
        let mut multiplier = [self.multiplicative_noise.draw(stream); 3];
        if self.per_channel {
            multiplier[1..].fill_with(|| self.multiplicative_noise.draw(stream));
        }
        Drawn::Channels { multiplier }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        let channels = image.frame().channels;
        match drawn {
            Drawn::Channels { multiplier } if channels == 1 || !self.per_channel => {
                let multiplier = multiplier[0] as f32;
                vectorised(
                    #[inline(always)]
                    || {
                        for value in image.pixels_mut() {
                            *value = truncated(f32::from(*value) * multiplier);
                        }
                    },
                );
            }
            Drawn::Channels { multiplier } => {
                // The pattern of channels repeats in whole vectors.
                let pattern: [f32; 96] = std::array::from_fn(|at| multiplier[at % 3] as f32);
                vectorised(
                    #[inline(always)]
                    || {
                        let (groups, rest) = image.pixels_mut().as_chunks_mut::<96>();
                        for group in groups {
                            for (value, multiplier) in group.iter_mut().zip(&pattern) {
                                *value = truncated(f32::from(*value) * multiplier);
                            }
                        }
                        for (value, multiplier) in rest.iter_mut().zip(&pattern) {
                            *value = truncated(f32::from(*value) * multiplier);
                        }
                    },
                );
            }
            Drawn::Field { key } => {
                let values_per_number = if self.per_channel { 1 } else { channels };
                let field = Field::new(*key);
                let Range { low, high } = self.multiplicative_noise;
                let (low, step) = (low as f32, ((high - low) / 65536.0) as f32);
                vectorised(
                    #[inline(always)]
                    || {
                        let blocks = image.pixels_mut().chunks_mut(BLOCK * values_per_number);
                        for (index, values) in blocks.enumerate() {
                            let mut multipliers = [0.0; BLOCK];
                            for (multiplier, word) in
                                multipliers.iter_mut().zip(&field.block(index))
                            {
                                *multiplier = low + step * (f32::from(*word) + 0.5);
                            }
                            if values_per_number == 1 {
                                for (value, multiplier) in values.iter_mut().zip(&multipliers) {
                                    *value = truncated(f32::from(*value) * multiplier);
                                }
                            } else {
                                let (pixels, _) = values.as_chunks_mut::<3>();
                                for (pixel, multiplier) in pixels.iter_mut().zip(&multipliers) {
                                    *pixel =
                                        pixel.map(|value| truncated(f32::from(value) * multiplier));
                                }
                            }
                        }
                    },
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elementwise_noise_has_the_spread_that_albumentations_gives() {
        // MultiplicativeNoise((0.5, 1.5), elementwise=True) on 128: from 64 to 191, mean 127.5,
        // deviation 36.9; the channels of a pixel are equal unless per_channel.
        for (per_channel, equal) in [(false, true), (true, false)] {
            let transform: MultiplicativeNoise = serde_json::from_value(serde_json::json!({
                "multiplicative-noise": [0.5, 1.5], "elementwise": true, "per-channel": per_channel,
            }))
            .unwrap();
            let frame = Frame { height: 100, width: 101, channels: 3 };
            let mut image = Image::new(frame, vec![128; frame.bytes()]);
            transform.pixels(&Drawn::Field { key: 5 }, &mut image);
            let values: Vec<f64> = image.pixels().iter().map(|value| f64::from(*value)).collect();
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let std = (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
            assert!((mean - 127.5).abs() < 1.0, "{mean}");
            assert!((std - 36.95).abs() < 0.5, "{std}");
            assert!(values.iter().all(|value| (64.0..=191.0).contains(value)));
            assert_eq!(image.pixels().chunks(3).all(|p| p[0] == p[1] && p[1] == p[2]), equal);
        }
    }
}
