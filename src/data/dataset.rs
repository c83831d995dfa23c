//! A data set in memory: every image of the declared size, or of its own, as bytes, with its label.

use std::collections::HashSet;

use super::duplicates::Copies;
use super::error::{BadImage, Error};
use crate::augment::{BBox, Chain, Frame};
use crate::looks::Look;

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

/// Decoded images that trials share. Pixels are [images, height, width, channels].
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    pub(super) origin: String,
    pub(super) classes: Vec<String>,
    /// Height and width of every image; where images have sizes of their own, of none.
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    pub(super) pixels: Vec<u8>,
    /// Where images have sizes of their own: the place of each one's first byte, and its size.
    pub(super) own: Vec<(usize, Frame)>,
    pub(super) labels: Vec<u32>,
    pub(super) parts: Vec<Part>,
    pub(super) names: Vec<String>,
    /// A box per image where the source has them; empty if it has none.
    pub(super) boxes: Vec<Option<BBox>>,
    /// The group of each image, as an index into their names; empty where each stands alone.
    pub(super) groups: Vec<u32>,
    pub(super) group_names: Vec<String>,
    pub(super) skipped: Vec<BadImage>,
    pub(super) copies: Copies,
    /// How each image looks, where splits depend on copies; else empty.
    pub(super) looks: Vec<Look>,
    pub(super) set_aside: usize,
    /// Per image and channel, the sum of its values and of their squares: statistics of any subset
    /// then take no second look at the pixels.
    pub(super) sums: Vec<[u64; 2]>,
    pub(super) fingerprint: String,
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
        self.own.get(index as usize).map_or(all, |(_, frame)| *frame)
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
        for ((_, frame), name) in
            self.own.iter().zip(&self.names).filter(|((_, f), _)| known.insert(*f))
        {
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

    /// The pixels of image `index`.
    ///
    /// # Shapes
    /// [height, width, channels]
    pub fn image(&self, index: u32) -> &[u8] {
        let bytes = self.frame(index).bytes();
        let start =
            self.own.get(index as usize).map_or(index as usize * bytes, |(start, _)| *start);
        &self.pixels[start..][..bytes]
    }

    /// The labels of all images.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The label of image `index`.
    pub fn label(&self, index: u32) -> u32 {
        self.labels[index as usize]
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
    pub fn copies(&self) -> &Copies {
        &self.copies
    }

    /// Images that the source declares for testing and that were left out because another source
    /// is the test set, or nothing is to be tested on.
    pub fn set_aside(&self) -> usize {
        self.set_aside
    }

    /// blake3 of classes, sizes, labels, parts and pixels, in hexadecimal: equal for equal data,
    /// wherever it was read from.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Computes the fingerprint from everything else. Every field is preceded by its length, so
    /// that no two data sets are hashed as the same bytes.
    pub(super) fn hash(&self) -> String {
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
        for (_, Frame { height, width, .. }) in &self.own {
            number(&mut hasher, *height);
            number(&mut hasher, *width);
        }
        let labels: Vec<u8> = self.labels.iter().flat_map(|label| label.to_le_bytes()).collect();
        hasher.update(&labels);
        let parts: Vec<u8> = self.parts.iter().map(|part| *part as u8).collect();
        hasher.update(&parts);
        hasher.update(&self.pixels);
        for group in &self.groups {
            hasher.update(&group.to_le_bytes());
        }
        for bbox in &self.boxes {
            let corners = bbox.map_or([-1.0; 4], |b| [b.x_min, b.y_min, b.x_max, b.y_max]);
            corners.iter().for_each(|corner| _ = hasher.update(&corner.to_le_bytes()));
        }
        hasher.finalize().to_hex().to_string()
    }
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
            pixels: (0..count).map(|index| value(index) as u8).collect(),
            own: Vec::new(),
            labels: labels.to_vec(),
            parts: parts.to_vec(),
            names: (0..count).map(|index| format!("#{index}")).collect(),
            boxes: Vec::new(),
            groups: Vec::new(),
            group_names: Vec::new(),
            skipped: Vec::new(),
            copies: Copies::default(),
            looks: Vec::new(),
            set_aside: 0,
            sums: (0..count).map(|index| [value(index), value(index).pow(2)]).collect(),
            fingerprint: String::new(),
        };
        dataset.fingerprint = dataset.hash();
        dataset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_changes_with_everything_that_trials_depend_on() {
        let parts = [Part::Undeclared; 3];
        let base = Dataset::of_labels(&[0, 1, 0], &parts);
        assert_eq!(base.fingerprint().len(), 64);
        let change = |change: fn(&mut Dataset)| {
            let mut changed = base.clone();
            change(&mut changed);
            changed.hash()
        };
        let changed = [
            change(|data| data.classes[0].push('x')),
            change(|data| data.labels[0] = 1),
            change(|data| data.parts[2] = Part::Test),
            change(|data| data.pixels[1] ^= 1),
            change(|data| (data.height, data.channels) = (3, 3)),
            change(|data| data.boxes = vec![None; 3]),
        ];
        assert!(!changed.contains(&base.fingerprint));
        assert_eq!(change(|data| data.names[0].push('x')), base.fingerprint);
    }
}
