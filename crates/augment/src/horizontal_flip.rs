//! Left becomes right: Albumentations' `HorizontalFlip`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::boxes::BBox;
use super::image::{Frame, Image};
use super::parameters::Always;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Left becomes right: `"horizontal-flip"`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
        image.rewrite(frame, |old, new| reverse(row_bytes, old, new));
    }

    fn boxes(&self, (): &(), frame: Frame, boxes: &mut [BBox]) {
        let width = frame.width as f64;
        for bbox in boxes {
            *bbox = bbox.moved(|x, y| (width - x, y));
        }
    }
}

/// Reverses the pixels of three bytes in rows of so many bytes.
fn reverse(row_bytes: usize, old: &[u8], new: &mut [u8]) {
    let rows = new.chunks_exact_mut(row_bytes).zip(old.chunks_exact(row_bytes));
    #[cfg(target_arch = "x86_64")]
    if super::simd::shuffles_bytes() {
        // SAFETY: the processor has the instructions.
        return rows.for_each(|(new, old)| unsafe { shuffle_row(old, new) });
    }
    rows.for_each(|(new, old)| reverse_row(old, new));
}

fn reverse_row(old: &[u8], new: &mut [u8]) {
    let (new, _) = new.as_chunks_mut::<3>();
    let (old, _) = old.as_chunks::<3>();
    new.iter_mut().zip(old.iter().rev()).for_each(|(new, old)| *new = *old);
}

/// Five pixels at once: a shuffle of sixteen bytes, which no compiler finds by itself.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn shuffle_row(old: &[u8], new: &mut [u8]) {
    use std::arch::x86_64::*;

    let order = _mm_setr_epi8(13, 14, 15, 10, 11, 12, 7, 8, 9, 4, 5, 6, 1, 2, 3, 0);
    let mut done = 0;
    // The byte before the five pixels is read, the byte behind them written and written over.
    while done + 16 <= new.len() {
        let end = old.len() - done;
        let (from, to) = (&old[end - 16..end], &mut new[done..done + 16]);
        // SAFETY: sixteen bytes each, at any address.
        unsafe {
            let turned = _mm_shuffle_epi8(_mm_loadu_si128(from.as_ptr().cast()), order);
            _mm_storeu_si128(to.as_mut_ptr().cast(), turned);
        }
        done += 15;
    }
    let left = new.len() - done;
    reverse_row(&old[..left], &mut new[done..]);
}
