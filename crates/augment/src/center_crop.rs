//! The middle of the image: Albumentations' `CenterCrop`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::boxes::BBox;
use super::image::{Frame, Image};
use super::registry::AnyTransform;
use super::size::Size;
use super::transform::{Fault, Scene, Transform};
use super::window::Window;
use candlewick_basis::seed::Stream;

/// The middle of the image: `{ center-crop = [32, 32] }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CenterCrop {
    /// Height and width.
    center_crop: Size,
}

impl CenterCrop {
    /// Of `size`.
    pub(super) fn new(size: Size) -> CenterCrop {
        CenterCrop { center_crop: size }
    }
}

impl Transform for CenterCrop {
    type Drawn = ();

    const P: f64 = 1.0;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.center_crop.check_inside("center-crop", frame)
    }

    fn draw(&self, _: &Scene, _: &mut Stream) {}

    fn pixels(&self, (): &(), image: &mut Image) {
        Window::central(self.center_crop, image.frame()).crop(image);
    }

    fn boxes(&self, (): &(), frame: Frame, boxes: &mut [BBox]) {
        Window::central(self.center_crop, frame).crop_boxes(boxes);
    }

    fn at_evaluation(&self, _: Frame) -> Option<AnyTransform> {
        Some(self.clone().into())
    }

    fn takes_any_size(&self, wanted: Frame) -> bool {
        self.center_crop == Size { height: wanted.height, width: wanted.width }
    }

    fn is_settled(&self) -> bool {
        true
    }
}
