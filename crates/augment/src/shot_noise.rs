//! Light counted in photons: Albumentations' `ShotNoise`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::image::{Frame, Image};
use super::parameters::Range;
use super::poisson::Poisson;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Light counted in photons: `{ shot-noise = [0.1, 0.3] }`
///
/// Every value becomes an amount of light (gamma 2.2), of which a Poisson number of photons is
/// counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ShotNoise {
    /// The light of one photon, where white is 1 (`scale_range` of Albumentations).
    shot_noise: Range,
}

/// One field of noise.
#[derive(Serialize, Deserialize)]
pub struct Drawn {
    scale: f64,
    key: u64,
}

impl Transform for ShotNoise {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        // With smaller photons the noise of white would be less than one grey level.
        self.shot_noise.check("shot-noise", 1e-4, 1000.0)?;
        Ok(frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Drawn {
        Drawn { scale: self.shot_noise.draw(stream), key: stream.next_u64() }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        // Kept in range for draws that were written by hand.
        let scale = drawn.scale.max(1e-4);
        let shown = |photons: u32| {
            let light = (f64::from(photons) * scale).min(1.0);
            (libm::pow(light, 1.0 / 2.2) * 255.0).round_ties_even() as u8
        };
        // All counts above those of white are white.
        let most = (1.0 / scale).ceil() as u32;
        let shown: Vec<u8> = (0..=most).map(shown).collect();
        let mut tables: [Option<Poisson>; 256] = [const { None }; 256];
        let stream = Stream::keyed(drawn.key);
        for (pair, place) in image.pixels_mut().chunks_mut(2).zip(0..) {
            let bits = stream.at(place);
            for (value, uniform) in pair.iter_mut().zip([bits as u32, (bits >> 32) as u32]) {
                let table = tables[usize::from(*value)].get_or_insert_with(|| {
                    let light = libm::pow(f64::from(*value) / 255.0, 2.2);
                    Poisson::new((light + scale * 1e-6) / scale)
                });
                *value = shown[table.of(uniform).min(most) as usize];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_the_mean_and_deviation_that_albumentations_gives() {
        let transform = ShotNoise { shot_noise: Range::new(0.1, 0.1) };
        for (value, scale, mean, std) in MEASURED {
            let frame = Frame { height: 200, width: 200, channels: 1 };
            let mut image = Image::new(frame, vec![value; frame.bytes()]);
            transform.pixels(&Drawn { scale, key: 3 }, &mut image);
            let values: Vec<f64> = image.pixels().iter().map(|value| f64::from(*value)).collect();
            let n = values.len() as f64;
            let found = values.iter().sum::<f64>() / n;
            let deviation = (values.iter().map(|x| (x - found).powi(2)).sum::<f64>() / n).sqrt();
            assert!((found - mean).abs() < 0.02 * mean + 0.1, "{value} {scale}: {found}");
            assert!((deviation - std).abs() < 0.03 * std + 0.1, "{value} {scale}: {deviation}");
        }
    }

    /// Value, scale; mean and deviation that Albumentations' `ShotNoise` gives on a flat image.
    const MEASURED: [(u8, f64, f64, f64); 4] = [
        (60, 0.1, 32.93, 46.79),
        (128, 0.1, 116.14, 51.07),
        (200, 0.3, 172.7, 80.1),
        (200, 0.001, 199.96, 3.76),
    ];
}
