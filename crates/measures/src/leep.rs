//! LEEP: log expected empirical prediction (Nguyen, Hassner, Seeger and Archambeau, "LEEP: a new
//! measure to evaluate transferability of learned representations", ICML 2020).

use super::labelled::{LabelledFeatures, Unmeasurable};

/// How far a row of f32 probabilities may be from a sum of 1.
const SUM_TOLERANCE: f64 = 1e-3;

/// The mean log likelihood of the labels under "draw a source class z from the network's softmax,
/// then a label from P(label | z)", where P is counted on the same images. 0 is perfect; less is
/// worse, down to minus the labels' entropy for a network that says the same of every image.
///
/// The features are the probabilities of the network's own classes: images × source classes.
///
/// # Errors
/// If a row is no distribution.
pub fn leep(probabilities: &LabelledFeatures) -> Result<f64, Unmeasurable> {
    let (images, sources) = (probabilities.images(), probabilities.width());
    let mut joint = vec![0.0; probabilities.classes() * sources];
    let mut marginal = vec![0.0; sources];
    for (image, label) in probabilities.labels().iter().enumerate() {
        let row = probabilities.row(image);
        let sum: f64 = row.iter().map(|value| f64::from(*value)).sum();
        if row.iter().any(|value| *value < 0.0) || (sum - 1.0).abs() > SUM_TOLERANCE {
            return Err(Unmeasurable::NotProbabilities { image, sum: sum.to_string() });
        }
        let of_label = &mut joint[*label as usize * sources..][..sources];
        for ((joint, marginal), value) in of_label.iter_mut().zip(&mut marginal).zip(row) {
            *joint += f64::from(*value);
            *marginal += f64::from(*value);
        }
    }
    let mut total = 0.0;
    for (image, label) in probabilities.labels().iter().enumerate() {
        let of_label = &joint[*label as usize * sources..][..sources];
        let mut likelihood = 0.0;
        for ((joint, marginal), value) in
            of_label.iter().zip(&marginal).zip(probabilities.row(image))
        {
            if *marginal > 0.0 {
                likelihood += joint / marginal * f64::from(*value);
            }
        }
        // Not 0: the image itself is among those that were counted.
        total += libm::log(likelihood);
    }
    Ok(total / images as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_no_distribution_are_refused() {
        let negative = [1.5, -0.5, 0.5, 0.5];
        let short = [0.5, 0.5, 0.5, 0.4];
        for (values, image) in [(negative, 0), (short, 1)] {
            let features = LabelledFeatures::new(&values, &[0, 1], 2).unwrap();
            let message = leep(&features).unwrap_err().to_string();
            assert!(message.contains(&format!("image {image} ")), "{message}");
        }
    }

    #[test]
    fn a_perfect_source_scores_zero_and_a_blind_one_the_entropy_of_the_labels() {
        let labels = [0, 0, 1, 1, 1, 1, 0, 1];
        let perfect: Vec<f32> =
            labels.iter().flat_map(|l| if *l == 0 { [1.0, 0.0] } else { [0.0, 1.0] }).collect();
        let perfect = leep(&LabelledFeatures::new(&perfect, &labels, 2).unwrap()).unwrap();
        assert!(perfect.abs() < 1e-12);
        let blind = [0.25f32, 0.75].repeat(8);
        let blind = leep(&LabelledFeatures::new(&blind, &labels, 2).unwrap()).unwrap();
        let part = 3.0f64 / 8.0;
        let entropy = -(part * libm::log(part) + (1.0 - part) * libm::log(1.0 - part));
        assert!((blind + entropy).abs() < 1e-12);
    }
}
