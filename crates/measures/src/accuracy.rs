//! Accuracy with its standard error, and the difference of two accuracies on the same images.

/// Which images a classifier had right that had not seen them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accuracy {
    right: Vec<bool>,
}

/// A difference of two accuracies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// The first less the second, −1 to 1.
    pub mean: f64,
    /// Standard error of `mean`; as large as `mean` where a single image makes the difference.
    pub standard_error: f64,
}

impl Accuracy {
    /// Of one answer for each image, in the images' order.
    pub fn new(right: Vec<bool>) -> Accuracy {
        Accuracy { right }
    }

    /// The answer for each image.
    pub fn right(&self) -> &[bool] {
        &self.right
    }

    /// Number of images.
    pub fn images(&self) -> usize {
        self.right.len()
    }

    /// Part of the images that are right, 0 to 1; 0 without images.
    pub fn value(&self) -> f64 {
        let right = self.right.iter().filter(|right| **right).count();
        right as f64 / self.right.len().max(1) as f64
    }

    /// Standard error of [`value`](Self::value) over images: √(p(1−p)/n).
    pub fn standard_error(&self) -> f64 {
        let value = self.value();
        (value * (1.0 - value) / self.right.len().max(1) as f64).sqrt()
    }

    /// By how much this accuracy is above `other`'s, image by image: images that both have right or
    /// both have wrong say nothing, so the standard error is smaller than that of two accuracies on
    /// different images (the paired comparison behind McNemar's test). None if the images are not
    /// the same number.
    pub fn above(&self, other: &Accuracy) -> Option<Difference> {
        if self.right.len() != other.right.len() {
            return None;
        }
        let images = self.right.len().max(1) as f64;
        let (mut won, mut lost) = (0.0, 0.0);
        for (this, other) in self.right.iter().zip(&other.right) {
            match (this, other) {
                (true, false) => won += 1.0,
                (false, true) => lost += 1.0,
                _ => {}
            }
        }
        let mean = (won - lost) / images;
        let variance = ((won + lost) / images - mean * mean).max(0.0);
        Some(Difference { mean, standard_error: (variance / (images - 1.0).max(1.0)).sqrt() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_counts_only_images_on_which_the_two_disagree() {
        let first = Accuracy::new(vec![true, true, true, false]);
        let second = Accuracy::new(vec![true, false, false, true]);
        let difference = first.above(&second).unwrap();
        assert!((difference.mean - 0.25).abs() < 1e-12);
        // The image-wise differences are 0, 1, 1, −1: variance 3/4 − 1/16 = 11/16, over n − 1.
        assert!((difference.standard_error - (11.0f64 / 16.0 / 3.0).sqrt()).abs() < 1e-12);
        let same = first.above(&first).unwrap();
        assert_eq!((same.mean, same.standard_error), (0.0, 0.0));
        assert_eq!(first.above(&Accuracy::new(vec![true])), None);
    }

    #[test]
    fn the_standard_error_is_the_binomial_one() {
        let accuracy = Accuracy::new(vec![true, true, true, false]);
        assert_eq!(accuracy.value(), 0.75);
        assert!((accuracy.standard_error() - (0.75f64 * 0.25 / 4.0).sqrt()).abs() < 1e-12);
        assert_eq!(Accuracy::new(Vec::new()).standard_error(), 0.0);
    }
}
