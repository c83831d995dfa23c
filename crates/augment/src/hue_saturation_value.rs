//! Hue turned, saturation and value shifted: Albumentations' `HueSaturationValue`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::colour::{Plane, change_colours, from_hsv, need_colours, to_hsv};
use super::image::{Frame, Image};
use super::parameters::Limit;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Hue turned, saturation and value shifted: `{ hue-saturation-value = [20, 30, 20] }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HueSaturationValue {
    /// What is added at most, or from the least to the greatest: to hue in steps of 2°, of which
    /// there are 180, to saturation and to value in steps of which there are 255.
    hue_saturation_value: [Limit; 3],
}

/// What [`HueSaturationValue`] draws.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Drawn {
    hue: f64,
    saturation: f64,
    value: f64,
}

impl Transform for HueSaturationValue {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        for (limit, most) in self.hue_saturation_value.iter().zip([180.0, 255.0, 255.0]) {
            limit.check("hue-saturation-value", -most, most)?;
        }
        need_colours("hue-saturation-value", frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Drawn {
        let [hue, saturation, value] = self.hue_saturation_value.map(|limit| limit.draw(stream));
        Drawn { hue, saturation, value }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        let turn = hue_turn(drawn.hue);
        // OpenCV is given whole numbers.
        let (saturation, value) = (drawn.saturation as i16, drawn.value as i16);
        change_colours(
            image,
            #[inline(always)]
            |planes| {
                to_hsv(planes);
                let [hues, saturations, values] = planes;
                turn_hues(hues, turn);
                for old in saturations {
                    // What has no colour gets none.
                    let shifted = (i16::from(*old) + saturation).clamp(0, 255) as u8;
                    *old = if *old == 0 { 0 } else { shifted };
                }
                for old in values {
                    *old = (i16::from(*old) + value).clamp(0, 255) as u8;
                }
                from_hsv(planes);
            },
        );
    }
}

/// The whole steps of a turn of the hue, in 0..180: a sum is cut to whole steps.
pub(super) fn hue_turn(steps: f64) -> u8 {
    (steps.rem_euclid(180.0) as u8).min(179)
}

/// Turns hues in 0..180.
#[inline(always)]
pub(super) fn turn_hues(hues: &mut Plane, turn: u8) {
    for hue in hues {
        let left = 180 - turn;
        *hue = if *hue >= left { *hue - left } else { *hue + turn };
    }
}
