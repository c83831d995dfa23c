//! Mirrored at the main diagonal: Albumentations' `Transpose`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::boxes::BBox;
use super::image::{Frame, Image};
use super::parameters::Always;
use super::quarter_turn::{square, turn};
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Mirrored at the main diagonal: `"transpose"`, for square images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Transpose {
    transpose: Always,
}

impl Transform for Transpose {
    type Drawn = ();

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        square("transpose", frame)
    }

    fn draw(&self, _: &Scene, _: &mut Stream) {}

    fn pixels(&self, (): &(), image: &mut Image) {
        turn(image, |row, column| (column, row));
    }

    fn boxes(&self, (): &(), _: Frame, boxes: &mut [BBox]) {
        for bbox in boxes {
            *bbox = bbox.moved(|x, y| (y, x));
        }
    }
}
