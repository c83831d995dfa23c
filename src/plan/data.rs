//! Which images a trial sees: source, size, split and normalisation, nothing left open.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::augment::{BoxFormat, BoxRules, Chain};
use crate::config::data::{Classes, Crop, Data};
use crate::document::{KeyPath, Problem, WrittenPath};

pub use crate::config::data::{
    Bundled, Columns, Duplicates, Image, Moments, Normalise, OnBadImage, Source, Subset, TestSet,
};
pub use crate::config::fit::{CropSettings, Fit, Interpolation, PadSettings};
pub use crate::config::group::{Group, Pattern};
pub use crate::config::sampling::Sampling;
pub use crate::config::task::{SEPARATOR, Task};

/// The data of one trial. Trials whose plans agree [in what decoded images depend on](DataPlan::of_images) share these;
/// the split depends on the trial's seed and `fold` too.
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
    /// How many labels an image has.
    #[serde(default, skip_serializing_if = "Task::is_single_label")]
    pub task: Task,
    /// The labels that follow from the class of an image, each with its classes; empty: none do.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub class_attributes: BTreeMap<String, Vec<String>>,
    /// The classes that take part, in the order of their labels; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// How many of the training images are learnt from.
    #[serde(default, skip_serializing_if = "Subset::is_all")]
    pub subset: Subset,
    /// The size every image is brought to.
    pub image: Image,
    /// How an image of another shape is brought to that size.
    #[serde(default, skip_serializing_if = "Fit::is_stretch")]
    pub fit: Fit,
    /// How images come to that size, if transforms bring them to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_size: Option<OwnSize>,
    /// What is subtracted and divided by, after scaling to [0, 1].
    pub normalise: Normalise,
    /// What happens when an image cannot be decoded.
    pub on_bad_image: OnBadImage,
    /// The most pixels that an image file may have.
    #[serde(default = "most_pixels", skip_serializing_if = "is_most_pixels")]
    pub max_pixels: u64,
    /// What the source's boxes are.
    #[serde(default, skip_serializing_if = "BoxPlan::is_default")]
    pub boxes: BoxPlan,
    /// What the columns of a table are called.
    #[serde(default, skip_serializing_if = "Columns::are_usual")]
    pub columns: Columns,
    /// Which images stay together in every split.
    #[serde(default, skip_serializing_if = "Group::is_none")]
    pub group: Group,
    /// What happens to copies of images.
    #[serde(default, skip_serializing_if = "Duplicates::are_kept")]
    pub duplicates: Duplicates,
    /// How often the training images of each class are learnt from.
    #[serde(default, skip_serializing_if = "Sampling::is_shuffle")]
    pub sampling: Sampling,
}

/// Images that keep their own sizes until transforms bring them to that of the network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OwnSize {
    /// What happens to each image as it is read: all chains of `[augment]` begin with it, and nothing
    /// in it is left to chance.
    pub chain: Chain,
    /// Which boxes are left.
    pub boxes: BoxRules,
}

/// Where nothing else is said, an image file has this many pixels at most.
pub const MOST_PIXELS: u64 = 100_000_000;

fn most_pixels() -> u64 {
    MOST_PIXELS
}

fn is_most_pixels(pixels: &u64) -> bool {
    *pixels == MOST_PIXELS
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

/// One fold of a k-fold cross-validation, stratified by class and shared by all trials with the seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Fold {
    /// 0 ≤ index < of.
    pub index: usize,
    /// Number of folds, at least 2.
    pub of: usize,
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
    /// How many images of each class there are outside of the declared test set; empty where that is not known
    /// without reading them.
    pub counts: Vec<usize>,
    /// Images that are left out because their files cannot be read, each with the reason.
    pub left_out: Vec<String>,
}

/// A number of `[data]` that cannot be.
struct Amiss {
    /// Where it stands in the table.
    keys: &'static [&'static str],
    message: String,
    label: &'static str,
}

/// What is wrong with the numbers that say which images there are, whether a file says them or a card.
fn amiss(
    validation: f64,
    test: Option<f64>,
    subset: Subset,
    sampling: Sampling,
    max_pixels: u64,
) -> Vec<Amiss> {
    let part = |part: f64| (0.0..1.0).contains(&part);
    let mut found = Vec::new();
    let mut that = |sound: bool, keys, message: String, label| {
        if !sound {
            found.push(Amiss { keys, message, label });
        }
    };
    that(
        part(validation),
        &["validation"],
        format!("a fraction of {validation} is not in [0, 1)"),
        "a part of the training images",
    );
    if let Some(test) = test {
        that(
            part(test),
            &["test"],
            format!("a fraction of {test} is not in [0, 1)"),
            "a part of the images",
        );
    }
    match subset {
        Subset::All => {}
        Subset::PerClass(count) => that(
            count >= 1,
            &["subset", "per-class"],
            "a subset needs at least one image of each class".to_owned(),
            "no images",
        ),
        Subset::Fraction(part) => that(
            part > 0.0 && part <= 1.0,
            &["subset", "fraction"],
            format!("a fraction of {part} is not in (0, 1]"),
            "a part of the training images",
        ),
    }
    if let Sampling::Power(power) = sampling {
        that(
            (0.0..=1.0).contains(&power),
            &["sampling", "power"],
            format!("a power of {power} is not in [0, 1]"),
            "0 is balanced, 1 as often as there are images",
        );
    }
    let message = "an image has at least one pixel".to_owned();
    that(max_pixels >= 1, &["max-pixels"], message, "no pixels");
    found
}

