//! Light from one side, as on a relief: Albumentations' `Emboss`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filter::correlate;
use super::image::{Frame, Image};
use super::parameters::Range;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Light from one side, as on a relief: `{ emboss = [0.2, 0.5], strength = [0.2, 0.7] }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Emboss {
    /// The part of the embossed image in what comes out (Albumentations' `alpha`).
    emboss: Range,
    /// How strong the relief is.
    #[serde(default = "strength")]
    strength: Range,
}

fn strength() -> Range {
    Range::new(0.2, 0.7)
}

/// What [`Emboss`] draws.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Drawn {
    alpha: f64,
    strength: f64,
}

impl Transform for Emboss {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.emboss.check("emboss", 0.0, 1.0)?;
        self.strength.check("strength", 0.0, 1000.0)?;
        Ok(frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Drawn {
        Drawn { alpha: self.emboss.draw(stream), strength: self.strength.draw(stream) }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        let Drawn { alpha, strength } = *drawn;
        let effect = [
            -1.0 - strength,
            -strength,
            0.0,
            -strength,
            1.0,
            strength,
            0.0,
            strength,
            1.0 + strength,
        ];
        let mut kernel = effect.map(|weight| alpha * weight);
        kernel[4] += 1.0 - alpha;
        correlate(image, &kernel.map(|weight| weight as f32), 3);
    }
}
