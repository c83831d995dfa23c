//! How parameters are written: a number or a range, an interpolation, a border, a colour.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{Deserializer, Error, SeqAccess, Visitor, value};
use serde::{Deserialize, Serialize, Serializer};

use super::transform::Fault;
use candlewick_basis::seed::Stream;
use candlewick_basis::written::written;

/// Two numbers between which one is drawn; written as two, or as one that stands for both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The least.
    pub low: f64,
    /// The greatest.
    pub high: f64,
}

impl Range {
    /// From `low` to `high`.
    pub const fn new(low: f64, high: f64) -> Range {
        Range { low, high }
    }

    /// One number between both, uniformly.
    pub fn draw(self, stream: &mut Stream) -> f64 {
        self.low + (self.high - self.low) * stream.uniform()
    }

    /// One whole number between both, which are included, uniformly.
    pub fn draw_whole(self, stream: &mut Stream) -> i64 {
        let (low, high) = (self.low.ceil() as i64, self.high.floor() as i64);
        low + stream.below((high - low).max(0) as u64 + 1) as i64
    }

    /// Whether both ends are whole numbers.
    pub fn whole(self, key: &'static str) -> Result<(), Fault> {
        match [self.low, self.high].into_iter().find(|end| end.fract() != 0.0) {
            None => Ok(()),
            Some(end) => {
                let message = format!("{key} = {end} is not a whole number");
                Err(Fault::new(key, message, "a whole number"))
            }
        }
    }

    /// Whether the range lies in `low..=high` and is not upside down.
    pub fn check(self, key: &'static str, low: f64, high: f64) -> Result<(), Fault> {
        let Range { low: a, high: b } = self;
        if a > b {
            let message = format!("{key} = [{a}, {b}] is in the wrong order");
            return Err(Fault::new(key, message, "the smaller number comes first"));
        }
        if a < low || b > high || a.is_nan() || b.is_nan() {
            let found = if a == b { format!("{a}") } else { format!("[{a}, {b}]") };
            let allowed = match (low.is_finite(), high.is_finite()) {
                (true, true) => format!("between {low} and {high}"),
                (true, false) => format!("{low} or more"),
                _ => format!("{high} or less"),
            };
            return Err(Fault::new(key, format!("{key} = {found} is not {allowed}"), allowed));
        }
        Ok(())
    }
}

/// A range that one number x makes symmetric: from −x to x.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Limit(pub Range);

impl Limit {
    /// From −`limit` to `limit`.
    pub(super) const fn new(limit: f64) -> Limit {
        Limit(Range::new(-limit, limit))
    }

    /// One number of the range, uniformly.
    pub(super) fn draw(self, stream: &mut Stream) -> f64 {
        self.0.draw(stream)
    }

    /// Whether the range lies in `low..=high`, with a message of its own for a negative limit.
    pub(super) fn check(self, key: &'static str, low: f64, high: f64) -> Result<(), Fault> {
        let Range { low: a, high: b } = self.0;
        if a > b && a == -b {
            let message = format!("{key} = {b}: a limit must not be negative");
            return Err(Fault::new(key, message, "negative").help(format!(
                "{key} = {a} draws between {b} and {a}; {key} = [{b}, {b}] is always {b}"
            )));
        }
        self.0.check(key, low, high)
    }
}

/// A range that one number x makes `LEAST` to x.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct UpTo<const LEAST: i64>(pub Range);

impl<const LEAST: i64> UpTo<LEAST> {
    /// Whether the range lies in `LEAST..=high` and is not upside down.
    pub(super) fn check(self, key: &'static str, high: f64) -> Result<(), Fault> {
        let least = LEAST as f64;
        let Range { low: a, high: b } = self.0;
        // One number that is too small looks like a range that is upside down.
        let found = if a == least && b < a { Range::new(b, b) } else { self.0 };
        found.check(key, least, high)
    }
}

written!(UpTo<0>, "UpTo0", {
    "description": "The greatest number, from 0 on, or two between which one is drawn.",
    "type": ["number", "array"],
    "items": { "type": "number" },
    "minItems": 2,
    "maxItems": 2,
});

written!(UpTo<1>, "UpTo1", {
    "description": "The greatest number, from 1 on, or two between which one is drawn.",
    "type": ["number", "array"],
    "items": { "type": "number" },
    "minItems": 2,
    "maxItems": 2,
});

written!(UpTo<3>, "UpTo3", {
    "description": "The greatest number, from 3 on, or two between which one is drawn.",
    "type": ["number", "array"],
    "items": { "type": "number" },
    "minItems": 2,
    "maxItems": 2,
});

impl<'de, const LEAST: i64> Deserialize<'de> for UpTo<LEAST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        range(deserializer, |high| Range { low: LEAST as f64, high }).map(UpTo)
    }
}

impl<const LEAST: i64> Serialize for UpTo<LEAST> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// Sizes of kernels, of which one is drawn: two odd numbers of at least 3, or one, which is the
/// greatest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct Kernels(pub UpTo<3>);

impl Kernels {
    /// One odd size, uniformly.
    pub(super) fn draw(self, stream: &mut Stream) -> usize {
        let Range { low, high } = self.0.0;
        let halves = Range::new((low - 1.0) / 2.0, (high - 1.0) / 2.0);
        2 * halves.draw_whole(stream) as usize + 1
    }

    /// Whether all sizes lie in `3..=largest` and both ends are odd.
    pub(super) fn check(self, key: &'static str, largest: usize) -> Result<(), Fault> {
        self.0.check(key, largest as f64)?;
        let Range { low, high } = self.0.0;
        [low, high].into_iter().try_for_each(|size| odd(key, size))
    }
}

