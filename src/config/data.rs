//! `[data]`: which images, how they are split and what size they have.
//!
//! ```toml
//! [data]
//! source = "fashion-mnist"          # or { folder = "signs" }, { idx = "mnist" }, { csv = "signs.csv" } …
//! test = 0.1                        # or "declared", or another source
//! validation = 0.1
//! task = "single-label"             # or "multi-label": an image may have several labels, or none
//! classes = "all"                   # or some of them by name
//! class-attributes = { even = ["0", "2"] }   # with "multi-label": the labels that images of a class have
//! subset = "none"                   # or { per-class = 20 }, { fraction = 0.1 } of the training images
//! image = { size = [32, 32], channels = 3 }
//! fit = "stretch"                   # or "crop", "pad"
//! normalise = "dataset"             # or "none", { sample = 2000 }, { mean = [0.5], std = [0.25] }
//! on-bad-image = "error"            # or "skip"
//! max-pixels = 100_000_000
//! crop = "none"                     # or "box"
//! box-format = "pascal-voc"         # or "coco", "yolo", "albumentations"
//! columns = { label = "breed" }     # of a table, where they have other names; or { labels = "tags", separator = ";" }
//! group = "none"                    # or a column, { folder-prefix = 1 }, { name = "…" }: what stays together
//! duplicates = "keep"               # or "drop", "drop-from-train", "error"
//! sampling = "shuffle"               # or "balanced", { power = 0.5 }
//! batch-size = 256
//! drop-last = false
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer, StrDeserializer};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::fit::Fit;
use super::group::Group;
use super::sampling::Sampling;
use super::task::Task;
use super::written::{Choice, Written, alternatives, choice};
use crate::augment::BoxFormat;
use crate::basis::written::written;
use crate::document::WrittenPath;

/// The table `[data]`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Data {
    /// Where labelled images come from.
    pub source: Written<Source<WrittenPath>>,
    /// Where test images come from.
    pub test: Written<TestSet<WrittenPath>>,
    /// Held-out part of the training images, drawn by class with the experiment's seed.
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub validation: f64,
    /// How many labels an image has.
    pub task: Task,
    /// The classes that take part.
    pub classes: Classes,
    /// With `task = "multi-label"` and a source that gives one class to each image: the labels, each with the classes
    /// whose images have it, as in `class-attributes = { even = ["0", "2", "4"], prime = ["2", "3"] }`.
    #[serde(default)]
    pub class_attributes: BTreeMap<String, Vec<String>>,
    /// How many training images are used.
    pub subset: Subset,
    /// Size and channels.
    pub image: Image,
    /// How an image of another shape gets this size.
    pub fit: Fit,
    /// Normalisation per channel.
    pub normalise: Written<Normalise>,
    /// What to do about an image that cannot be decoded.
    pub on_bad_image: OnBadImage,
    /// The most pixels that an image file may have; one with more counts as one that cannot be decoded.
    #[schemars(range(min = 1))]
    pub max_pixels: u64,
    /// Whether images are cropped to the boxes of the source.
    pub crop: Crop,
    /// How they are written.
    pub box_format: BoxFormat,
    /// Names of columns, if they are not the usual names.
    #[serde(default)]
    pub columns: Columns,
    /// Which images belong together and stay on one side of every split.
    pub group: Group,
    /// What to do about copies of images.
    pub duplicates: Duplicates,
    /// How often each class is used in an epoch.
    pub sampling: Sampling,
    /// Images in one step.
    #[schemars(range(min = 1))]
    pub batch_size: usize,
    /// Whether the last batch of an epoch is left out if it is smaller than the others.
    pub drop_last: bool,
}

/// The names of the columns of a table, or of what else a source has in their place, where they are not the usual ones.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Columns {
    /// Of the image itself, where the table holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Of the image's path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Of its class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Of the classes, one column each, in which a 1 says that the image is of that class and a 0 that it is not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub one_hot: Vec<String>,
    /// Of all of its labels, where it may have several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<String>,
    /// The text between labels; `|` if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub separator: Option<String>,
    /// Of the labels, where it may have several: one column each, in which a 1 says that the image has that label and
    /// a 0 that it has not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub multi_hot: Vec<String>,
    /// Of the part that it is declared for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
}

