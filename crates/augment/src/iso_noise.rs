//! The noise of a sensitive sensor: Albumentations' `ISONoise`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bytes::rounded;
use super::hls;
use super::image::{Frame, Image};
use super::noise::{BLOCK, Field, Normal};
use super::parameters::Range;
use super::poisson::Poisson;
use super::simd::vectorised;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// The noise of a sensitive sensor: `{ iso-noise = [0.1, 0.5], color-shift = [0.01, 0.05] }`
///
/// Lightness is raised by Poisson numbers and hue shifted by normal ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct IsoNoise {
    /// How strong both are (`intensity` of Albumentations).
    iso_noise: Range,
    /// Deviation of the hue in degrees, for an intensity of 1.
    #[serde(default = "color_shift")]
    color_shift: Range,
}

fn color_shift() -> Range {
    Range::new(0.01, 0.05)
}

/// One field of noise.
#[derive(Serialize, Deserialize)]
pub struct Drawn {
    color_shift: f64,
    intensity: f64,
    key: u64,
}

impl Transform for IsoNoise {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        frame.coloured("iso-noise")?;
        self.iso_noise.check("iso-noise", 0.0, 100.0)?;
        self.color_shift.check("color-shift", 0.0, 1.0)?;
        Ok(frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Drawn {
        Drawn {
            color_shift: self.color_shift.draw(stream),
            intensity: self.iso_noise.draw(stream),
            key: stream.next_u64(),
        }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        let (pixels, _) = image.pixels_mut().as_chunks_mut::<3>();
        // Lightness in steps of 1/510, whose spread is the rate of the Poisson numbers.
        let (mut sum, mut squares) = (0u64, 0u64);
        vectorised(
            #[inline(always)]
            || {
                for [r, g, b] in pixels.iter() {
                    let lightness = u64::from(*r.max(g).max(b)) + u64::from(*r.min(g).min(b));
                    sum += lightness;
                    squares += lightness * lightness;
                }
            },
        );
        let n = pixels.len() as f64;
        let mean = sum as f64 / n;
        let deviation = (squares as f64 / n - mean * mean).max(0.0).sqrt() / 510.0;
        let poisson = Poisson::new(deviation * drawn.intensity);
        let (intensity, shift) =
            (drawn.intensity as f32, (drawn.color_shift * drawn.intensity) as f32);

        let mut keys = Stream::keyed(drawn.key);
        let (hues, low, high) =
            (Field::new(keys.next_u64()), Field::new(keys.next_u64()), Field::new(keys.next_u64()));
        let normal = Normal::table();
        vectorised(
            #[inline(always)]
            || {
                for (index, pixels) in pixels.chunks_mut(BLOCK).enumerate() {
                    let mut hue_shift = [0.0f32; BLOCK];
                    for (hue_shift, word) in hue_shift.iter_mut().zip(&hues.block(index)) {
                        *hue_shift = normal.of(*word) * shift;
                    }
                    let mut raise = [0.0f32; BLOCK];
                    let uniform = low.block(index).into_iter().zip(high.block(index));
                    for (raise, (low, high)) in raise.iter_mut().zip(uniform) {
                        let count = poisson.of(u32::from(high) << 16 | u32::from(low));
                        *raise = count as f32 * intensity;
                    }
                    // Channels apart, so that the arithmetic between is done in vectors.
                    let mut planes = [[0.0f32; BLOCK]; 3];
                    let [red, green, blue] = &mut planes;
                    for (place, [r, g, b]) in pixels.iter().enumerate() {
                        red[place] = f32::from(*r);
                        green[place] = f32::from(*g);
                        blue[place] = f32::from(*b);
                    }
                    for place in 0..BLOCK {
                        let rgb = [red[place], green[place], blue[place]];
                        let [hue, lightness, saturation] =
                            hls::of_rgb(rgb.map(|value| value * (1.0 / 255.0)));
                        let lightness = (lightness + raise[place] * (1.0 - lightness)).min(1.0);
                        let hue = (hue + hue_shift[place]).clamp(-360.0, 720.0);
                        let rgb = hls::to_rgb([hue, lightness, saturation]);
                        [red[place], green[place], blue[place]] = rgb.map(|value| value * 255.0);
                    }
                    for (place, pixel) in pixels.iter_mut().enumerate() {
                        *pixel = [red[place], green[place], blue[place]].map(rounded);
                    }
                }
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_changes_the_mean_and_deviation_as_albumentations_does() {
        let transform: IsoNoise = serde_json::from_str(r#"{"iso-noise": 0.5}"#).unwrap();
        let frame = Frame { height: 128, width: 128, channels: 3 };
        let pixels = (0..frame.bytes()).map(|i| [30, (i / 3 % 128) as u8 * 2, 200][i % 3]);
        let mut image = Image::new(frame, pixels.collect());
        let drawn = Drawn { color_shift: 1.0, intensity: 2.0, key: 9 };
        transform.pixels(&drawn, &mut image);
        // Mean and deviation of each channel that ISONoise((1, 1), (2, 2)) gives on this image.
        for (c, (mean, std)) in MEASURED.into_iter().enumerate() {
            let values: Vec<f64> =
                image.pixels().iter().skip(c).step_by(3).map(|value| f64::from(*value)).collect();
            let found = values.iter().sum::<f64>() / values.len() as f64;
            let squares = values.iter().map(|x| (x - found).powi(2)).sum::<f64>();
            let deviation = (squares / values.len() as f64).sqrt();
            assert!((found - mean).abs() < 2.0, "{c}: {found}");
            assert!((deviation - std).abs() < 2.0, "{c}: {deviation}");
        }
    }

    const MEASURED: [(f64, f64); 3] = [(43.2, 52.8), (134.5, 77.7), (203.2, 13.2)];
}