/// Whether the size of a kernel is odd: one that is not has no middle.
pub(super) fn odd(key: &'static str, size: f64) -> Result<(), Fault> {
    if size % 2.0 == 1.0 {
        return Ok(());
    }
    let below = ((size - 1.0) / 2.0).floor() * 2.0 + 1.0;
    let below = below.max(3.0);
    let message = format!("{key} = {size}: the size of a kernel must be odd");
    let help = format!("{key} = {below} or {key} = {}", below + 2.0);
    Err(Fault::new(key, message, "not odd").help(help))
}

/// Reads a number, which `one` makes a range of, or two numbers.
fn range<'de, D: Deserializer<'de>>(
    deserializer: D,
    one: fn(f64) -> Range,
) -> Result<Range, D::Error> {
    struct Reader(fn(f64) -> Range);
    impl<'de> Visitor<'de> for Reader {
        type Value = Range;
        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("a number, or two for a range")
        }
        fn visit_f64<E: Error>(self, number: f64) -> Result<Range, E> {
            Ok((self.0)(number))
        }
        fn visit_i64<E: Error>(self, number: i64) -> Result<Range, E> {
            Ok((self.0)(number as f64))
        }
        fn visit_u64<E: Error>(self, number: u64) -> Result<Range, E> {
            Ok((self.0)(number as f64))
        }
        fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Range, A::Error> {
            let [low, high] = <[f64; 2]>::deserialize(value::SeqAccessDeserializer::new(seq))?;
            Ok(Range { low, high })
        }
    }
    deserializer.deserialize_any(Reader(one))
}

written!(Range, "Range", {
    "description": "A number, or two between which one is drawn.",
    "type": ["number", "array"],
    "items": { "type": "number" },
    "minItems": 2,
    "maxItems": 2,
});

impl<'de> Deserialize<'de> for Range {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        range(deserializer, |both| Range { low: both, high: both })
    }
}

impl Serialize for Range {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        [self.low, self.high].serialize(serializer)
    }
}

written!(Limit, "Limit", {
    "description": "A number x, which stands for [-x, x], or two between which one is drawn.",
    "type": ["number", "array"],
    "items": { "type": "number" },
    "minItems": 2,
    "maxItems": 2,
});

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        range(deserializer, |limit| Range { low: -limit, high: limit }).map(Limit)
    }
}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// The main argument of a kind that needs none: `true`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Always;

written!(Always, "Always", { "const": true });

impl<'de> Deserialize<'de> for Always {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if bool::deserialize(deserializer)? {
            Ok(Always)
        } else {
            Err(D::Error::custom("expected true: to switch the transform off, remove it"))
        }
    }
}

impl Serialize for Always {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        true.serialize(serializer)
    }
}

/// How a value between pixels is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Interpolation {
    /// The nearest pixel.
    Nearest,
    /// From 2×2 pixels.
    #[default]
    Linear,
    /// From 4×4 pixels, with a = −0.75 as OpenCV.
    Cubic,
    /// The mean over the area that a pixel covers: for making smaller.
    Area,
}

/// What lies outside of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Border {
    /// The fill.
    #[default]
    Constant,
    /// The outermost pixel: aaa|abcd|ddd.
    Replicate,
    /// The image mirrored: cba|abcd|dcb.
    Reflect,
    /// The image mirrored without its outermost pixel: dcb|abcd|cba.
    #[serde(rename = "reflect-101")]
    Reflect101,
    /// The image again: bcd|abcd|abc.
    Wrap,
}

impl Border {
    /// The row or column of 0..`length` that stands at `at`; none where the fill does.
    pub(super) fn place(self, at: isize, length: usize) -> Option<usize> {
        let n = length as isize;
        if (0..n).contains(&at) {
            return Some(at as usize);
        }
        let inside = match self {
            Border::Constant => return None,
            Border::Replicate => at.clamp(0, n - 1),
            Border::Wrap => at.rem_euclid(n),
            Border::Reflect => {
                let at = at.rem_euclid(2 * n);
                if at < n { at } else { 2 * n - 1 - at }
            }
            Border::Reflect101 if n == 1 => 0,
            Border::Reflect101 => {
                let at = at.rem_euclid(2 * n - 2);
                if at < n { at } else { 2 * n - 2 - at }
            }
        };
        Some(inside as usize)
    }
}

/// What fills places outside of the image: one value for all channels, or one for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Fill([u8; 3]);

impl Fill {
    /// These values for red, green and blue.
    pub(super) const fn of(channels: [u8; 3]) -> Fill {
        Fill(channels)
    }

    /// The value of each channel.
    pub fn channels(self) -> [u8; 3] {
        self.0
    }
}

written!(Fill, "Fill", {
    "description": "A value from 0 to 255, or three for red, green and blue.",
    "type": ["integer", "array"],
    "minimum": 0,
    "maximum": 255,
    "items": { "type": "integer", "minimum": 0, "maximum": 255 },
    "minItems": 3,
    "maxItems": 3,
});

impl<'de> Deserialize<'de> for Fill {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Fill;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a value from 0 to 255, or three for red, green and blue")
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Fill, E> {
                let value = u8::try_from(value)
                    .map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(value), &self))?;
                Ok(Fill([value; 3]))
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Fill, E> {
                self.visit_i64(value as i64)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Fill, A::Error> {
                <[u8; 3]>::deserialize(value::SeqAccessDeserializer::new(seq)).map(Fill)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl Serialize for Fill {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}
