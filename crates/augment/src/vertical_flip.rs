//! Top becomes bottom: Albumentations' `VerticalFlip`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::boxes::BBox;
use super::image::{Frame, Image};
use super::parameters::Always;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Top becomes bottom: `"vertical-flip"`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct VerticalFlip {
    vertical_flip: Always,
}

impl Transform for VerticalFlip {
    type Drawn = ();

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        Ok(frame)
    }

    fn draw(&self, _: &Scene, _: &mut Stream) {}

    fn pixels(&self, (): &(), image: &mut Image) {
        let Frame { height, width, channels } = image.frame();
        let row_bytes = width * channels;
        let (upper, lower) = image.pixels_mut().split_at_mut(height / 2 * row_bytes);
        let lower = lower.chunks_exact_mut(row_bytes).rev();
        for (upper, lower) in upper.chunks_exact_mut(row_bytes).zip(lower) {
            upper.swap_with_slice(lower);
        }
    }

    fn boxes(&self, (): &(), frame: Frame, boxes: &mut [BBox]) {
        let height = frame.height as f64;
        for bbox in boxes {
            *bbox = bbox.moved(|x, y| (x, height - y));
        }
    }
}
