//! Values raised to a power: Albumentations' `RandomGamma`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::image::{Frame, Image};
use super::lut::look_up;
use super::parameters::UpTo;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Values raised to a power: `{ gamma = [80, 120] }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Gamma {
    /// The exponent in percent: the greatest, or the least and the greatest.
    gamma: UpTo<1>,
}

/// What [`Gamma`] draws.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Drawn {
    gamma: f64,
}

impl Transform for Gamma {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.gamma.check("gamma", 1e6)?;
        Ok(frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Drawn {
        Drawn { gamma: self.gamma.0.draw(stream) / 100.0 }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        // Values are cut to whole numbers. That i times 1/255 and not i/255 is raised, as in
        // Albumentations, decides which of two numbers some become.
        let value = |i: usize| libm::pow(i as f64 * (1.0 / 255.0), drawn.gamma) * 255.0;
        look_up(image, &std::array::from_fn(|i| value(i) as u8));
    }
}
