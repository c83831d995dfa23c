//! A window that holds all boxes, brought to one size: Albumentations' `RandomSizedBBoxSafeCrop`.

use schemars::JsonSchema;
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
use candlewick_basis::seed::Stream;

/// A window that holds all boxes, brought to one size: `{ random-sized-bbox-safe-crop = [32, 32],
/// erosion-rate = 0.0, interpolation = "linear" }`; validation and test images are resized.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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

    fn takes_any_size(&self, _: Frame) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlewick_basis::seed::derive;

    #[test]
    fn windows_hold_what_is_kept_and_spread_as_those_of_albumentations() {
        let crop: RandomSizedBBoxSafeCrop =
            serde_json::from_str(r#"{ "random-sized-bbox-safe-crop": 20, "erosion-rate": 0.2 }"#)
                .unwrap();
        let frame = Frame { height: 24, width: 31, channels: 3 };
        let boxes = [(6.0, 5.0, 20.0, 18.0), (10.0, 8.0, 26.0, 20.0)]
            .map(|(x_min, y_min, x_max, y_max)| BBox { x_min, y_min, x_max, y_max, label: 0 });
        let mut stream = derive(1, "windows", &[]);
        let scene = Scene { frame, boxes: &boxes };
        let draws = 20_000;
        let mut sums = [0; 4];
        for _ in 0..draws {
            let window = crop.draw(&scene, &mut stream);
            let (right, bottom) = (window.left + window.width, window.top + window.height);
            assert!(window.left <= 7 && (24..=31).contains(&right));
            assert!(window.top <= 6 && (18..=24).contains(&bottom));
            let ends = [window.left, window.top, right, bottom];
            sums.iter_mut().zip(ends).for_each(|(sum, end)| *sum += end);
        }
        // The mean of 20 000 draws by Albumentations 2.0.8.
        for (sum, expected) in sums.into_iter().zip([3.489, 2.776, 27.007, 20.720]) {
            assert!((sum as f64 / f64::from(draws) - expected).abs() < 0.06);
        }
    }

    #[test]
    fn without_boxes_any_window_of_the_images_shape_is_drawn() {
        let crop: RandomSizedBBoxSafeCrop =
            serde_json::from_str(r#"{ "random-sized-bbox-safe-crop": 20, "erosion-rate": 0.5 }"#)
                .unwrap();
        let frame = Frame { height: 20, width: 40, channels: 1 };
        let mut stream = derive(1, "windows", &[]);
        let scene = Scene { frame, boxes: &[] };
        let heights: Vec<usize> = (0..500)
            .map(|_| {
                let window = crop.draw(&scene, &mut stream);
                assert_eq!(window.width, 2 * window.height);
                window.height
            })
            .collect();
        assert_eq!((heights.iter().min(), heights.iter().max()), (Some(&10), Some(&20)));
    }
}
