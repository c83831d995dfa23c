//! Which images a trial sees: source, size, split and normalisation, nothing left open.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::augment::BoxFormat;

/// The data of one trial. Trials with equal `source`, `test`, `image` and `on_bad_image` share the
/// decoded images; the split depends on the trial's seed and `fold` too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DataPlan {
    /// Where labelled images come from.
    pub source: Source,
    /// Where the test images come from.
    pub test: TestSet,
    /// The part of the training images that is held out, 0 ≤ validation < 1, by class.
    pub validation: f64,
    /// With cross-validation: which of the folds is the validation set (instead of `validation`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fold: Option<Fold>,
    /// The classes that take part, in the order of their labels; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// How many of the training images are learnt from.
    #[serde(default, skip_serializing_if = "Subset::is_all")]
    pub subset: Subset,
    /// The size every image is brought to.
    pub image: ImagePlan,
    /// What is subtracted and divided by, after scaling to [0, 1].
    pub normalise: Normalise,
    /// What happens when an image cannot be decoded.
    pub on_bad_image: OnBadImage,
    /// What the source's boxes are.
    #[serde(default, skip_serializing_if = "BoxPlan::is_default")]
    pub boxes: BoxPlan,
}

/// A part of the training images, drawn by class with the trial's seed: a smaller subset lies within
/// a larger one. Validation and test images stay as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Subset {
    /// All of them.
    #[default]
    All,
    /// So many of each class, at least 1.
    PerClass(usize),
    /// This part of each class, 0 < part ≤ 1, rounded and at least one image.
    Fraction(f64),
}

impl Subset {
    fn is_all(&self) -> bool {
        *self == Subset::All
    }
}

/// The boxes of a source, if it has any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BoxPlan {
    /// How they are written.
    pub format: BoxFormat,
    /// Whether images are cropped to them; otherwise they go along with the images.
    pub crop: bool,
}

impl BoxPlan {
    fn is_default(&self) -> bool {
        *self == BoxPlan::default()
    }
}

/// Labelled images: a bundled set or one of the usual layouts on disk. Paths are absolute or
/// relative to the working directory by now.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Source {
    /// A set that travels with the program.
    Bundled(Bundled),
    /// A folder with one folder per class; or `train`, `val` and `test` folders that hold those.
    Folder(PathBuf),
    /// A folder with MNIST's four IDX files, plain or `.gz` (`train-images-idx3-ubyte`, …); its
    /// `t10k` pair is the declared test set.
    Idx(PathBuf),
    /// A folder with CIFAR-10's binary batches (`data_batch_1.bin`, …, `test_batch.bin`).
    Cifar10(PathBuf),
    /// A folder with CIFAR-100's `train.bin` and `test.bin`, fine labels.
    Cifar100(PathBuf),
    /// A table with columns `path` and `label`, and optionally `split` and a box.
    Csv(PathBuf),
    /// The German Traffic Sign Recognition Benchmark as it is published, with its annotations.
    Gtsrb(PathBuf),
}

/// The bundled sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bundled {
    /// UCI optdigits: 1,797 gray 8×8 digits.
    Digits,
    /// The 10,000 test images of Fashion-MNIST, gray 28×28.
    FashionMnist,
    /// 551 colour drawings, 96×96, in 9 classes.
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
pub enum TestSet {
    /// What the source itself declares as its test part (none, if it declares none).
    Declared,
    /// A part of the source, 0 ≤ part < 1, drawn by class. It depends on the data alone, not on the
    /// trial's seed: every trial of every sweep is tested on the same images.
    Part(f64),
    /// Another source with the same classes.
    Source(Source),
}

/// One fold of a k-fold cross-validation, stratified by class and shared by all trials with the seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Fold {
    /// 0 ≤ index < of.
    pub index: usize,
    /// Number of folds, at least 2.
    pub of: usize,
}

/// Size of the images as the model sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ImagePlan {
    /// Height and width in pixels.
    pub size: [usize; 2],
    /// 1 (gray) or 3 (RGB).
    pub channels: usize,
}

/// Normalisation of pixels that were scaled to [0, 1], one number per channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Normalise {
    /// Leave [0, 1].
    None,
    /// Mean and standard deviation of this trial's training images.
    Dataset,
    /// Declared numbers.
    By {
        /// Subtracted.
        mean: Vec<f32>,
        /// Divided by, all > 0.
        std: Vec<f32>,
    },
}

/// What to do about an image that cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnBadImage {
    /// Stop, naming the file.
    Error,
    /// Leave it out, and say how many in the report.
    Skip,
}

/// What is known of a data set without decoding its images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFacts {
    /// Class names; a label is an index into them.
    pub classes: Vec<String>,
    /// Images in the source and in the declared test set, before splitting.
    pub images: usize,
    /// Of these, the images of the declared test set.
    pub declared_test: usize,
    /// Of these, the images of the declared validation set.
    pub declared_validation: usize,
}
