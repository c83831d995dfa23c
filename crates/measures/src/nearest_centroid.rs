//! The nearest centroid: which class's mean is closest (Rocchio's classifier; few-shot learning's
//! prototypes). It has nothing to tune and nothing to converge.

use super::accuracy::Accuracy;
use super::labelled::LabelledFeatures;

/// Leave-one-out accuracy of the nearest centroid (Euclidean distance) on standardised features:
/// every image is compared with the means of the classes without itself. An image that is alone in
/// its class is wrong. Of equal distances that of the first class counts.
pub fn nearest_centroid(features: &LabelledFeatures) -> Accuracy {
    let table = features.standardised();
    let (classes, width) = (features.classes(), features.width());
    let counts = features.counts();
    let mut centroids = vec![vec![0.0; width]; classes];
    for (image, label) in features.labels().iter().enumerate() {
        for (feature, sum) in centroids[*label as usize].iter_mut().enumerate() {
            *sum += table.at(image, feature);
        }
    }
    for (centroid, count) in centroids.iter_mut().zip(&counts) {
        for value in centroid {
            *value /= (*count).max(1) as f64;
        }
    }
    let mut row = vec![0.0; width];
    let right = features.labels().iter().enumerate().map(|(image, label)| {
        for (feature, value) in row.iter_mut().enumerate() {
            *value = table.at(image, feature);
        }
        let mut nearest = (f64::INFINITY, classes);
        for (class, centroid) in centroids.iter().enumerate() {
            let own = class == *label as usize;
            if counts[class] <= usize::from(own) {
                continue;
            }
            let mut distance: f64 =
                row.iter().zip(centroid).map(|(value, mean)| (value - mean) * (value - mean)).sum();
            if own {
                // Without the image its class's mean is further away by n/(n − 1).
                let count = counts[class] as f64;
                distance *= (count / (count - 1.0)).powi(2);
            }
            if distance < nearest.0 {
                nearest = (distance, class);
            }
        }
        nearest.1 == *label as usize
    });
    Accuracy::new(right.collect())
}