impl DataPlan {
    /// Whether the labels of an image follow from its class.
    pub fn has_attributes(&self) -> bool {
        !self.class_attributes.is_empty()
    }

    /// Whether its classes are those of its source, and all of them.
    pub fn has_plain_classes(&self) -> bool {
        self.classes.is_empty() && !self.has_attributes()
    }

    /// What decoded images depend on: the plan without what each trial makes of them.
    pub fn of_images(&self) -> DataPlan {
        let test = match &self.test {
            // All are decoded, and the part is drawn later.
            TestSet::Part(part) if *part > 0.0 => TestSet::Declared,
            test => test.clone(),
        };
        DataPlan {
            test,
            validation: 0.0,
            fold: None,
            subset: Subset::All,
            normalise: Normalise::None,
            sampling: Sampling::Shuffle,
            ..self.clone()
        }
    }

    /// Finds out whether images can be split as it says. A plan that was made of an experiment can be by the way
    /// it was made; one that comes from a file may say anything.
    ///
    /// # Errors
    /// In words, what cannot be.
    pub fn check(&self) -> Result<(), String> {
        let part = match self.test {
            TestSet::Part(part) => Some(part),
            TestSet::Declared | TestSet::Source(_) => None,
        };
        let amiss = amiss(self.validation, part, self.subset, self.sampling, self.max_pixels);
        if let Some(Amiss { keys, message, .. }) = amiss.into_iter().next() {
            return Err(format!("data.{}: {message}", keys.join(".")));
        }
        match self.fold {
            Some(Fold { index, of }) if index >= of || of < 2 => {
                Err(format!("fold {index} of {of}, which are counted from 0 and at least two"))
            }
            _ => Ok(()),
        }
    }
}

impl Image {
    /// Whether images can be of this size.
    pub(crate) fn is_sound(&self) -> bool {
        self.has_size() && self.has_channels()
    }

    fn has_size(&self) -> bool {
        self.size.iter().all(|side| (1..=LONGEST_SIDE).contains(side))
    }

    fn has_channels(&self) -> bool {
        matches!(self.channels, 1 | 3)
    }
}

/// The longest side of the images that a network sees.
const LONGEST_SIDE: usize = 4096;

/// What is wrong with the numbers and names of `[data]`.
pub(super) fn check(data: &Data) -> Vec<Problem> {
    let at = KeyPath::root().key("data");
    let mut problems = Vec::new();
    let mut that = |sound: bool, at: KeyPath, message: String, label: &str| {
        if !sound {
            problems.push(Problem::value(at, message).label(label));
        }
    };
    let part = match data.test.0 {
        TestSet::Part(part) => Some(part),
        TestSet::Declared | TestSet::Source(_) => None,
    };
    for amiss in amiss(data.validation, part, data.subset, data.sampling, data.max_pixels) {
        let at = amiss.keys.iter().fold(at.clone(), |at, key| at.key(key));
        that(false, at, amiss.message, amiss.label);
    }
    if let Classes::Some(names) = &data.classes {
        let twice = (1..names.len()).find(|index| names[..*index].contains(&names[*index]));
        if let Some(index) = twice {
            that(
                false,
                at.key("classes").index(index),
                format!("the class \"{}\" is listed twice", names[index]),
                "already in the list",
            );
        }
        that(
            names.len() >= 2,
            at.key("classes"),
            format!("{} classes are too few", names.len()),
            "at least two",
        );
    }
    that(
        data.crop == Crop::None || data.source.0.has_boxes(),
        at.key("crop"),
        "the source has no boxes to crop to: only csv and gtsrb have boxes".to_owned(),
        "nothing to crop to",
    );
    problems.extend(check_group(&data.group, &data.source.0));
    problems.extend(check_columns(data));
    problems.extend(super::task::check_data(data));
    problems.extend(check_image(data.image));
    problems.extend(check_moments(&data.normalise.0, data.image));
    problems
}

