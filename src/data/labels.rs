//! The labels of images: one class each, or any number of classes each.

use super::dataset::keep;
use crate::plan::data::SEPARATOR;

/// The labels of images in their order, as indices into the names of classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Labels {
    /// Each image is of one class.
    One(Vec<u32>),
    /// Each image has any number of labels, ascending and each once.
    Several(Vec<Vec<u32>>),
}

impl Default for Labels {
    fn default() -> Labels {
        Labels::One(Vec::new())
    }
}

impl From<Vec<u32>> for Labels {
    fn from(labels: Vec<u32>) -> Labels {
        Labels::One(labels)
    }
}

impl From<Vec<Vec<u32>>> for Labels {
    fn from(labels: Vec<Vec<u32>>) -> Labels {
        Labels::Several(labels)
    }
}

impl Labels {
    /// How many images there are.
    pub fn len(&self) -> usize {
        match self {
            Labels::One(labels) => labels.len(),
            Labels::Several(labels) => labels.len(),
        }
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether an image may have several labels, or none.
    pub fn are_several(&self) -> bool {
        matches!(self, Labels::Several(_))
    }

    /// The labels of image `index`.
    pub fn of(&self, index: usize) -> &[u32] {
        match self {
            Labels::One(labels) => std::slice::from_ref(&labels[index]),
            Labels::Several(labels) => &labels[index],
        }
    }

    /// The labels of each image.
    pub fn iter(&self) -> impl Iterator<Item = &[u32]> {
        (0..self.len()).map(|index| self.of(index))
    }

    /// Those of the images at `places`, in this order.
    pub fn at(&self, places: impl Iterator<Item = usize>) -> Labels {
        match self {
            Labels::One(labels) => Labels::One(places.map(|place| labels[place]).collect()),
            Labels::Several(labels) => {
                Labels::Several(places.map(|place| labels[place].clone()).collect())
            }
        }
    }

    /// Puts those of other images behind them, which have one or several labels as these.
    pub(super) fn append(&mut self, other: Labels) {
        match (self, other) {
            (Labels::One(labels), Labels::One(more)) => labels.extend(more),
            (Labels::Several(labels), Labels::Several(more)) => labels.extend(more),
            (own, other) if own.is_empty() => *own = other,
            // All sources of a plan have labels of one kind.
            (_, other) => assert!(other.is_empty(), "labels of two kinds"),
        }
    }

    /// Has each label become what `change` makes of it; labels that become none are left out, where an image may have
    /// none, and else become `outside`.
    pub fn rename(&mut self, outside: u32, change: impl Fn(u32) -> Option<u32>) {
        match self {
            Labels::One(labels) => {
                labels.iter_mut().for_each(|label| *label = change(*label).unwrap_or(outside));
            }
            Labels::Several(labels) => {
                for own in labels.iter_mut().filter(|own| **own != [outside]) {
                    *own = own.iter().filter_map(|label| change(*label)).collect();
                    own.sort_unstable();
                }
            }
        }
    }

    /// Has image `index` have this label alone.
    pub(super) fn set(&mut self, index: usize, label: u32) {
        match self {
            Labels::One(labels) => labels[index] = label,
            Labels::Several(labels) => labels[index] = vec![label],
        }
    }

    /// Leaves out the images that do not stay.
    pub(super) fn keep(&mut self, stays: &[bool]) {
        match self {
            Labels::One(labels) => keep(labels, stays),
            Labels::Several(labels) => keep(labels, stays),
        }
    }

    /// A 1 for each label and a 0 for each other class, `[images, classes]`.
    pub fn multi_hot(&self, classes: usize) -> Vec<f32> {
        self.flags(classes).into_iter().map(|has| if has { 1.0 } else { 0.0 }).collect()
    }
}

impl Labels {
    /// Whether each image has each label, `[images, classes]`.
    pub fn flags(&self, classes: usize) -> Vec<bool> {
        let mut all = vec![false; self.len() * classes];
        for (row, labels) in all.chunks_mut(classes.max(1)).zip(self.iter()) {
            labels.iter().for_each(|label| row[*label as usize] = true);
        }
        all
    }
}

/// The names of `labels`, as they are written in one cell; empty for an image without a label.
pub fn written_labels(labels: &[u32], classes: &[String]) -> String {
    let names = labels.iter().filter_map(|label| classes.get(*label as usize));
    names.map(String::as_str).collect::<Vec<_>>().join(SEPARATOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_become_rows_of_zeros_and_ones() {
        let several = Labels::Several(vec![vec![0, 2], vec![], vec![1]]);
        assert_eq!(several.multi_hot(3), [1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        assert_eq!(Labels::One(vec![1, 0]).multi_hot(2), [0.0, 1.0, 1.0, 0.0]);
        let classes = ["cat", "dog", "sheep"].map(str::to_owned);
        let names: Vec<String> =
            several.iter().map(|labels| written_labels(labels, &classes)).collect();
        assert_eq!(names, ["cat|sheep", "", "dog"]);
    }

    #[test]
    fn labels_of_classes_that_take_no_part_are_left_out_and_the_others_stay_in_order() {
        let new = |label: u32| [Some(1), None, Some(0)][label as usize];
        let mut several = Labels::Several(vec![vec![0, 1, 2], vec![1]]);
        several.rename(9, new);
        assert_eq!(several, Labels::Several(vec![vec![0, 1], vec![]]));
        let mut one = Labels::One(vec![0, 1, 2]);
        one.rename(9, new);
        assert_eq!(one, Labels::One(vec![1, 9, 0]));
    }
}
