//! Values with their lowest bits cleared: Albumentations' `Posterize`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::image::{Frame, Image};
use super::parameters::Range;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Values with their lowest bits cleared: `{ posterize = 4 }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Posterize {
    /// How many of 8 bits are kept: so many, or the fewest and the most.
    posterize: Range,
}

/// What [`Posterize`] draws.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Drawn {
    num_bits: u8,
}

impl Transform for Posterize {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.posterize.check("posterize", 1.0, 7.0)?;
        let Range { low, high } = self.posterize;
        if low.fract() != 0.0 || high.fract() != 0.0 {
            let message = format!("posterize = [{low}, {high}]: the number of bits must be whole");
            return Err(Fault::new("posterize", message, "not whole"));
        }
        Ok(frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Drawn {
        Drawn { num_bits: self.posterize.draw_whole(stream) as u8 }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        let mask = !(u8::MAX >> drawn.num_bits.min(7));
        for value in image.pixels_mut() {
            *value &= mask;
        }
    }
}
