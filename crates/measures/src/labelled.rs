//! LabelledFeatures: numbers that a frozen network has made of images, their labels, and what is wrong with them.

use std::ops::Range;

use faer::Mat;

/// Why a measure cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unmeasurable {
    /// No images or no features.
    #[error("there is nothing to measure: {images} images with {width} features each")]
    Empty {
        /// Number of labels.
        images: usize,
        /// LabelledFeatures per image.
        width: usize,
    },
    /// The values are no table with one row for each label.
    #[error("{values} values do not make equal rows for {images} images")]
    Ragged {
        /// Number of values.
        values: usize,
        /// Number of labels.
        images: usize,
    },
    /// A label is no class.
    #[error("image {image} has label {label}; labels are 0 to {} here", classes.saturating_sub(1))]
    Label {
        /// The image, counted from 0.
        image: usize,
        /// Its label.
        label: u32,
        /// The number of classes.
        classes: usize,
    },
    /// A value is infinite or not a number.
    #[error(
        "feature {feature} of image {image} is {value}: the network overflows on this image, or its weights are damaged"
    )]
    NotFinite {
        /// The image, counted from 0.
        image: usize,
        /// The feature, counted from 0.
        feature: usize,
        /// The value, as text.
        value: String,
    },
    /// All images are of one class.
    #[error("all {images} images have the same class; measuring needs at least two classes")]
    OneClass {
        /// Number of images.
        images: usize,
    },
    /// A row of probabilities is none.
    #[error(
        "the probabilities of image {image} are not between 0 and 1 with sum 1 (their sum is {sum})"
    )]
    NotProbabilities {
        /// The image, counted from 0.
        image: usize,
        /// What the row adds up to, as text.
        sum: String,
    },
    /// The eigenvalues of the features' Gram matrix did not converge.
    #[error(
        "the features cannot be decomposed: their eigenvalues do not converge. Their largest value is {largest}; features of very different sizes lose precision"
    )]
    Decomposition {
        /// The largest absolute value, as text.
        largest: String,
    },
}

/// The features of a labelled set of images, checked: finite, a label for every row, two classes or
/// more. A class may be without images, and a feature may be constant.
#[derive(Clone, Copy, Debug)]
pub struct LabelledFeatures<'a> {
    values: &'a [f32],
    labels: &'a [u32],
    classes: usize,
    width: usize,
}

impl<'a> LabelledFeatures<'a> {
    /// `values` are images × features, row by row; `labels` are below `classes`.
    ///
    /// # Errors
    /// If that does not hold, a value is not finite, or all images are of one class.
    pub fn new(
        values: &'a [f32],
        labels: &'a [u32],
        classes: usize,
    ) -> Result<LabelledFeatures<'a>, Unmeasurable> {
        let images = labels.len();
        if images == 0 || values.is_empty() {
            let width = values.len().checked_div(images).unwrap_or(0);
            return Err(Unmeasurable::Empty { images, width });
        }
        if !values.len().is_multiple_of(images) {
            return Err(Unmeasurable::Ragged { values: values.len(), images });
        }
        let width = values.len() / images;
        if let Some(image) = labels.iter().position(|label| *label as usize >= classes) {
            return Err(Unmeasurable::Label { image, label: labels[image], classes });
        }
        if let Some(place) = values.iter().position(|value| !value.is_finite()) {
            let (image, feature) = (place / width, place % width);
            return Err(Unmeasurable::NotFinite {
                image,
                feature,
                value: values[place].to_string(),
            });
        }
        if labels.iter().all(|label| *label == labels[0]) {
            return Err(Unmeasurable::OneClass { images });
        }
        Ok(LabelledFeatures { values, labels, classes, width })
    }

    /// Number of images.
    pub fn images(&self) -> usize {
        self.labels.len()
    }

    /// LabelledFeatures per image.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of classes, those without images too.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The class of every image.
    pub fn labels(&self) -> &'a [u32] {
        self.labels
    }

    /// The features of one image.
    pub(super) fn row(&self, image: usize) -> &'a [f32] {
        &self.values[image * self.width..][..self.width]
    }

    /// Images of each class.
    pub(super) fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes];
        for label in self.labels {
            counts[*label as usize] += 1;
        }
        counts
    }

    /// The features as they are.
    pub(super) fn raw(&self) -> Table<'a> {
        let width = self.width;
        Table { features: *self, shift: vec![0.0; width], scale: vec![1.0; width] }
    }

    /// Every feature less its mean.
    pub(super) fn centred(&self) -> Table<'a> {
        let mut shift = vec![0.0; self.width];
        for image in 0..self.images() {
            for (sum, value) in shift.iter_mut().zip(self.row(image)) {
                *sum += f64::from(*value);
            }
        }
        for mean in &mut shift {
            *mean /= self.images() as f64;
        }
        // The rounding of a mean must not make something of a feature that never varies.
        let first = self.row(0);
        let mut scale = vec![0.0; self.width];
        for image in 1..self.images() {
            for ((scale, value), first) in scale.iter_mut().zip(self.row(image)).zip(first) {
                if value != first {
                    *scale = 1.0;
                }
            }
        }
        Table { features: *self, shift, scale }
    }

    /// Every feature less its mean, in units of its standard deviation (over all images, divided by
    /// their number); a constant feature is 0.
    pub(super) fn standardised(&self) -> Table<'a> {
        let mut table = self.centred();
        let mut squares = vec![0.0; self.width];
        for image in 0..self.images() {
            for feature in 0..self.width {
                squares[feature] += table.at(image, feature).powi(2);
            }
        }
        for (scale, sum) in table.scale.iter_mut().zip(squares) {
            if sum > 0.0 {
                *scale = 1.0 / (sum / self.images() as f64).sqrt();
            }
        }
        table
    }
}

