//! All values equally frequent, as far as possible: Albumentations' `Equalize`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::colour::{change_colours, from_ycrcb, to_ycrcb};
use super::histogram::histogram;
use super::image::{Frame, Image};
use super::lut::{Lut, look_up_channels};
use super::parameters::Always;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// All values equally frequent, as far as possible: `{ equalize = true, mode = "cv", by-channels =
/// true }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Equalize {
    equalize: Always,
    /// By whose definition.
    #[serde(default)]
    mode: Mode,
    /// Whether each channel is equalised, or else the brightness of colours.
    #[serde(default = "by_channels")]
    by_channels: bool,
}

fn by_channels() -> bool {
    true
}

/// By whose definition histograms are equalised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    /// OpenCV's.
    #[default]
    Cv,
    /// Pillow's.
    Pil,
}

impl Transform for Equalize {
    type Drawn = ();

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        Ok(frame)
    }

    fn draw(&self, _: &Scene, _: &mut Stream) {}

    fn pixels(&self, (): &(), image: &mut Image) {
        let channels = image.frame().channels;
        let identity: Lut = std::array::from_fn(|i| i as u8);
        let brightness_alone = channels == 3 && !self.by_channels;
        if brightness_alone {
            change_colours(image, to_ycrcb);
        }
        let tables = std::array::from_fn(|c| {
            if c >= channels || brightness_alone && c > 0 {
                return identity;
            }
            let histogram = histogram(image.pixels(), c, channels);
            match self.mode {
                Mode::Cv => opencv(&histogram),
                Mode::Pil => pillow(&histogram),
            }
        });
        look_up_channels(image, &tables);
        if brightness_alone {
            change_colours(image, from_ycrcb);
        }
    }
}

/// OpenCV's `equalizeHist`: the least value becomes 0 and is not counted.
fn opencv(histogram: &[u32; 256]) -> Lut {
    let total: u32 = histogram.iter().sum();
    let least = histogram.iter().position(|count| *count > 0).unwrap_or(0);
    if histogram[least] == total {
        return [least as u8; 256];
    }
    let scale = 255.0 / (total - histogram[least]) as f32;
    let mut sum = 0;
    std::array::from_fn(|value| {
        if value > least {
            sum += histogram[value];
        }
        (sum as f32 * scale).round_ties_even() as u8
    })
}

/// Albumentations' version of Pillow's `ImageOps.equalize`.
fn pillow(histogram: &[u32; 256]) -> Lut {
    let total: u32 = histogram.iter().sum();
    let greatest = histogram.iter().rfind(|count| **count > 0).unwrap_or(&0);
    let step = (total - greatest) / 255;
    if step == 0 {
        return std::array::from_fn(|value| value as u8);
    }
    let mut sum = step / 2;
    std::array::from_fn(|value| {
        sum += histogram[value];
        (sum / step).min(255) as u8
    })
}
