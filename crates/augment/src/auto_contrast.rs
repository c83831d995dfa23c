//! Each channel stretched over the whole range: Albumentations' `AutoContrast`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::histogram::histogram;
use super::image::{Frame, Image};
use super::lut::{Lut, look_up_channels, lut};
use super::parameters::{Always, Range};
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Each channel stretched over the whole range: `{ auto-contrast = true, cutoff = 0, method = "cdf"
/// }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AutoContrast {
    auto_contrast: Always,
    /// The percentage of pixels at both ends that become black and white.
    #[serde(default)]
    cutoff: f64,
    /// How values between both ends are spread.
    #[serde(default)]
    method: Method,
}

/// How values between both ends are spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Method {
    /// By how many pixels lie below them.
    #[default]
    Cdf,
    /// Evenly, as Pillow does.
    Pil,
}

impl Transform for AutoContrast {
    type Drawn = ();

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        Range::new(self.cutoff, self.cutoff).check("cutoff", 0.0, 100.0)?;
        Ok(frame)
    }

    fn draw(&self, _: &Scene, _: &mut Stream) {}

    fn pixels(&self, (): &(), image: &mut Image) {
        let channels = image.frame().channels;
        let tables = std::array::from_fn(|c| {
            let mut counts = histogram(image.pixels(), c.min(channels - 1), channels);
            // Albumentations asks OpenCV for the counts of 0..255, which leaves white out.
            counts[255] = 0;
            let (low, high) = bounds(&counts, self.cutoff);
            if high <= low {
                return std::array::from_fn(|value| value as u8);
            }
            match self.method {
                Method::Cdf => by_counts(&counts, low, high),
                Method::Pil => {
                    let scale = 255.0 / (high - low) as f64;
                    lut(|value| (value - low as f64) * scale)
                }
            }
        });
        look_up_channels(image, &tables);
    }
}

/// The values that become black and white.
fn bounds(counts: &[u32; 256], cutoff: f64) -> (usize, usize) {
    let total: u32 = counts.iter().sum();
    if total == 0 {
        return (0, 0);
    }
    if cutoff == 0.0 {
        let least = counts.iter().position(|count| *count > 0);
        let greatest = counts.iter().rposition(|count| *count > 0);
        return (least.unwrap_or(0), greatest.unwrap_or(0));
    }
    let cut = f64::from(total) * cutoff / 100.0;
    let reaches = |sum: &mut u32, count: u32| {
        *sum += count;
        Some(f64::from(*sum) >= cut)
    };
    let below = counts.iter().scan(0, |sum, count| reaches(sum, *count)).position(|over| over);
    let above =
        counts.iter().rev().scan(0, |sum, count| reaches(sum, *count)).position(|over| over);
    let low = below.map_or(0, |value| (value + 1).min(255));
    let high = above.map_or(255, |value| 255 - value);
    if low > high { (127, 127) } else { (low, high) }
}

/// The part of all counted pixels between both ends that lie at or below each value.
fn by_counts(counts: &[u32; 256], low: usize, high: usize) -> Lut {
    let within = |to: usize| counts[low + 1..=to].iter().sum::<u32>() as f32;
    let total = within(high);
    std::array::from_fn(|value| match value {
        _ if value < low => 0,
        _ if value > high => 255,
        _ if total == 0.0 => 0,
        _ => {
            let sum = if value > low { within(value) } else { 0.0 };
            (sum * 255.0 / total).round_ties_even() as u8
        }
    })
}
