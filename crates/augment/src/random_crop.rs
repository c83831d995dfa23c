//! A window anywhere in the image: Albumentations' `RandomCrop`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::boxes::BBox;
use super::center_crop::CenterCrop;
use super::image::{Frame, Image};
use super::registry::AnyTransform;
use super::size::Size;
use super::transform::{Fault, Scene, Transform};
use super::window::Window;
use candlewick_basis::seed::Stream;

/// A window anywhere in the image: `{ random-crop = 32 }`; validation and test images are cropped
/// in the middle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RandomCrop {
    /// Height and width.
    random_crop: Size,
}

impl Transform for RandomCrop {
    type Drawn = Window;

    const P: f64 = 1.0;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.random_crop.check_inside("random-crop", frame)
    }

    fn draw(&self, scene: &Scene, stream: &mut Stream) -> Window {
        Window::draw(self.random_crop, scene.frame, stream)
    }

    fn pixels(&self, window: &Window, image: &mut Image) {
        window.crop(image);
    }

    fn boxes(&self, window: &Window, _: Frame, boxes: &mut [BBox]) {
        window.crop_boxes(boxes);
    }

    fn at_evaluation(&self, _: Frame) -> Option<AnyTransform> {
        Some(CenterCrop::new(self.random_crop).into())
    }

    fn takes_any_size(&self, wanted: Frame) -> bool {
        self.random_crop == Size { height: wanted.height, width: wanted.width }
    }
}
