//! Bright values inverted: Albumentations' `Solarize`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::image::{Frame, Image};
use super::lut::look_up;
use super::parameters::Range;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Bright values inverted: `{ solarize = 0.5 }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Solarize {
    /// From which value on, in parts of white: one, or the least and the greatest.
    solarize: Range,
}

/// What [`Solarize`] draws.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Drawn {
    threshold: f64,
}

impl Transform for Solarize {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.solarize.check("solarize", 0.0, 1.0)?;
        Ok(frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Drawn {
        Drawn { threshold: self.solarize.draw(stream) }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        let threshold = drawn.threshold * 255.0;
        let value = |value: u8| if f64::from(value) >= threshold { !value } else { value };
        look_up(image, &std::array::from_fn(|i| value(i as u8)));
    }
}