/// What is wrong with `data.group` for images of `source`.
fn check_group<P>(group: &Group, source: &Source<P>) -> Option<Problem> {
    let at = KeyPath::root().key("data").key("group");
    let has_names = source.has_names();
    let cannot = |message: &str, label: &str, help: &str| {
        Some(Problem::value(at.clone(), message).label(label).help(help))
    };
    match group {
        Group::None => None,
        Group::By(column) => {
            let help = match source {
                Source::Csv(_) | Source::Parquet(_) => return None,
                Source::Folder(_) if column == "folder" => return None,
                Source::Folder(_) => {
                    "for a folder, use group = \"folder\", { folder-prefix = 1 } or { name = \"…\" }; a column \
                     is for tables, { csv = … } or { parquet = … }"
                }
                _ if has_names => "{ name = \"…\" } finds groups in the paths of images",
                _ => "only tables, { csv = … } and { parquet = … }, have columns",
            };
            let message = format!("the source has no column \"{column}\" to group images by");
            cannot(&message, "no such groups", help)
        }
        Group::FolderPrefix(0) => cannot(
            "folder-prefix must be at least 1",
            "no folders",
            "the smallest value is { folder-prefix = 1 }",
        ),
        Group::FolderPrefix(_) => match source {
            Source::Folder(_) => None,
            _ => {
                let help = "only { folder = … } has them; for a table, use a column";
                cannot("the source has no folders to group images by", "no such groups", help)
            }
        },
        Group::Name(pattern) => match (has_names, pattern.compiled()) {
            (false, _) => {
                let help = "{ folder = … }, { csv = … }, { gtsrb = … } and { tar = … } have them";
                cannot("the images of the source have no names", "no such groups", help)
            }
            (true, Ok(_)) => None,
            (true, Err(message)) => {
                let problem = Problem::value(at.key("name"), message).label("cannot be used");
                Some(problem.help("put the group into one pair of brackets: \"^(p[0-9]+)_\""))
            }
        },
    }
}

/// What is wrong with the keys of `data.columns`.
fn check_columns(data: &Data) -> Vec<Problem> {
    let at = KeyPath::root().key("data").key("columns");
    let written = data.columns.keys();
    if written.is_empty() {
        return Vec::new();
    }
    let mut known = data.source.0.columns();
    if known.is_empty()
        && let TestSet::Source(test) = &data.test.0
    {
        known = test.columns();
    }
    if known.is_empty() {
        let problem = Problem::value(at, "the source has no columns to name");
        let help = "{ csv = … } and { parquet = … } have columns, { tar = … } and { npz = … } images and labels by \
                    name, { cifar100 = … } labels";
        return vec![problem.label("no effect").help(help)];
    }
    let mut problems = Vec::new();
    for key in written.iter().filter(|key| !known.contains(key)) {
        let problem =
            Problem::value(at.key(key), format!("columns.{key} does not apply to this source"));
        problems.push(problem.label("no effect").help(format!("it has {}", known.join(", "))));
    }
    if written.contains(&"label") && written.contains(&"one-hot") && known.contains(&"one-hot") {
        let problem = Problem::value(at.key("one-hot"), "columns.label already names the classes");
        problems.push(problem.label("a second way").help("use label or one-hot, not both"));
    }
    problems
}

/// What is wrong with `data.image`.
pub(super) fn check_image(image: Image) -> Vec<Problem> {
    let at = KeyPath::root().key("data").key("image");
    let Image { size: [height, width], channels } = image;
    let mut problems = Vec::new();
    if !image.has_channels() {
        let message = format!("images have 1 channel (gray) or 3 (RGB), not {channels}");
        problems.push(Problem::value(at.key("channels"), message).label("1 or 3"));
    }
    if !image.has_size() {
        let message = format!("an image of {height}×{width} pixels");
        let problem = Problem::value(at.key("size"), message);
        problems.push(problem.label(format!("sides are between 1 and {LONGEST_SIDE}")));
    }
    problems
}

/// What is wrong with the numbers of `data.normalise` for images like `image`.
pub(super) fn check_moments(normalise: &Normalise, image: Image) -> Vec<Problem> {
    let Normalise::By(Moments { mean, std }) = normalise else { return Vec::new() };
    let at = KeyPath::root().key("data").key("normalise");
    let mut problems = Vec::new();
    for (key, numbers) in [("mean", mean), ("std", std)] {
        if numbers.len() != image.channels {
            let message = format!("{} numbers for {} channels", numbers.len(), image.channels);
            problems.push(Problem::value(at.key(key), message).label("one number per channel"));
        }
    }
    if !std.iter().all(|std| *std > 0.0) {
        let problem = Problem::value(at.key("std"), "a standard deviation is positive");
        problems.push(problem.label("not positive"));
    }
    problems
}

/// What was written about data as it will run, as far as `[data]` says it; `path` says what becomes of
/// paths.
pub fn data_plan(
    data: &Data,
    fold: Option<Fold>,
    path: &dyn Fn(&WrittenPath) -> PathBuf,
) -> DataPlan {
    DataPlan {
        source: data.source.0.with_path(path),
        test: data.test.0.with_path(path),
        validation: data.validation,
        fold,
        task: data.task,
        class_attributes: data.class_attributes.clone(),
        classes: match &data.classes {
            Classes::All => Vec::new(),
            Classes::Some(names) => names.clone(),
        },
        subset: data.subset,
        image: data.image,
        fit: data.fit,
        own_size: None,
        normalise: data.normalise.0.clone(),
        on_bad_image: data.on_bad_image,
        max_pixels: data.max_pixels,
        boxes: BoxPlan { format: data.box_format, crop: data.crop == Crop::Box },
        columns: data.columns.clone(),
        group: data.group.clone(),
        duplicates: data.duplicates,
        sampling: data.sampling,
    }
}
