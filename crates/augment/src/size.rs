//! Sizes of images, as they are written.

use serde::de::{Deserializer, Error, SeqAccess, Visitor, value};
use serde::{Deserialize, Serialize, Serializer};

use super::image::Frame;
use super::transform::Fault;
use candlewick_basis::written::written;

/// The longest side that an image may get.
pub(super) const LONGEST: usize = 4096;

/// Height and width: `[height, width]`, or one number for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    /// Rows.
    pub(super) height: usize,
    /// Columns.
    pub(super) width: usize,
}

impl Size {
    /// An image of `frame` with both sides times `scale`, rounded as Albumentations does.
    pub(super) fn scaled(frame: Frame, scale: f64) -> Size {
        let side = |side: usize| ((side as f64 * scale).round_ties_even() as usize).max(1);
        Size { height: side(frame.height), width: side(frame.width) }
    }

    /// What an image of `frame` becomes at this size, if that is a size of images.
    pub(super) fn check(self, key: &'static str, frame: Frame) -> Result<Frame, Fault> {
        let Size { height, width } = self;
        if [height, width].iter().any(|side| !(1..=LONGEST).contains(side)) {
            let message = format!("{key} makes images of {height}×{width}");
            return Err(Fault::new(key, message, format!("sides from 1 to {LONGEST}")));
        }
        Ok(frame.sized(height, width))
    }

    /// As [`check`](Self::check), for a window of the image.
    pub(super) fn check_inside(self, key: &'static str, frame: Frame) -> Result<Frame, Fault> {
        let cropped = self.check(key, frame)?;
        if self.height > frame.height || self.width > frame.width {
            let message = format!("{key} = {cropped}, but images are {frame} at this step");
            return Err(Fault::new(key, message, "larger than the image")
                .help("enlarge the images before this step, with pad-if-needed or resize"));
        }
        Ok(cropped)
    }
}

written!(Size, "Size", {
    "description": "Pixels of both sides, or [height, width].",
    "type": ["integer", "array"],
    "minimum": 1,
    "items": { "type": "integer", "minimum": 1 },
    "minItems": 2,
    "maxItems": 2,
});

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Size;
            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a whole number of pixels, or [height, width]")
            }
            fn visit_i64<E: Error>(self, side: i64) -> Result<Size, E> {
                let side = usize::try_from(side)
                    .map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(side), &self))?;
                Ok(Size { height: side, width: side })
            }
            fn visit_u64<E: Error>(self, side: u64) -> Result<Size, E> {
                self.visit_i64(i64::try_from(side).unwrap_or(i64::MAX))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Size, A::Error> {
                let sides = value::SeqAccessDeserializer::new(seq);
                let [height, width] = <[usize; 2]>::deserialize(sides)?;
                Ok(Size { height, width })
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        [self.height, self.width].serialize(serializer)
    }
}
