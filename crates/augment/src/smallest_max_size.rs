//! The shorter side at a length, the longer one in proportion: Albumentations' `SmallestMaxSize`.

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

/// The shorter side at a length, the longer one in proportion: `{ smallest-max-size = 36,
/// interpolation = "linear" }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SmallestMaxSize {
    /// Pixels of the shorter side.
    smallest_max_size: usize,
    /// How values between pixels are found.
    #[serde(default)]
    interpolation: Interpolation,
}

impl SmallestMaxSize {
    fn size(&self, frame: Frame) -> Size {
        let scale = self.smallest_max_size as f64 / frame.height.min(frame.width) as f64;
        Size::scaled(frame, scale)
    }

    fn resized(&self, frame: Frame) -> Frame {
        let Size { height, width } = self.size(frame);
        frame.sized(height, width)
    }
}

impl Transform for SmallestMaxSize {
    type Drawn = ();

    const P: f64 = 1.0;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        let side = Size { height: self.smallest_max_size, width: self.smallest_max_size };
        side.check("smallest-max-size", frame)?;
        self.size(frame).check("smallest-max-size", frame)
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
