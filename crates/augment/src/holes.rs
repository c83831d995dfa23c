//! Rectangles that are taken out of an image: what the dropouts share.

use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize, Serializer};

use super::boxes::BBox;
use super::image::{Frame, Image};
use super::parameters::Fill;
use candlewick_basis::seed::Stream;
use candlewick_basis::written::written;

/// What is put into holes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HoleFill {
    /// A colour.
    Value(Fill),
    /// A random number for every value.
    Random,
    /// A random colour for every hole.
    RandomUniform,
}

impl Default for HoleFill {
    fn default() -> HoleFill {
        HoleFill::Value(Fill::default())
    }
}

impl Serialize for HoleFill {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            HoleFill::Value(fill) => fill.serialize(serializer),
            HoleFill::Random => "random".serialize(serializer),
            HoleFill::RandomUniform => "random-uniform".serialize(serializer),
        }
    }
}

written!(HoleFill, "HoleFill", {
    "description": "A value from 0 to 255, three for red, green and blue, \"random\" (a number for \
                    every value) or \"random-uniform\" (a colour for every hole).",
    "anyOf": [
        { "type": "integer", "minimum": 0, "maximum": 255 },
        {
            "type": "array",
            "items": { "type": "integer", "minimum": 0, "maximum": 255 },
            "minItems": 3,
            "maxItems": 3,
        },
        { "const": "random" },
        { "const": "random-uniform" },
    ],
});

impl<'de> Deserialize<'de> for HoleFill {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Word(String),
            Value(Fill),
        }
        let expected = "a value from 0 to 255, three for red, green and blue, \"random\" or \
                        \"random-uniform\"";
        match Written::deserialize(deserializer) {
            Ok(Written::Value(fill)) => Ok(HoleFill::Value(fill)),
            Ok(Written::Word(word)) if word == "random" => Ok(HoleFill::Random),
            Ok(Written::Word(word)) if word == "random-uniform" => Ok(HoleFill::RandomUniform),
            Ok(Written::Word(word)) => {
                Err(D::Error::custom(format!("\"{word}\": expected {expected}")))
            }
            Err(_) => Err(D::Error::custom(format!("expected {expected}"))),
        }
    }
}

/// Holes and the key of what is put into them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Holes {
    /// [left, top, right, bottom], the latter two excluded.
    pub holes: Vec<[usize; 4]>,
    /// Of random fills.
    pub key: u64,
}

impl Holes {
    /// Fills the holes.
    pub(super) fn cut(&self, fill: HoleFill, image: &mut Image) {
        let Frame { height, width, channels } = image.frame();
        let row_bytes = width * channels;
        let mut stream = Stream::keyed(self.key);
        for &[left, top, right, bottom] in &self.holes {
            let (right, bottom) = (right.min(width), bottom.min(height));
            if left >= right {
                continue;
            }
            let colour = match fill {
                HoleFill::Value(fill) => fill.channels(),
                HoleFill::Random => [0; 3],
                HoleFill::RandomUniform => {
                    let [r, g, b, ..] = stream.next_u64().to_le_bytes();
                    [r, g, b]
                }
            };
            let [first, second, third] = colour;
            for row in top..bottom {
                let row = &mut image.pixels_mut()[row * row_bytes..][..row_bytes];
                let hole = &mut row[left * channels..right * channels];
                if fill == HoleFill::Random {
                    for chunk in hole.chunks_mut(8) {
                        chunk.copy_from_slice(&stream.next_u64().to_le_bytes()[..chunk.len()]);
                    }
                } else if channels == 1 || (first == second && second == third) {
                    hole.fill(first);
                } else {
                    hole.as_chunks_mut::<3>().0.fill(colour);
                }
            }
        }
    }

    /// Shrinks boxes (to whole pixels) to what can be seen of them, as Albumentations does. One that
    /// lies in holes altogether gets empty, and is dropped for that.
    pub(super) fn shrink(&self, frame: Frame, boxes: &mut [BBox]) {
        if self.holes.is_empty() {
            return;
        }
        for bbox in boxes {
            let whole = bbox.clipped(frame);
            let [left, top, right, bottom] =
                [whole.x_min, whole.y_min, whole.x_max, whole.y_max].map(|edge| edge as usize);
            let row_seen = |y: &usize| {
                (left..right).any(|x| !self.holes.iter().any(|hole| inside(hole, x, *y)))
            };
            let column_seen = |x: &usize| {
                (top..bottom).any(|y| !self.holes.iter().any(|hole| inside(hole, *x, y)))
            };
            let edges = (
                (left..right).find(column_seen),
                (top..bottom).find(row_seen),
                (left..right).rev().find(column_seen),
                (top..bottom).rev().find(row_seen),
            );
            let (x_min, y_min, x_max, y_max) = match edges {
                (Some(left), Some(top), Some(right), Some(bottom)) => {
                    (left, top, right + 1, bottom + 1)
                }
                _ => (left, top, left, top),
            };
            *bbox = BBox {
                x_min: x_min as f64,
                y_min: y_min as f64,
                x_max: x_max as f64,
                y_max: y_max as f64,
                label: bbox.label,
            };
        }
    }
}

fn inside([left, top, right, bottom]: &[usize; 4], x: usize, y: usize) -> bool {
    (*left..*right).contains(&x) && (*top..*bottom).contains(&y)
}
