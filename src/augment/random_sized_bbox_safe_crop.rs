//! A window that holds all boxes, brought to one size: Albumentations' `RandomSizedBBoxSafeCrop`.

use serde::{Deserialize, Serialize};

use super::boxes::BBox;
use super::image::{Frame, Image};
use super::parameters::{Interpolation, Range};
use super::registry::AnyTransform;
use super::resample;
use super::resize::Resize;
use super::size::Size;
use super::transform::{Fault, Scene, Transform};
use super::window::Window;
use crate::basis::seed::Stream;

/// `{ random-sized-bbox-safe-crop = [32, 32], erosion-rate = 0.0, interpolation = "linear" }`;
/// validation and test images are resized.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RandomSizedBBoxSafeCrop {
    /// Height and width of what comes out.
    random_sized_bbox_safe_crop: Size,
    /// The part of the boxes' common width and height that may be lost; for images without boxes
    /// the part of the image's height.
    #[serde(default)]
    erosion_rate: f64,
    /// How values between pixels are found.
    #[serde(default)]
    interpolation: Interpolation,
}

impl RandomSizedBBoxSafeCrop {
    /// The box around all boxes, less what may be lost; none if nothing has to be kept.
    fn kept(&self, boxes: &[BBox]) -> Option<BBox> {
        let [first, rest @ ..] = boxes else { return None };
        if self.erosion_rate >= 1.0 {
            return None;
        }
        // Albumentations does not erode a single box.
        if rest.is_empty() {
            return Some(*first);
        }
        let corners = boxes.iter().flat_map(|b| [(b.x_min, b.y_min), (b.x_max, b.y_max)]);
        let all = BBox::around(corners, first.label);
        let x = (all.x_max - all.x_min) * self.erosion_rate / 2.0;
        let y = (all.y_max - all.y_min) * self.erosion_rate / 2.0;
        let kept = BBox {
            x_min: all.x_min + x,
            y_min: all.y_min + y,
            x_max: all.x_max - x,
            y_max: all.y_max - y,
            ..all
        };
        (kept.area() > 0.0).then_some(kept)
    }
}

impl Transform for RandomSizedBBoxSafeCrop {
    type Drawn = Window;

    const P: f64 = 1.0;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        let rate = self.erosion_rate;
        Range::new(rate, rate).check("erosion-rate", 0.0, 1.0)?;
        self.random_sized_bbox_safe_crop.check("random-sized-bbox-safe-crop", frame)
    }

    fn draw(&self, scene: &Scene, stream: &mut Stream) -> Window {
        let frame = scene.frame;
        let Some(kept) = self.kept(scene.boxes) else {
            let least = (frame.height as f64 * (1.0 - self.erosion_rate)).max(1.0);
            let height = Range::new(least.floor(), frame.height as f64).draw_whole(stream) as usize;
            let width = (height * frame.width / frame.height).max(1);
            return Window::draw(Size { height, width }, frame, stream);
        };
        let kept = kept.clipped(frame);
        // From anywhere before what is kept to anywhere behind it, in whole pixels.
        let mut side = |low: f64, high: f64, length: usize| {
            let start = ((low * stream.uniform()) as usize).min(length - 1);
            let end = (high + (length as f64 - high) * stream.uniform()) as usize;
            (start, end.clamp(start + 1, length) - start)
        };
        let (left, width) = side(kept.x_min, kept.x_max, frame.width);
        let (top, height) = side(kept.y_min, kept.y_max, frame.height);
        Window { top, left, height, width }
    }

    fn pixels(&self, window: &Window, image: &mut Image) {
        window.crop(image);
        let Size { height, width } = self.random_sized_bbox_safe_crop;
        resample::resize(image, image.frame().sized(height, width), self.interpolation);
    }

    fn boxes(&self, window: &Window, frame: Frame, boxes: &mut [BBox]) {
        window.crop_boxes(boxes);
        let Size { height, width } = self.random_sized_bbox_safe_crop;
        let cropped = frame.sized(window.height, window.width);
        resample::resize_boxes(boxes, cropped, frame.sized(height, width));
    }

    fn at_evaluation(&self, _: Frame) -> Option<AnyTransform> {
        Some(Resize::new(self.random_sized_bbox_safe_crop, self.interpolation).into())
    }
}
