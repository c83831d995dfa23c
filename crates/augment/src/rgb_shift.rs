//! A number added to each channel: Albumentations' `RGBShift`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::colour::need_colours;
use super::image::{Frame, Image};
use super::lut::{cut_lut, look_up_channels};
use super::parameters::{Limit, Range};
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// A number added to each channel: `{ rgb-shift = [20, 20, 20] }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RgbShift {
    /// What is added to red, green and blue at most, or from the least to the greatest: gray levels,
    /// or parts of white if neither is beyond 1.
    rgb_shift: [Limit; 3],
}

/// What [`RgbShift`] draws.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Drawn {
    /// Gray levels that are added to red, green and blue.
    shift: [f64; 3],
}

impl Transform for RgbShift {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        for limit in self.rgb_shift {
            limit.check("rgb-shift", -255.0, 255.0)?;
        }
        need_colours("rgb-shift", frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Drawn {
        let shift = self.rgb_shift.map(|limit| {
            let Range { low, high } = limit.0;
            let levels = if low.abs() > 1.0 || high.abs() > 1.0 { 1.0 } else { 255.0 };
            limit.draw(stream) * levels
        });
        Drawn { shift }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        let tables = drawn.shift.map(|shift| cut_lut(|x| x + shift.trunc() as f32));
        look_up_channels(image, &tables);
    }
}
