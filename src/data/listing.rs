//! What a source holds, before any pixel is read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::dataset::Part;
use super::decode::{Picture, check_file, decode, decode_file};
use super::error::{BadImage, Error};
use super::labels::Labels;
use crate::augment::{BBox, BoxFormat};
use crate::plan::data::{DataPlan, OnBadImage};

/// The images of a source by name, label and declared part, and where their pixels are.
pub(super) struct Listing {
    /// The source in words, for messages.
    pub(super) origin: String,
    /// Class names; a label is an index into them.
    pub(super) classes: Vec<String>,
    /// Those of each image.
    pub(super) labels: Labels,
    /// What the source declares each image for.
    pub(super) parts: Vec<Part>,
    /// The path relative to the source, or `#index`.
    pub(super) names: Vec<String>,
    /// The group of each image; empty where each stands alone.
    pub(super) groups: Vec<String>,
    /// Where the pixels are.
    pub(super) images: Images,
    /// The files that it was read from, beside those of single images.
    pub(super) beside: Vec<PathBuf>,
}

/// Where the pixels of a listing are, in the listing's order.
pub(super) enum Images {
    /// One file per image, in which a box may be marked.
    Files(Vec<ImageFile>),
    /// Encoded images in memory.
    Encoded(Vec<&'static [u8]>),
    /// Plain pixels, several images to a block.
    Blocks(Vec<Block>),
    /// Encoded images inside larger files.
    Inside(Box<dyn Inside>),
}

/// Encoded images that lie inside larger files and are read one by one, from any thread.
pub(super) trait Inside: Send + Sync {
    /// What a file of the image `index` would hold; an error is the reason in words. One that is longer than
    /// `max_pixels` can be is none.
    fn read(&self, index: usize, max_pixels: u64) -> Result<Vec<u8>, String>;

    /// The file in which the image `index` lies.
    fn file(&self, index: usize) -> &Path;

    /// Whether images are read much faster one after the other than in any order.
    fn is_sequential(&self) -> bool {
        false
    }
}

impl Images {
    /// Whether images are read much faster one after the other than in any order.
    pub(super) fn is_sequential(&self) -> bool {
        matches!(self, Images::Inside(images) if images.is_sequential())
    }

    /// The file that the image `index` is decoded from when it is needed; none where the pixels were read already or
    /// are in the program.
    pub(super) fn file(&self, index: usize) -> Option<&Path> {
        match self {
            Images::Files(files) => Some(&files[index].path),
            Images::Inside(images) => Some(images.file(index)),
            Images::Encoded(_) | Images::Blocks(_) => None,
        }
    }
}

/// The pixels of a listing's blocks, each with the index of its first image; empty where images are files of their own.
pub(super) type Opened = Vec<(usize, Cow<'static, [u8]>)>;

/// An image file and a box in it.
pub(super) struct ImageFile {
    pub(super) path: PathBuf,
    pub(super) bbox: Option<WrittenBox>,
}

/// A box as its source writes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct WrittenBox {
    pub(super) numbers: [f64; 4],
    pub(super) format: BoxFormat,
}

/// Reads the pixels of a block, [count, height, width, channels].
pub(super) type ReadBlock = dyn Fn() -> Result<Cow<'static, [u8]>, Error> + Send + Sync;

/// Images of one size whose pixels stand one after the other.
pub(super) struct Block {
    pub(super) count: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    pub(super) read: Box<ReadBlock>,
}

/// The only label of an image that takes no part.
pub(super) const OUTSIDE: u32 = u32::MAX;

impl Listing {
    /// The images whose class takes part and whose declared part is wanted, in order.
    pub(super) fn picks(&self, wanted: impl Fn(Part) -> bool) -> Vec<usize> {
        let takes_part = |index: &usize| self.takes_part(*index) && wanted(self.parts[*index]);
        (0..self.parts.len()).filter(takes_part).collect()
    }

    /// Whether the image `index` takes part.
    pub(super) fn takes_part(&self, index: usize) -> bool {
        self.labels.of(index) != [OUTSIDE]
    }

