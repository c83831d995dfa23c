//! The pixels of a data set, wherever they are.

use super::held::Held;
use crate::augment::Frame;

/// Gives the pixels of each image of a data set.
#[derive(Debug)]
pub(super) enum Pixels {
    /// All are in memory.
    Whole {
        /// [images, height, width, channels]; where images have sizes of their own, one behind the other.
        bytes: Vec<u8>,
        /// Where images have sizes of their own: the place of each one's first byte.
        starts: Vec<usize>,
    },
    /// Some are in memory.
    Held(Box<Held>),
}

impl Pixels {
    /// The pixels of image `index`, which has this size; nothing if not all are in memory.
    pub(super) fn whole(&self, index: u32, frame: Frame) -> &[u8] {
        let Pixels::Whole { bytes, starts } = self else { return &[] };
        let start = match starts.get(index as usize) {
            Some(start) => *start,
            None => index as usize * frame.bytes(),
        };
        &bytes[start..][..frame.bytes()]
    }

    /// Leaves out the images for which `stays` is false; `frames` are the sizes of all.
    pub(super) fn retain(&mut self, stays: &[bool], frames: &[Frame]) {
        let staying = (0..frames.len() as u32).filter(|index| stays[*index as usize]);
        match self {
            Pixels::Held(held) => {
                let pick = |index: u32| held.kept.get(index as usize).map_or(index, |pick| *pick);
                held.kept = staying.map(pick).collect();
            }
            Pixels::Whole { starts: old, .. } => {
                let (has_own, mut starts, mut bytes) = (!old.is_empty(), Vec::new(), Vec::new());
                for index in staying {
                    if has_own {
                        starts.push(bytes.len());
                    }
                    bytes.extend_from_slice(self.whole(index, frames[index as usize]));
                }
                *self = Pixels::Whole { bytes, starts };
            }
        }
    }
}