impl Columns {
    /// Whether all of them have the usual names.
    pub fn are_usual(&self) -> bool {
        *self == Columns::default()
    }

    /// The keys that are written.
    pub fn keys(&self) -> Vec<&'static str> {
        let Columns { image, path, label, one_hot, labels, separator, multi_hot, split } = self;
        let written = [
            ("image", image.is_some()),
            ("path", path.is_some()),
            ("label", label.is_some()),
            ("one-hot", !one_hot.is_empty()),
            ("labels", labels.is_some()),
            ("separator", separator.is_some()),
            ("multi-hot", !multi_hot.is_empty()),
            ("split", split.is_some()),
        ];
        written.into_iter().filter(|(_, is_written)| *is_written).map(|(key, _)| key).collect()
    }
}

// The names of files about images hold it: what says nothing is left out, as it was when it was not known.
impl fmt::Debug for Columns {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Columns { image, path, label, one_hot, labels, separator, multi_hot, split } = self;
        let mut all = f.debug_struct("Columns");
        all.field("image", image).field("path", path).field("label", label);
        all.field("one_hot", one_hot);
        if labels.is_some() || separator.is_some() || !multi_hot.is_empty() {
            all.field("labels", labels).field("separator", separator);
            all.field("multi_hot", multi_hot);
        }
        all.field("split", split).finish()
    }
}

/// What to do about copies of images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Duplicates {
    /// Keep all of them, and tell how many there are.
    #[default]
    Keep,
    /// Leave out all but one, and all of those whose labels contradict each other.
    Drop,
    /// Leave out training images that are copies, exact or near, of validation or test images.
    DropFromTrain,
    /// Stop before training, naming the files: where images have the same pixels, and where a training image is a
    /// near copy of a validation or test image.
    Error,
}

impl Duplicates {
    /// Whether they are kept.
    pub fn are_kept(&self) -> bool {
        *self == Duplicates::Keep
    }

    /// Whether some are left out.
    pub fn leave_out(&self) -> bool {
        matches!(self, Duplicates::Drop | Duplicates::DropFromTrain)
    }

    /// Whether it depends on a split what happens to copies.
    pub fn look_at_splits(&self) -> bool {
        matches!(self, Duplicates::DropFromTrain | Duplicates::Error)
    }
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
// Paths are those of the file until the plan says where they lead.
#[derive(
    Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Source<P = PathBuf> {
    // The file names it alone.
    /// A set that travels with the program.
    #[schemars(skip)]
    Bundled(Bundled),
    /// A folder with one folder per class.
    Folder(P),
    /// A folder with MNIST's IDX files.
    Idx(P),
    /// A folder with CIFAR-10's batches, binary or Python's.
    Cifar10(P),
    /// A folder with CIFAR-100's files, binary or Python's.
    Cifar100(P),
    /// A table of paths and labels.
    Csv(P),
    /// The German Traffic Sign Recognition Benchmark.
    Gtsrb(P),
    /// Tar files of images beside their labels, as WebDataset writes them.
    Tar(P),
    /// Parquet files of images and labels, as the Hugging Face Hub has them.
    Parquet(P),
    /// A file of arrays of images and labels, as MedMNIST and Keras have them.
    Npz(P),
}

/// The names of all sources.
const SOURCES: [&str; 12] = [
    "digits",
    "fashion-mnist",
    "openclipart9",
    "folder",
    "idx",
    "cifar10",
    "cifar100",
    "csv",
    "gtsrb",
    "tar",
    "parquet",
    "npz",
];

impl<P> Source<P> {
    /// The folder or file; none of a bundled set.
    pub fn path(&self) -> Option<&P> {
        match self {
            Source::Bundled(_) => None,
            Source::Folder(path)
            | Source::Idx(path)
            | Source::Cifar10(path)
            | Source::Cifar100(path)
            | Source::Csv(path)
            | Source::Gtsrb(path)
            | Source::Tar(path)
            | Source::Parquet(path)
            | Source::Npz(path) => Some(path),
        }
    }

