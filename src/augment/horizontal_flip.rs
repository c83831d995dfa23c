//! Left becomes right: Albumentations' `HorizontalFlip`.

use serde::{Deserialize, Serialize};

use super::boxes::BBox;
use super::image::{Frame, Image};
use super::parameters::Always;
use super::transform::{Fault, Scene, Transform};
use crate::basis::seed::Stream;

/// `"horizontal-flip"`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HorizontalFlip {
    horizontal_flip: Always,
}

impl Transform for HorizontalFlip {
    type Drawn = ();

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        Ok(frame)
    }

    fn draw(&self, _: &Scene, _: &mut Stream) {}

    fn pixels(&self, (): &(), image: &mut Image) {
        let Frame { width, channels, .. } = image.frame();
        let row_bytes = width * channels;
        match channels {
            1 => image.pixels_mut().chunks_exact_mut(row_bytes).for_each(<[u8]>::reverse),
            _ => {
                for row in image.pixels_mut().chunks_exact_mut(row_bytes) {
                    let (pixels, _) = row.as_chunks_mut::<3>();
                    pixels.reverse();
                }
            }
        }
    }

    fn boxes(&self, (): &(), frame: Frame, boxes: &mut [BBox]) {
        let width = frame.width as f64;
        for bbox in boxes {
            *bbox = bbox.moved(|x, y| (width - x, y));
        }
    }
}
