//! A data set: every image of the declared size, or of its own, as bytes, with its label.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::OnceLock;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::duplicates::Copies;
use super::error::{BadImage, Error};
use super::held::Held;
use super::labels::{Labels, written_labels};
use super::load::Looked;
use super::pixels::Pixels;
use crate::augment::{BBox, Chain, Frame};
use crate::looks::Look;
use crate::plan::data::Duplicates;

/// What a source declares an image for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// To learn from.
    Train,
    /// To choose by.
    Validation,
    /// To be looked at once, at the end.
    Test,
    /// The source does not say: the split decides.
    Undeclared,
}

impl Part {
    /// What it is called before "set".
    pub(super) fn word(self) -> &'static str {
        match self {
            Part::Train | Part::Undeclared => "training",
            Part::Validation => "validation",
            Part::Test => "test",
        }
    }
}

/// Images that trials share, and what is known of each.
#[derive(Debug)]
pub struct Dataset {
    pub(super) origin: String,
    pub(super) classes: Vec<String>,
    /// Height and width of every image; where images have sizes of their own, of none.
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    pub(super) pixels: Pixels,
    /// The size of each image where they have sizes of their own, else empty.
    pub(super) own: Vec<Frame>,
    pub(super) labels: Labels,
    pub(super) parts: Vec<Part>,
    pub(super) names: Vec<String>,
    /// A box per image where the source has them; empty if it has none.
    pub(super) boxes: Vec<Option<BBox>>,
    /// The group of each image, as an index into their names; empty where each stands alone.
    pub(super) groups: Vec<u32>,
    pub(super) group_names: Vec<String>,
    pub(super) skipped: Vec<BadImage>,
    /// How each image looks, where splits depend on copies; else empty.
    pub(super) looks: Vec<Look>,
    pub(super) set_aside: usize,
    /// What takes a look at every image: at once where all are decoded at once, else when somebody asks for it.
    pub(super) facts: OnceLock<Result<Facts, Error>>,
}

/// What is known of a data set when every image has been looked at.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Facts {
    pub(super) copies: Copies,
    /// Per image and channel, the sum of its values and of their squares: statistics of any subset
    /// then take no second look at the pixels.
    pub(super) sums: Vec<[u64; 2]>,
    pub(super) fingerprint: String,
}

/// Whether both have the same images under the same names, wherever these are held.
impl PartialEq for Dataset {
    fn eq(&self, other: &Dataset) -> bool {
        self.origin == other.origin
            && self.names == other.names
            && self.boxes == other.boxes
            && self.group_names == other.group_names
            && self.skipped == other.skipped
            && self.set_aside == other.set_aside
            && self.copies() == other.copies()
            && self.fingerprint() == other.fingerprint()
    }
}

impl Dataset {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no images. A loaded data set never is empty.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The source in words.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Class names; a label is an index into them.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// 1 (gray) or 3 (RGB).
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Size and channels of image `index`.
    pub fn frame(&self, index: u32) -> Frame {
        let all = Frame { height: self.height, width: self.width, channels: self.channels };
        self.own.get(index as usize).copied().unwrap_or(all)
    }

