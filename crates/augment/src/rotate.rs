//! Rotation about the centre: Albumentations' `Rotate`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::boxes::BBox;
use super::image::{Frame, Image};
use super::parameters::{Border, Fill, Interpolation, Limit};
use super::projection::{self, Steps};
use super::transform::{Fault, Scene, Transform};
use super::warp::Sampling;
use candlewick_basis::seed::Stream;

/// Rotation about the centre: `{ rotate = 30, interpolation = "linear", border = "constant", fill =
/// 0 }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rotate {
    /// Degrees, counter-clockwise: x stands for ±x.
    rotate: Limit,
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

/// What is drawn for one image.
#[derive(Serialize, Deserialize)]
pub struct Drawn {
    /// Degrees.
    angle: f64,
}

impl Drawn {
    fn steps(&self) -> Steps {
        Steps { scale: [1.0; 2], angle: self.angle, shear: [0.0; 2], translate: [0.0; 2] }
    }
}

impl Transform for Rotate {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.rotate.check("rotate", -360.0, 360.0)?;
        Ok(frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Drawn {
        Drawn { angle: self.rotate.draw(stream) }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        let Rotate { interpolation, border, fill, .. } = *self;
        projection::move_pixels(image, drawn.steps(), Sampling { interpolation, border, fill });
    }

    fn boxes(&self, drawn: &Drawn, frame: Frame, boxes: &mut [BBox]) {
        projection::move_boxes(boxes, frame, drawn.steps());
    }
}
