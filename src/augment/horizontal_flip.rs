//! Left becomes right: Albumentations' `HorizontalFlip`.

use serde::{Deserialize, Serialize};

use super::boxes::BBox;
use super::image::{Frame, Image};
use super::parameters::Always;
use super::simd::vectorised;
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
        let frame = image.frame();
        let row_bytes = frame.width * frame.channels;
        if frame.channels == 1 {
            return image.pixels_mut().chunks_exact_mut(row_bytes).for_each(<[u8]>::reverse);
        }
        image.rewrite(frame, |old, new| {
            vectorised(
                #[inline(always)]
                || {
                    let rows = new.chunks_exact_mut(row_bytes).zip(old.chunks_exact(row_bytes));
                    rows.for_each(|(new, old)| reverse(old, new));
                },
            );
        });
    }

    fn boxes(&self, (): &(), frame: Frame, boxes: &mut [BBox]) {
        let width = frame.width as f64;
        for bbox in boxes {
            *bbox = bbox.moved(|x, y| (width - x, y));
        }
    }
}

/// Reverses a row of pixels of three bytes, as many at once as vectors are made for.
#[inline(always)]
fn reverse(old: &[u8], new: &mut [u8]) {
    const PIXELS: usize = 16;
    let (old_rest, old) = old.as_rchunks::<{ 3 * PIXELS }>();
    let (new, new_rest) = new.as_chunks_mut::<{ 3 * PIXELS }>();
    for (new, old) in new.iter_mut().zip(old.iter().rev()) {
        *new = std::array::from_fn(|i| old[3 * (PIXELS - 1 - i / 3) + i % 3]);
    }
    let (old_rest, _) = old_rest.as_chunks::<3>();
    let (new_rest, _) = new_rest.as_chunks_mut::<3>();
    new_rest.iter_mut().zip(old_rest.iter().rev()).for_each(|(new, old)| *new = *old);
}