    /// Whether each image can go through all of `chains`.
    ///
    /// # Errors
    /// If images have sizes of their own, and one does not fit a step.
    pub fn check<'a>(
        &self,
        chains: impl IntoIterator<Item = &'a Chain> + Clone,
    ) -> Result<(), Error> {
        let mut known = HashSet::new();
        for (frame, name) in self.own.iter().zip(&self.names).filter(|(f, _)| known.insert(**f)) {
            for chain in chains.clone() {
                chain.check(*frame).map_err(|fault| {
                    Error::format(
                        format!("{}/{name}", self.origin),
                        format!("its {frame} pixels do not fit [augment]: {fault}"),
                    )
                })?;
            }
        }
        Ok(())
    }

    /// The box of image `index`, if its source has one, in pixels of the image as it is here.
    pub fn bbox(&self, index: u32) -> Option<BBox> {
        self.boxes.get(index as usize).copied().flatten()
    }

    /// The pixels of image `index`, from memory, from the disk, or decoded now.
    ///
    /// # Shapes
    /// [height, width, channels]
    ///
    /// # Errors
    /// If it cannot be decoded, or it or another one could not be when somebody took a look at all of them.
    pub fn image(&self, index: u32) -> Result<Cow<'_, [u8]>, Error> {
        match &self.pixels {
            Pixels::Whole { .. } => Ok(Cow::Borrowed(self.pixels.whole(index, self.frame(index)))),
            Pixels::Held(held) => held.image(index, self.frame(index)).map_err(|reason| {
                // One that is bad is seldom alone, and all of them are told at once.
                self.facts().err().unwrap_or_else(|| self.bad_image(held, index, reason))
            }),
        }
    }

    fn bad_image(&self, held: &Held, index: u32, reason: String) -> Error {
        let file = held.file_of(index, &self.names[index as usize]);
        Error::bad_images(&self.origin, self.len(), vec![BadImage { file, reason }])
    }

    /// What is known when every image has been looked at. Whoever asks first takes the look, the others wait.
    pub(super) fn facts(&self) -> Result<&Facts, Error> {
        self.facts.get_or_init(|| self.look()).as_ref().map_err(Clone::clone)
    }

    /// Whether every image has been looked at.
    pub fn is_known(&self) -> bool {
        self.facts.get().is_some()
    }

    /// Bytes that its images take in memory, at most.
    pub fn memory(&self) -> u64 {
        match &self.pixels {
            Pixels::Whole { bytes, .. } => bytes.len() as u64,
            Pixels::Held(held) => held.memory(|index| self.frame(index)),
        }
    }

    /// The label of each image; empty where an image may have several.
    pub fn labels(&self) -> &[u32] {
        match &self.labels {
            Labels::One(labels) => labels,
            Labels::Several(_) => &[],
        }
    }

    /// Whether an image may have several labels, or none.
    pub fn is_multi_label(&self) -> bool {
        self.labels.are_several()
    }

    /// The labels of image `index`: one, unless images may have several.
    pub fn labels_of(&self, index: u32) -> &[u32] {
        self.labels.of(index as usize)
    }

    /// The labels of `images`, in this order.
    pub fn labels_at(&self, images: &[u32]) -> Labels {
        self.labels.at(images.iter().map(|image| *image as usize))
    }

    /// The names of the labels of image `index`, in one cell.
    pub fn label_names(&self, index: u32) -> String {
        written_labels(self.labels_of(index), &self.classes)
    }

    /// The label of image `index`, where each image has one.
    pub fn label(&self, index: u32) -> u32 {
        match self.labels_of(index) {
            [label] => *label,
            labels => panic!("image {index} has {} labels where each has one", labels.len()),
        }
    }

    /// The group that image `index` stays together with; none if there are no groups.
    pub fn group(&self, index: u32) -> Option<u32> {
        self.groups.get(index as usize).copied()
    }

    /// What the source declares each image for.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Each image's path relative to its source, or `#index`.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Images that were left out because they could not be decoded.
    pub fn skipped(&self) -> &[BadImage] {
        &self.skipped
    }

    /// Images with the pixels of other ones.
    ///
    /// # Errors
    /// If an image cannot be decoded.
    pub fn copies(&self) -> Result<&Copies, Error> {
        self.facts().map(|facts| &facts.copies)
    }

    /// Per image and channel, the sum of its values and of their squares.
    pub(super) fn sums(&self) -> Result<&[[u64; 2]], Error> {
        self.facts().map(|facts| &facts.sums[..])
    }

    /// Images that the source declares for testing and that were left out because another source
    /// is the test set, or nothing is to be tested on.
    pub fn set_aside(&self) -> usize {
        self.set_aside
    }

    /// blake3 of classes, sizes, labels, parts and pixels, in hexadecimal: equal for equal data,
    /// wherever it was read from.
    ///
    /// # Errors
    /// If an image cannot be decoded.
    pub fn fingerprint(&self) -> Result<&str, Error> {
        self.facts().map(|facts| &facts.fingerprint[..])
    }

    /// Computes the fingerprint from everything else.
    pub(super) fn hash(&self) -> Result<String, Error> {
        let mut hasher = self.hashed_before_pixels();
        match &self.pixels {
            Pixels::Whole { bytes, .. } => _ = hasher.update(bytes),
            Pixels::Held(held) => {
                let all: Vec<u32> = (0..self.len() as u32).collect();
                for together in all.chunks(TOGETHER) {
                    // Not as for others, who would have all images looked at if there is a bad one: what is known
                    // of all of them is not there yet.
                    let image = |index: &u32| {
                        held.image(*index, self.frame(*index))
                            .map_err(|reason| self.bad_image(held, *index, reason))
                    };
                    let images = together.par_iter().map(image);
                    for image in images.collect::<Result<Vec<_>, Error>>()? {
                        hasher.update(&image);
                    }
                }
            }
        }
        Ok(self.hashed_behind_pixels(hasher))
    }

    /// Every field is preceded by its length, so that no two data sets are hashed as the same bytes.
    fn hashed_before_pixels(&self) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new();
        let number = |hasher: &mut blake3::Hasher, n: usize| {
            hasher.update(&(n as u64).to_le_bytes());
        };
        number(&mut hasher, self.classes.len());
        for class in &self.classes {
            number(&mut hasher, class.len());
            hasher.update(class.as_bytes());
        }
        for n in [self.len(), self.height, self.width, self.channels] {
            number(&mut hasher, n);
        }
        for Frame { height, width, .. } in &self.own {
            number(&mut hasher, *height);
            number(&mut hasher, *width);
        }
        match &self.labels {
            Labels::One(labels) => {
                let labels: Vec<u8> = labels.iter().flat_map(|label| label.to_le_bytes()).collect();
                hasher.update(&labels);
            }
            Labels::Several(all) => {
                // A set of one label each is not the same as a set of one label for each.
                hasher.update(b"several labels");
                for labels in all {
                    number(&mut hasher, labels.len());
                    labels.iter().for_each(|label| number(&mut hasher, *label as usize));
                }
            }
        }
        let parts: Vec<u8> = self.parts.iter().map(|part| *part as u8).collect();
        hasher.update(&parts);
        hasher
    }

    fn hashed_behind_pixels(&self, mut hasher: blake3::Hasher) -> String {
        for group in &self.groups {
            hasher.update(&group.to_le_bytes());
        }
        for bbox in &self.boxes {
            let corners = bbox.map_or([-1.0; 4], |b| [b.x_min, b.y_min, b.x_max, b.y_max]);
            corners.iter().for_each(|corner| _ = hasher.update(&corner.to_le_bytes()));
        }
        hasher.finalize().to_hex().to_string()
    }

    /// Looks at every image of a data set of which none is left out, and none has a box or a size of its own.
    fn look(&self) -> Result<Facts, Error> {
        let Pixels::Held(held) = &self.pixels else {
            return Err(Error::EmptyPart("a data set in memory without its facts".to_owned()));
        };
        held.apart(|| {
            let mut hasher = self.hashed_before_pixels();
            let (mut sums, mut hashes) = (Vec::new(), Vec::new());
            let mut bad = Vec::new();
            let what = format!("looking at every image of {} once", self.origin);
            let mut index = 0;
            held.look(&what, |seen| {
                match seen {
                    Ok((seen, pixels)) => {
                        hasher.update(pixels);
                        sums.extend(seen.sums);
                        hashes.push(seen.hash);
                    }
                    Err(reason) => {
                        let file = held.file_of(index, &self.names[index as usize]);
                        bad.push(BadImage { file, reason });
                    }
                }
                index += 1;
            });
            if !bad.is_empty() {
                return Err(Error::bad_images(&self.origin, self.len(), bad));
            }
            let (copies, _) = self.find_copies(&hashes, Duplicates::Keep)?;
            let fingerprint = self.hashed_behind_pixels(hasher);
            let facts = Facts { copies, sums, fingerprint };
            held.keep_look(&Looked::plain(&facts));
            Ok(facts)
        })?
    }

    /// Leaves out the images for which `stays` is false.
    pub(super) fn retain(&mut self, stays: &[bool]) {
        let frames: Vec<Frame> = (0..self.len() as u32).map(|index| self.frame(index)).collect();
        self.pixels.retain(stays, &frames);
        keep(&mut self.own, stays);
        self.retain_lists(stays);
    }

    /// The same, where pixels and sizes are not there yet.
    pub(super) fn retain_lists(&mut self, stays: &[bool]) {
        self.labels.keep(stays);
        keep(&mut self.parts, stays);
        keep(&mut self.names, stays);
        keep(&mut self.boxes, stays);
        keep(&mut self.groups, stays);
    }
}

