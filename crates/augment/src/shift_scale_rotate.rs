//! Translation, scale and rotation by little: Albumentations' `ShiftScaleRotate`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::boxes::BBox;
use super::image::{Frame, Image};
use super::parameters::{Always, Border, Fill, Interpolation, Limit};
use super::projection::{self, Steps};
use super::transform::{Fault, Scene, Transform};
use super::warp::Sampling;
use candlewick_basis::seed::Stream;

/// Translation, scale and rotation by little: `{ shift-scale-rotate = true, shift-limit = 0.0625,
/// scale-limit = 0.1, rotate-limit = 45 }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ShiftScaleRotate {
    shift_scale_rotate: Always,
    /// A part of width and height by which the image moves, in whole pixels: x stands for ±x.
    #[serde(default = "sixteenth")]
    shift_limit: Limit,
    /// What is added to a scale of 1, for each axis: x stands for ±x.
    #[serde(default = "tenth")]
    scale_limit: Limit,
    /// Degrees, counter-clockwise: x stands for ±x.
    #[serde(default = "eighth_turn")]
    rotate_limit: Limit,
    /// How values between pixels are found.
    #[serde(default)]
    interpolation: Interpolation,
    /// What lies outside of the image.
    #[serde(default)]
    border: Border,
    /// The colour outside, if the border is constant.
    #[serde(default)]
    fill: Fill,
}

fn sixteenth() -> Limit {
    Limit::new(0.0625)
}

fn tenth() -> Limit {
    Limit::new(0.1)
}

fn eighth_turn() -> Limit {
    Limit::new(45.0)
}

/// What is drawn for one image; each pair is for x and y.
#[derive(Serialize, Deserialize)]
pub struct Drawn {
    /// Pixels.
    shift: [f64; 2],
    /// Factors.
    scale: [f64; 2],
    /// Degrees.
    angle: f64,
}

impl Drawn {
    fn steps(&self) -> Steps {
        Steps { scale: self.scale, angle: self.angle, shear: [0.0; 2], translate: self.shift }
    }
}

impl Transform for ShiftScaleRotate {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.shift_limit.check("shift-limit", -1.0, 1.0)?;
        self.scale_limit.check("scale-limit", -0.99, 99.0)?;
        self.rotate_limit.check("rotate-limit", -360.0, 360.0)?;
        Ok(frame)
    }

    fn draw(&self, scene: &Scene, stream: &mut Stream) -> Drawn {
        let sides = [scene.frame.width, scene.frame.height];
        let shift = sides.map(|side| (self.shift_limit.draw(stream) * side as f64).trunc());
        let scale = [(); 2].map(|()| 1.0 + self.scale_limit.draw(stream));
        Drawn { shift, scale, angle: self.rotate_limit.draw(stream) }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        let ShiftScaleRotate { interpolation, border, fill, .. } = *self;
        projection::move_pixels(image, drawn.steps(), Sampling { interpolation, border, fill });
    }

    fn boxes(&self, drawn: &Drawn, frame: Frame, boxes: &mut [BBox]) {
        projection::move_boxes(boxes, frame, drawn.steps());
    }
}
