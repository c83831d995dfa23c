//! Contrast multiplied and brightness added: Albumentations' `RandomBrightnessContrast`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::image::{Frame, Image};
use super::lut::{cut_lut, look_up};
use super::parameters::Limit;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Contrast multiplied and brightness added: `{ brightness-contrast = [0.2, 0.2], brightness-by-max
/// = true, ensure-safe-range = false }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BrightnessContrast {
    /// What is added, in parts of white, and what 1 plus it multiplies with.
    brightness_contrast: [Limit; 2],
    /// Whether brightness is in parts of white, or else of the image's mean.
    #[serde(default = "brightness_by_max")]
    brightness_by_max: bool,
    /// Whether both are limited so that nothing is cut off.
    #[serde(default)]
    ensure_safe_range: bool,
}

fn brightness_by_max() -> bool {
    true
}

/// What [`BrightnessContrast`] draws.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Drawn {
    brightness: f64,
    contrast: f64,
}

impl Transform for BrightnessContrast {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        for limit in self.brightness_contrast {
            limit.check("brightness-contrast", -1000.0, 1000.0)?;
        }
        Ok(frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Drawn {
        let [brightness, contrast] = self.brightness_contrast.map(|limit| limit.draw(stream));
        Drawn { brightness, contrast }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        let mut factor = 1.0 + drawn.contrast;
        let mut summand =
            drawn.brightness * if self.brightness_by_max { 255.0 } else { mean(image.pixels()) };
        if self.ensure_safe_range {
            if factor > 0.0 {
                summand = summand.clamp(0.0, 255.0);
                factor = factor.min((255.0 - summand) / 255.0);
            } else {
                summand = summand.min(255.0);
                factor = factor.max(-summand / 255.0);
            }
        }
        look_up(image, &cut_lut(|x| x * factor as f32 + summand as f32));
    }
}

fn mean(pixels: &[u8]) -> f64 {
    let sum: u64 = pixels.iter().map(|value| u64::from(*value)).sum();
    sum as f64 / pixels.len() as f64
}
