//! Edges made stronger: Albumentations' `Sharpen` by its 3×3 kernel.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filter::correlate;
use super::image::{Frame, Image};
use super::parameters::Range;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Edges made stronger: `{ sharpen = [0.2, 0.5], lightness = [0.5, 1.0] }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Sharpen {
    /// The part of the sharpened image in what comes out (Albumentations' `alpha`).
    sharpen: Range,
    /// How bright the sharpened image is: 1 as it was, 0 edges alone.
    #[serde(default = "lightness")]
    lightness: Range,
}

fn lightness() -> Range {
    Range::new(0.5, 1.0)
}

/// What [`Sharpen`] draws.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Drawn {
    alpha: f64,
    lightness: f64,
}

impl Transform for Sharpen {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.sharpen.check("sharpen", 0.0, 1.0)?;
        self.lightness.check("lightness", 0.0, 1000.0)?;
        Ok(frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Drawn {
        Drawn { alpha: self.sharpen.draw(stream), lightness: self.lightness.draw(stream) }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        let Drawn { alpha, lightness } = *drawn;
        let mut kernel = [-alpha; 9];
        kernel[4] = 1.0 - alpha + alpha * (8.0 + lightness);
        correlate(image, &kernel.map(|weight| weight as f32), 3);
    }
}