    /// Leaves the images of all classes but these outside, or, where an image may have several labels, leaves out the
    /// labels of all classes but these; labels follow the order of `classes`.
    pub(super) fn only(mut self, classes: &[String]) -> Result<Listing, Error> {
        let unknown: Vec<String> =
            classes.iter().filter(|class| !self.classes.contains(class)).cloned().collect();
        if !unknown.is_empty() {
            return Err(Error::NoSuchClasses {
                origin: self.origin,
                unknown,
                classes: self.classes,
            });
        }
        let place = |name: &String| classes.iter().position(|class| class == name);
        let labels: Vec<Option<u32>> =
            self.classes.iter().map(|name| place(name).map(|place| place as u32)).collect();
        self.labels.rename(OUTSIDE, |label| labels[label as usize]);
        self.classes = classes.to_vec();
        Ok(self)
    }

    /// Finds picked images that surely cannot be read, without opening all files. As `policy` says, they are an error,
    /// or are left out and told.
    pub(super) fn check_files(&mut self, policy: OnBadImage) -> Result<Vec<String>, Error> {
        let Images::Files(files) = &self.images else { return Ok(Vec::new()) };
        let picks = self.picks(|_| true);
        let check = |pick: &usize| {
            let path = &files[*pick].path;
            Some((*pick, check_file(path).err()?))
        };
        let bad: Vec<(usize, String)> = picks.par_iter().filter_map(check).collect();
        let named = |(pick, reason): (usize, String)| {
            let path: &PathBuf = &files[pick].path;
            BadImage { file: path.display().to_string(), reason }
        };
        if !bad.is_empty() && policy == OnBadImage::Error {
            let bad = bad.into_iter().map(named).collect();
            return Err(Error::bad_images(&self.origin, picks.len(), bad));
        }
        let picks: Vec<usize> = bad.iter().map(|(pick, _)| *pick).collect();
        let left_out = bad.into_iter().map(|bad| named(bad).to_string()).collect();
        picks.into_iter().for_each(|pick| self.labels.set(pick, OUTSIDE));
        Ok(left_out)
    }

    /// Opens the pixels for random access: those of blocks are read.
    pub(super) fn open(&self) -> Result<Opened, Error> {
        let Images::Blocks(blocks) = &self.images else { return Ok(Vec::new()) };
        let mut opened = Vec::with_capacity(blocks.len());
        let mut first = 0;
        for block in blocks {
            opened.push((first, (block.read)()?));
            first += block.count;
        }
        Ok(opened)
    }

    /// The picture of image `index`, or what its box holds, and the box that goes along with it; or why there is none.
    pub(super) fn picture<'a>(
        &'a self,
        opened: &'a Opened,
        index: usize,
        plan: &DataPlan,
    ) -> Result<(Picture<'a>, Option<BBox>), String> {
        match &self.images {
            Images::Files(files) => {
                let picture = decode_file(&files[index].path, plan.max_pixels)?;
                let bbox = files[index].bbox.map(|bbox| picture.bbox(bbox)).transpose()?;
                Ok(match bbox {
                    Some(bbox) if plan.boxes.crop => (picture.crop(&bbox), None),
                    bbox => (picture, bbox),
                })
            }
            Images::Encoded(files) => Ok((decode(files[index], plan.max_pixels)?, None)),
            Images::Inside(images) => {
                let bytes = images.read(index, plan.max_pixels)?;
                Ok((decode(&bytes, plan.max_pixels)?, None))
            }
            Images::Blocks(blocks) => {
                let block = opened.partition_point(|(first, _)| *first <= index) - 1;
                let (first, pixels) = &opened[block];
                let Block { height, width, channels, .. } = blocks[block];
                let bytes = height * width * channels;
                let image = &pixels[(index - first) * bytes..][..bytes];
                Ok((Picture { height, width, channels, pixels: Cow::Borrowed(image) }, None))
            }
        }
    }

    /// The file of image `index`, which is called `name`, as messages name it.
    pub(super) fn file_called(&self, index: usize, name: &str) -> String {
        match &self.images {
            Images::Files(files) => files[index].path.display().to_string(),
            Images::Encoded(_) | Images::Blocks(_) | Images::Inside(_) => {
                format!("{} {name}", self.origin)
            }
        }
    }

    /// The image's file, as messages name it.
    pub(super) fn file(&self, index: usize) -> String {
        self.file_called(index, &self.names[index])
    }

    /// Checks what every source has to have: two classes, and something to learn about each.
    pub(super) fn check(&self) -> Result<(), Error> {
        check_classes(&self.origin, &self.classes, "")?;
        let way_out = "add some, or remove the class";
        check_taught(&self.origin, &self.classes, &self.labels, &self.parts, way_out)
    }
}