/// LabelledFeatures in f64, each shifted and scaled; made block by block, because a copy of all of them may
/// be large.
pub(super) struct Table<'a> {
    pub(super) features: LabelledFeatures<'a>,
    shift: Vec<f64>,
    scale: Vec<f64>,
}

impl Table<'_> {
    /// One value.
    pub(super) fn at(&self, image: usize, feature: usize) -> f64 {
        let value = f64::from(self.features.values[image * self.features.width + feature]);
        (value - self.shift[feature]) * self.scale[feature]
    }

    /// What is taken from the values of a feature, and what they are multiplied by then.
    pub(super) fn transform(&self, feature: usize) -> (f64, f64) {
        (self.shift[feature], self.scale[feature])
    }

    /// The values of some images and some features.
    pub(super) fn block(&self, images: Range<usize>, features: Range<usize>) -> Mat<f64> {
        Mat::from_fn(images.len(), features.len(), |row, column| {
            self.at(images.start + row, features.start + column)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_measured_is_refused_with_its_place() {
        let message = |values: &[f32], labels: &[u32], classes| {
            LabelledFeatures::new(values, labels, classes).unwrap_err().to_string()
        };
        assert!(message(&[], &[], 2).contains("nothing to measure"));
        assert!(message(&[], &[0, 1], 2).contains("2 images with 0 features"));
        assert!(message(&[1.0], &[], 2).contains("nothing to measure"));
        assert!(message(&[1.0; 5], &[0, 1], 2).contains("5 values do not make equal rows"));
        assert!(message(&[1.0; 4], &[0, 2], 2).contains("image 1 has label 2; labels are 0 to 1"));
        assert!(message(&[1.0; 4], &[1, 1], 2).contains("the same class"));
        let damaged = [1.0, 2.0, f32::NAN, 4.0];
        assert!(message(&damaged, &[0, 1], 2).contains("feature 0 of image 1 is NaN"));
        let overflown = [1.0, f32::INFINITY, 3.0, 4.0];
        assert!(message(&overflown, &[0, 1], 2).contains("feature 1 of image 0 is inf"));
    }

    #[test]
    fn standardised_features_have_mean_zero_and_deviation_one_and_constants_are_zero() {
        let values = [1.0, 0.1, 3.0, 0.1, 8.0, 0.1];
        let features = LabelledFeatures::new(&values, &[0, 1, 1], 2).unwrap();
        let block = features.standardised().block(0..3, 0..2);
        let sum: f64 = (0..3).map(|row| block[(row, 0)]).sum();
        let squares: f64 = (0..3).map(|row| block[(row, 0)].powi(2)).sum();
        assert!(sum.abs() < 1e-12 && (squares - 3.0).abs() < 1e-12);
        assert!((0..3).all(|row| block[(row, 1)] == 0.0));
    }
}
