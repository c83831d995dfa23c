//! `[data]`: which images, how they are split and what size they have.
//!
//! ```toml
//! [data]
//! source = "fashion-mnist"          # or { folder = "signs" }, { idx = "mnist" }, { csv = "signs.csv" } …
//! test = 0.1                        # or "declared", or another source
//! validation = 0.1
//! classes = "all"                   # or some of them by name
//! subset = "none"                   # or { per-class = 20 }, { fraction = 0.1 } of the training images
//! image = { size = [32, 32], channels = 3 }
//! normalise = "dataset"             # or "none", or { mean = [0.5], std = [0.25] }
//! on-bad-image = "error"            # or "skip"
//! crop = "none"                     # or "box"
//! box-format = "pascal-voc"         # or "coco", "yolo", "albumentations"
//! batch-size = 256
//! ```

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer, StrDeserializer};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::read::WrittenPath;
use crate::augment::BoxFormat;
use crate::basis::written::written;

/// The table `[data]`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Data {
    /// Where labelled images come from.
    pub source: Source,
    /// Where test images come from.
    pub test: TestSet,
    /// Held-out part of the training images, drawn by class with the experiment's seed.
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub validation: f64,
    /// The classes that take part.
    pub classes: Classes,
    /// How many of the training images are learnt from.
    pub subset: Subset,
    /// Size and channels.
    pub image: Image,
    /// Normalisation per channel.
    pub normalise: Normalise,
    /// What to do about an image that cannot be decoded.
    pub on_bad_image: OnBadImage,
    /// What becomes of the boxes that a source has.
    pub crop: Crop,
    /// How they are written.
    pub box_format: BoxFormat,
    /// Images in one step.
    #[schemars(range(min = 1))]
    pub batch_size: usize,
}

/// What becomes of boxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Crop {
    /// Images stay whole, boxes go along with them.
    None,
    /// Images are cropped to their boxes.
    Box,
}

/// A bundled set by name, or one of the usual layouts on disk.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// UCI optdigits.
    Digits,
    /// The 10,000 test images of Fashion-MNIST.
    FashionMnist,
    /// 551 drawings in 9 classes.
    Openclipart9,
    /// A folder with one folder per class.
    Folder(WrittenPath),
    /// A folder with MNIST's IDX files.
    Idx(WrittenPath),
    /// A folder with CIFAR-10's binary batches.
    Cifar10(WrittenPath),
    /// A folder with CIFAR-100's binary files.
    Cifar100(WrittenPath),
    /// A table of paths and labels.
    Csv(WrittenPath),
    /// The German Traffic Sign Recognition Benchmark.
    Gtsrb(WrittenPath),
}

/// A part of the source, what the source declares, or another source.
#[derive(Clone, Debug)]
pub enum TestSet {
    /// `"declared"`.
    Declared,
    /// `0.1`.
    Part(f64),
    /// `{ folder = "…" }`, `"digits"`.
    Source(Source),
}

written!(TestSet, "TestSet", |types| {
    "anyOf": [
        { "const": "declared", "description": "The source's own test set." },
        { "type": "number", "description": "A part, drawn by class and the same for every seed." },
        types.subschema_for::<Source>(),
    ],
});

impl<'de> Deserialize<'de> for TestSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = TestSet;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str(
                    "a part such as 0.1, \"declared\", or a source such as { folder = \"…\" }",
                )
            }
            fn visit_f64<E: Error>(self, part: f64) -> Result<TestSet, E> {
                Ok(TestSet::Part(part))
            }
            fn visit_i64<E: Error>(self, part: i64) -> Result<TestSet, E> {
                Ok(TestSet::Part(part as f64))
            }
            fn visit_str<E: Error>(self, name: &str) -> Result<TestSet, E> {
                if name == "declared" {
                    return Ok(TestSet::Declared);
                }
                Source::deserialize(StrDeserializer::new(name)).map(TestSet::Source)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TestSet, A::Error> {
                Source::deserialize(MapAccessDeserializer::new(map)).map(TestSet::Source)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// All classes of the source, or some of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Classes {
    /// `"all"`.
    All,
    /// `["dress", "coat"]`: labels follow this order.
    Some(Vec<String>),
}

written!(Classes, "Classes", {
    "anyOf": [
        { "const": "all" },
        {
            "type": "array",
            "items": { "type": "string" },
            "minItems": 2,
            "uniqueItems": true,
            "description": "Their names; labels follow this order.",
        },
    ],
});

impl<'de> Deserialize<'de> for Classes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Classes;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("\"all\" or a list of class names")
            }
            fn visit_str<E: Error>(self, name: &str) -> Result<Classes, E> {
                match name {
                    "all" => Ok(Classes::All),
                    other => Err(E::unknown_variant(other, &["all"])),
                }
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Classes, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Classes::Some)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// A part of the training images. A smaller one lies within a larger one.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Subset {
    /// All of them.
    None,
    /// So many of each class.
    PerClass(usize),
    /// This part of each class, rounded, and at least one image.
    Fraction(f64),
}

/// Size and channels of the images as the model sees them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Image {
    /// Height and width.
    pub size: [usize; 2],
    /// 1 (gray) or 3 (RGB).
    #[schemars(extend("enum" = [1, 3]))]
    pub channels: usize,
}

/// Normalisation of pixels in [0, 1].
#[derive(Clone, Debug)]
pub enum Normalise {
    /// `"none"`.
    None,
    /// `"dataset"`: the training images' own mean and standard deviation.
    Dataset,
    /// `{ mean = […], std = […] }`.
    By(Moments),
}

/// One mean and one standard deviation per channel.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Moments {
    /// Subtracted.
    pub mean: Vec<f32>,
    /// Divided by.
    pub std: Vec<f32>,
}

written!(Normalise, "Normalise", |types| {
    "anyOf": [
        { "const": "dataset", "description": "Mean and standard deviation of the training images." },
        { "const": "none", "description": "Pixels from 0 to 1." },
        types.subschema_for::<Moments>(),
    ],
});

impl<'de> Deserialize<'de> for Normalise {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Normalise;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("\"none\", \"dataset\" or { mean = […], std = […] }")
            }
            fn visit_str<E: Error>(self, name: &str) -> Result<Normalise, E> {
                match name {
                    "none" => Ok(Normalise::None),
                    "dataset" => Ok(Normalise::Dataset),
                    other => Err(E::unknown_variant(other, &["none", "dataset"])),
                }
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Normalise, A::Error> {
                Moments::deserialize(MapAccessDeserializer::new(map)).map(Normalise::By)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// What to do about an image that cannot be decoded.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnBadImage {
    /// Stop before training, naming the files.
    Error,
    /// Leave it out and count it.
    Skip,
}
