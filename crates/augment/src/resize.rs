//! Another size: Albumentations' `Resize`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::boxes::BBox;
use super::image::{Frame, Image};
use super::parameters::Interpolation;
use super::registry::AnyTransform;
use super::resample;
use super::size::Size;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Another size: `{ resize = [36, 36], interpolation = "linear" }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Resize {
    /// Height and width.
    resize: Size,
    /// How values between pixels are found.
    #[serde(default)]
    interpolation: Interpolation,
}

impl Resize {
    /// To `size`.
    pub(super) fn new(size: Size, interpolation: Interpolation) -> Resize {
        Resize { resize: size, interpolation }
    }

    fn resized(&self, frame: Frame) -> Frame {
        frame.sized(self.resize.height, self.resize.width)
    }
}

impl Transform for Resize {
    type Drawn = ();

    const P: f64 = 1.0;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.resize.check("resize", frame)
    }

    fn draw(&self, _: &Scene, _: &mut Stream) {}

    fn pixels(&self, (): &(), image: &mut Image) {
        resample::resize(image, self.resized(image.frame()), self.interpolation);
    }

    fn boxes(&self, (): &(), frame: Frame, boxes: &mut [BBox]) {
        resample::resize_boxes(boxes, frame, self.resized(frame));
    }

    fn at_evaluation(&self, _: Frame) -> Option<AnyTransform> {
        Some(self.clone().into())
    }

    fn takes_any_size(&self, _: Frame) -> bool {
        true
    }

    fn is_settled(&self) -> bool {
        true
    }
}