/// Fewer than two classes are an error; the hint says where there may be more.
pub(super) fn check_classes(origin: &str, classes: &[String], hint: &str) -> Result<(), Error> {
    if classes.len() < 2 {
        return Err(Error::TooFewClasses {
            origin: origin.to_owned(),
            classes: classes.to_vec(),
            hint: hint.to_owned(),
        });
    }
    Ok(())
}

/// Every class needs an image outside the declared validation and test parts.
pub(super) fn check_taught(
    origin: &str,
    classes: &[String],
    labels: &Labels,
    parts: &[Part],
    way_out: &str,
) -> Result<(), Error> {
    let mut taught = vec![false; classes.len()];
    for (own, part) in labels.iter().zip(parts).filter(|(own, _)| **own != [OUTSIDE]) {
        for label in own {
            taught[*label as usize] |= matches!(part, Part::Train | Part::Undeclared);
        }
    }
    let empty: Vec<String> = classes
        .iter()
        .zip(&taught)
        .filter(|(_, taught)| !**taught)
        .map(|(class, _)| class.clone())
        .collect();
    if empty.is_empty() {
        return Ok(());
    }
    Err(Error::EmptyClasses {
        origin: origin.to_owned(),
        classes: empty,
        way_out: way_out.to_owned(),
    })
}

/// Puts class names in order: by number if all of them are numbers (so that the folders 0 to 42
/// are the classes 0 to 42), else by their bytes.
pub(super) fn sort_classes(names: &mut [String]) {
    let number = |name: &String| name.parse::<u64>().ok();
    if names.iter().all(|name| number(name).is_some()) {
        names.sort_by(|a, b| number(a).cmp(&number(b)).then_with(|| a.cmp(b)));
    } else {
        names.sort();
    }
}

/// The sorted classes among the labels as written, and each label's index into them.
pub(super) fn classes_of(written: &[String]) -> (Vec<String>, Vec<u32>) {
    let mut indices: BTreeMap<&str, u32> =
        written.iter().map(|label| (label.as_str(), 0)).collect();
    let mut classes: Vec<String> = indices.keys().map(|label| (*label).to_owned()).collect();
    sort_classes(&mut classes);
    for (index, class) in classes.iter().enumerate() {
        *indices.get_mut(class.as_str()).expect("a class is a label") = index as u32;
    }
    let labels = written.iter().map(|label| indices[label.as_str()]).collect();
    (classes, labels)
}

/// Where `classes` stand among `known`; an error naming those that do not.
pub(super) fn relabel(
    (origin, known): (&str, &[String]),
    (test, classes): (&str, &[String]),
) -> Result<Vec<u32>, Error> {
    let place = |class: &String| known.iter().position(|other| other == class);
    let unknown: Vec<String> =
        classes.iter().filter(|class| place(class).is_none()).cloned().collect();
    if !unknown.is_empty() {
        return Err(Error::OtherClasses {
            part: Part::Test,
            origin: origin.to_owned(),
            test: test.to_owned(),
            unknown,
            classes: known.to_vec(),
        });
    }
    Ok(classes.iter().filter_map(place).map(|place| place as u32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn classes_that_are_numbers_are_sorted_as_numbers_and_others_by_bytes() {
        let mut numbers = owned(&["10", "9", "00002", "1"]);
        sort_classes(&mut numbers);
        assert_eq!(numbers, owned(&["1", "00002", "9", "10"]));
        let mut words = owned(&["b", "10", "9", "B"]);
        sort_classes(&mut words);
        assert_eq!(words, owned(&["10", "9", "B", "b"]));
    }

    #[test]
    fn labels_become_indices_into_the_sorted_classes() {
        let (classes, labels) = classes_of(&owned(&["stop", "go", "stop", "turn"]));
        assert_eq!(classes, owned(&["go", "stop", "turn"]));
        assert_eq!(labels, [1, 0, 1, 2]);
    }

    #[test]
    fn a_test_set_may_lack_classes_but_not_bring_its_own() {
        let known = owned(&["a", "b", "c"]);
        let places = relabel(("train", &known), ("test", &owned(&["c", "a"])));
        assert_eq!(places.unwrap(), [2, 0]);
        let error = relabel(("train", &known), ("test", &owned(&["a", "d", "e"]))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the test set test has classes that train lacks: `d`, `e`; train has `a`, `b`, `c`"
        );
    }
}
