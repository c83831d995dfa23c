//! None to three quarter turns: Albumentations' `RandomRotate90`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::boxes::BBox;
use super::image::{Frame, Image};
use super::parameters::Always;
use super::quarter_turn::{square, turn};
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// None to three quarter turns: `"rotate-90"`, for square images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotate90 {
    #[serde(rename = "rotate-90")]
    rotate_90: Always,
}

/// What is drawn for one image.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Drawn {
    /// Counter-clockwise.
    quarter_turns: u8,
}

impl Transform for Rotate90 {
    type Drawn = Drawn;

    const P: f64 = 1.0;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        square("rotate-90", frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Drawn {
        Drawn { quarter_turns: stream.below(4) as u8 }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        let Frame { height, width, .. } = image.frame();
        match drawn.quarter_turns % 4 {
            1 => turn(image, |row, column| (column, width - 1 - row)),
            2 => {
                turn(image, |row, column| (column, width - 1 - row));
                turn(image, |row, column| (column, height - 1 - row));
            }
            3 => turn(image, |row, column| (height - 1 - column, row)),
            _ => {}
        }
    }

    fn boxes(&self, drawn: &Drawn, frame: Frame, boxes: &mut [BBox]) {
        let (height, width) = (frame.height as f64, frame.width as f64);
        for bbox in boxes {
            *bbox = bbox.moved(|x, y| match drawn.quarter_turns % 4 {
                1 => (y, width - x),
                2 => (width - x, height - y),
                3 => (height - y, x),
                _ => (x, y),
            });
        }
    }
}