    /// The same source with what `path` makes of its path.
    pub fn with_path<Q>(&self, path: &dyn Fn(&P) -> Q) -> Source<Q> {
        match self {
            Source::Bundled(set) => Source::Bundled(*set),
            Source::Folder(folder) => Source::Folder(path(folder)),
            Source::Idx(folder) => Source::Idx(path(folder)),
            Source::Cifar10(folder) => Source::Cifar10(path(folder)),
            Source::Cifar100(folder) => Source::Cifar100(path(folder)),
            Source::Csv(file) => Source::Csv(path(file)),
            Source::Gtsrb(folder) => Source::Gtsrb(path(folder)),
            Source::Tar(files) => Source::Tar(path(files)),
            Source::Parquet(files) => Source::Parquet(path(files)),
            Source::Npz(file) => Source::Npz(path(file)),
        }
    }

    /// Which keys of `data.columns` mean something to it.
    pub fn columns(&self) -> &'static [&'static str] {
        match self {
            Source::Csv(_) => {
                &["path", "label", "one-hot", "labels", "separator", "multi-hot", "split"]
            }
            Source::Cifar100(_) => &["label"],
            Source::Tar(_) | Source::Npz(_) => &["image", "label"],
            Source::Parquet(_) => &["image", "label", "split"],
            _ => &[],
        }
    }

    /// Whether its images have names of their own, which are more than their places.
    pub fn has_names(&self) -> bool {
        matches!(self, Source::Folder(_) | Source::Csv(_) | Source::Gtsrb(_) | Source::Tar(_))
    }

    /// Whether it may say several labels of an image.
    pub fn has_several_labels(&self) -> bool {
        matches!(self, Source::Csv(_))
    }

    /// Whether its images may have boxes.
    pub fn has_boxes(&self) -> bool {
        matches!(self, Source::Csv(_) | Source::Gtsrb(_))
    }
}

impl<'de, P: Deserialize<'de>> Deserialize<'de> for Written<Source<P>> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Written(match choice(deserializer, &SOURCES, &SOURCES[..Bundled::NAMES.len()])? {
            Choice::Name(name) => {
                let set = Bundled::NAMES.into_iter().find(|(other, _)| *other == name);
                Source::Bundled(set.expect("a bundled set has its name").1)
            }
            Choice::Other(source) => source,
        }))
    }
}

written!(Written<Source<WrittenPath>>, "Source", |types| = {
    let mut schema = Source::<WrittenPath>::json_schema(types);
    let sets = std::mem::take(alternatives(&mut Bundled::json_schema(types)));
    alternatives(&mut schema).splice(0..0, sets);
    schema
});

/// The bundled sets.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Bundled {
    /// UCI optdigits.
    Digits,
    /// The 10,000 test images of Fashion-MNIST.
    FashionMnist,
    /// 551 drawings in 9 classes.
    Openclipart9,
}

impl Bundled {
    /// Every bundled set by its name in the file.
    pub const NAMES: [(&'static str, Bundled); 3] = [
        ("digits", Bundled::Digits),
        ("fashion-mnist", Bundled::FashionMnist),
        ("openclipart9", Bundled::Openclipart9),
    ];
}

/// Where test images come from. They are looked at once, at the end of a trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum TestSet<P = PathBuf> {
    /// What the source itself declares as its test part (none, if it declares none): `"declared"`.
    Declared,
    /// A part of the source, 0 ≤ part < 1, drawn by class: `0.1`. It depends on the data alone, not on the
    /// trial's seed: every trial of every sweep is tested on the same images.
    Part(f64),
    /// Another source with the same classes.
    Source(Source<P>),
}

impl<P> TestSet<P> {
    /// The same test set with what `path` makes of the path of its source.
    pub fn with_path<Q>(&self, path: &dyn Fn(&P) -> Q) -> TestSet<Q> {
        match self {
            TestSet::Declared => TestSet::Declared,
            TestSet::Part(part) => TestSet::Part(*part),
            TestSet::Source(source) => TestSet::Source(source.with_path(path)),
        }
    }
}

written!(Written<TestSet<WrittenPath>>, "TestSet", |types| {
    "anyOf": [
        { "const": "declared", "description": "The source's own test set." },
        { "type": "number", "description": "A part, drawn by class and the same for every seed." },
        types.subschema_for::<Written<Source<WrittenPath>>>(),
    ],
});