/// Images that are hashed together.
const TOGETHER: usize = 256;

/// Leaves out what does not stay; lists that say nothing are empty.
pub(super) fn keep<T>(all: &mut Vec<T>, stays: &[bool]) {
    let mut stays = stays.iter();
    all.retain(|_| stays.next().copied().unwrap_or(true));
}

#[cfg(test)]
impl Dataset {
    /// A plan for images of a test.
    pub(super) fn plan(&self) -> crate::plan::data::DataPlan {
        let text = r#"{"source":{"bundled":"digits"},"test":"declared","validation":0.0,
            "image":{"size":[1,1],"channels":1},"normalise":"none","on-bad-image":"error",
            "boxes":{"format":"pascal-voc","crop":false}}"#;
        serde_json::from_str(text).expect("a plan")
    }

    /// 1×1 gray images with these labels and parts; the value of image i is i.
    pub(super) fn of_labels(labels: &[u32], parts: &[Part]) -> Dataset {
        let count = labels.len();
        let classes = labels.iter().max().map_or(0, |max| *max as usize + 1);
        let value = |index: usize| index as u64 % 256;
        let mut dataset = Dataset {
            origin: "a test".to_owned(),
            classes: (0..classes).map(|class| class.to_string()).collect(),
            height: 1,
            width: 1,
            channels: 1,
            pixels: Pixels::Whole {
                bytes: (0..count).map(|index| value(index) as u8).collect(),
                starts: Vec::new(),
            },
            own: Vec::new(),
            labels: labels.to_vec().into(),
            parts: parts.to_vec(),
            names: (0..count).map(|index| format!("#{index}")).collect(),
            boxes: Vec::new(),
            groups: Vec::new(),
            group_names: Vec::new(),
            skipped: Vec::new(),
            looks: Vec::new(),
            set_aside: 0,
            facts: OnceLock::new(),
        };
        let facts = Facts {
            copies: Copies::default(),
            sums: (0..count).map(|index| [value(index), value(index).pow(2)]).collect(),
            fingerprint: dataset.hash().unwrap(),
        };
        dataset.facts = OnceLock::from(Ok(facts));
        dataset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_changes_with_everything_that_trials_depend_on() {
        let parts = [Part::Undeclared; 3];
        let base = || Dataset::of_labels(&[0, 1, 0], &parts);
        let fingerprint = base().hash().unwrap();
        assert_eq!(fingerprint.len(), 64);
        let change = |change: fn(&mut Dataset)| {
            let mut changed = base();
            change(&mut changed);
            changed.hash().unwrap()
        };
        let changed = [
            change(|data| data.classes[0].push('x')),
            change(|data| data.labels.set(0, 1)),
            change(|data| data.labels = vec![vec![0], vec![1], vec![0]].into()),
            change(|data| data.parts[2] = Part::Test),
            change(|data| {
                let bytes = vec![0, 0, 2];
                data.pixels = Pixels::Whole { bytes, starts: Vec::new() };
            }),
            change(|data| (data.height, data.channels) = (3, 3)),
            change(|data| data.boxes = vec![None; 3]),
        ];
        assert!(!changed.contains(&fingerprint));
        assert_eq!(change(|data| data.names[0].push('x')), fingerprint);
    }
}
