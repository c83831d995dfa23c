//! A fixed window: Albumentations' `Crop`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::boxes::BBox;
use super::image::{Frame, Image};
use super::registry::AnyTransform;
use super::size::Size;
use super::transform::{Fault, Scene, Transform};
use super::window::Window;
use candlewick_basis::seed::Stream;

/// A fixed window: `{ crop = [0, 4, 32, 28] }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Crop {
    /// x-min, y-min, x-max and y-max: the first column and row, and the ones behind the last.
    crop: [usize; 4],
}

impl Crop {
    fn window(&self) -> Window {
        let [left, top, right, bottom] = self.crop;
        Window { top, left, height: bottom.saturating_sub(top), width: right.saturating_sub(left) }
    }
}

impl Transform for Crop {
    type Drawn = ();

    const P: f64 = 1.0;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        let [left, top, right, bottom] = self.crop;
        if left >= right || top >= bottom {
            let message = format!("crop = [{left}, {top}, {right}, {bottom}] contains no pixel");
            return Err(Fault::new("crop", message, "x-min, y-min, x-max, y-max"));
        }
        if right > frame.width || bottom > frame.height {
            let message = format!(
                "crop = [{left}, {top}, {right}, {bottom}] leaves images of {} columns and {} rows",
                frame.width, frame.height
            );
            return Err(Fault::new("crop", message, "x-min, y-min, x-max, y-max"));
        }
        let Window { height, width, .. } = self.window();
        Size { height, width }.check("crop", frame)
    }

    fn draw(&self, _: &Scene, _: &mut Stream) {}

    fn pixels(&self, (): &(), image: &mut Image) {
        self.window().crop(image);
    }

    fn boxes(&self, (): &(), _: Frame, boxes: &mut [BBox]) {
        self.window().crop_boxes(boxes);
    }

    fn at_evaluation(&self, _: Frame) -> Option<AnyTransform> {
        Some(self.clone().into())
    }
}