impl<'de> Deserialize<'de> for Written<TestSet<WrittenPath>> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = TestSet<WrittenPath>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str(
                    "a part such as 0.1, \"declared\", or a source such as { folder = \"…\" }",
                )
            }
            fn visit_f64<E: Error>(self, part: f64) -> Result<Self::Value, E> {
                Ok(TestSet::Part(part))
            }
            fn visit_i64<E: Error>(self, part: i64) -> Result<Self::Value, E> {
                Ok(TestSet::Part(part as f64))
            }
            fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
                if name == "declared" {
                    return Ok(TestSet::Declared);
                }
                Written::deserialize(StrDeserializer::new(name)).map(|it| TestSet::Source(it.0))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let source = Written::deserialize(MapAccessDeserializer::new(map));
                source.map(|it| TestSet::Source(it.0))
            }
        }
        deserializer.deserialize_any(Reader).map(Written)
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
// It is drawn by class with the trial's seed. Validation and test images stay as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Subset {
    /// All of them.
    #[default]
    #[serde(rename = "none")]
    All,
    /// So many of each class.
    PerClass(usize),
    /// This part of each class, rounded, and at least one image.
    Fraction(f64),
}

impl Subset {
    /// Whether there are as many images of each class.
    pub fn is_per_class(&self) -> bool {
        matches!(self, Subset::PerClass(_))
    }

    /// Whether it is no part.
    pub fn is_all(&self) -> bool {
        *self == Subset::All
    }
}

/// Size and channels of the images as the model sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Image {
    /// Height and width.
    pub size: [usize; 2],
    /// 1 (gray) or 3 (RGB).
    #[schemars(extend("enum" = [1, 3]))]
    pub channels: usize,
}

/// Normalisation of pixels that were scaled to [0, 1].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Normalise {
    /// Leave [0, 1]: `"none"`.
    None,
    /// Mean and standard deviation of the trial's training images: `"dataset"`.
    Dataset,
    /// Mean and standard deviation of this number of training images, drawn by the seed: `{ sample = 2000 }`.
    Sample(usize),
    /// Declared numbers: `{ mean = […], std = […] }`.
    By(Moments),
}

/// What a table of numbers for normalisation holds: those of [`Moments`], or a sample.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Numbers {
    sample: Option<usize>,
    mean: Option<Vec<f32>>,
    std: Option<Vec<f32>>,
}

/// One mean and one standard deviation per channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Moments {
    /// Subtracted.
    pub mean: Vec<f32>,
    /// Divided by.
    pub std: Vec<f32>,
}

written!(Written<Normalise>, "Normalise", |types| {
    "anyOf": [
        { "const": "dataset", "description": "Mean and standard deviation of the training images." },
        { "const": "none", "description": "Pixels from 0 to 1." },
        {
            "type": "object",
            "description": "Mean and standard deviation of so many training images.",
            "properties": { "sample": { "type": "integer", "minimum": 1 } },
            "required": ["sample"],
            "additionalProperties": false,
        },
        types.subschema_for::<Moments>(),
    ],
});

impl<'de> Deserialize<'de> for Written<Normalise> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Normalise;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("\"none\", \"dataset\", { sample = 2000 } or { mean = […], std = […] }")
            }
            fn visit_str<E: Error>(self, name: &str) -> Result<Normalise, E> {
                match name {
                    "none" => Ok(Normalise::None),
                    "dataset" => Ok(Normalise::Dataset),
                    other => Err(E::unknown_variant(other, &["none", "dataset"])),
                }
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Normalise, A::Error> {
                match Numbers::deserialize(MapAccessDeserializer::new(map))? {
                    Numbers { sample: Some(0), .. } => {
                        Err(A::Error::custom("a sample of 0 images; at least 1"))
                    }
                    Numbers { sample: Some(images), mean: None, std: None } => {
                        Ok(Normalise::Sample(images))
                    }
                    Numbers { sample: None, mean: Some(mean), std: Some(std) } => {
                        Ok(Normalise::By(Moments { mean, std }))
                    }
                    Numbers { sample: Some(_), .. } => {
                        Err(A::Error::custom("a sample says mean and std: it stands alone"))
                    }
                    Numbers { mean: None, .. } => Err(A::Error::missing_field("mean")),
                    Numbers { .. } => Err(A::Error::missing_field("std")),
                }
            }
        }
        deserializer.deserialize_any(Reader).map(Written)
    }
}

/// What to do about an image that cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnBadImage {
    /// Stop before training, naming the files.
    Error,
    /// Leave it out and count it.
    Skip,
}
