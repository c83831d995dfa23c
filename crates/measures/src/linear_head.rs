//! A linear head fitted to features: multinomial logistic regression whose penalty cross-validation has chosen, as
//! scikit-learn's `LogisticRegressionCV` does.

use faer::Mat;

use super::decomposition::Decomposition;
use super::folds::folds;
use super::labelled::{LabelledFeatures, Unmeasurable};
use super::linear_probe::{FOLDS, design, fit, losses};

/// Penalties that are tried, the strongest first: λ of least Σ cross-entropy + λ/2·‖weights‖² on standardised
/// features; scikit-learn's C is 1/λ.
pub const PENALTIES: [f64; 5] = [1000.0, 100.0, 10.0, 1.0, 0.1];

/// Features that are taken out of f32 at a time.
const BLOCK: usize = 256;

/// A dense layer for features as they are.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearHead {
    /// Classes × features, row by row.
    pub weights: Vec<f32>,
    /// One for each class.
    pub bias: Vec<f32>,
    /// The penalty that was chosen, one of [`PENALTIES`].
    pub penalty: f64,
}

/// The head that is fitted to all images, with the penalty that gives the least cross-entropy over [`FOLDS`]
/// stratified folds, dealt by `seed`; of equals the strongest.
///
/// # Errors
/// If the features cannot be decomposed.
pub fn linear_head(features: &LabelledFeatures, seed: u64) -> Result<LinearHead, Unmeasurable> {
    let (images, width) = (features.images(), features.width());
    let (labels, classes) = (features.labels(), features.classes());
    let table = features.standardised();
    let decomposition = Decomposition::of(&table)?;
    let dealt = folds(labels, classes, FOLDS.min(images), seed);
    let mut best = (f64::INFINITY, PENALTIES[0]);
    for penalty in PENALTIES {
        let loss = held_out_loss(&decomposition, labels, classes, &dealt, penalty);
        if loss < best.0 {
            best = (loss, penalty);
        }
    }
    let penalty = best.1;
    let all: Vec<usize> = (0..images).collect();
    let fitted = fit(design(&decomposition, &all).as_ref(), labels, classes, penalty);
    // From the space of the images' rows, F·V = U·S, to features: V·w = Fᵀ·(U·S)·S⁻²·w.
    let rank = decomposition.rank();
    let scaled =
        Mat::from_fn(rank, classes, |row, class| fitted[(row, class)] / decomposition.squares[row]);
    let of_images = &decomposition.scores * &scaled;
    let mut weights = vec![0.0; classes * width];
    let mut bias: Vec<f64> = (0..classes).map(|class| fitted[(rank, class)]).collect();
    for start in (0..width).step_by(BLOCK) {
        let end = (start + BLOCK).min(width);
        let block = table.block(0..images, start..end).transpose() * &of_images;
        for feature in start..end {
            let (shift, scale) = table.transform(feature);
            for class in 0..classes {
                let weight = block[(feature - start, class)] * scale;
                weights[class * width + feature] = weight as f32;
                bias[class] -= weight * shift;
            }
        }
    }
    Ok(LinearHead { weights, bias: bias.into_iter().map(|it| it as f32).collect(), penalty })
}

/// Cross-entropy of the images of each fold by the head that is fitted to the others.
fn held_out_loss(
    decomposition: &Decomposition,
    labels: &[u32],
    classes: usize,
    dealt: &[usize],
    penalty: f64,
) -> f64 {
    let mut loss = 0.0;
    for fold in 0..FOLDS.min(labels.len()) {
        let part = |is_in: bool| -> (Mat<f64>, Vec<u32>) {
            let of = |image: &usize| (dealt[*image] == fold) == is_in;
            let images: Vec<usize> = (0..labels.len()).filter(of).collect();
            let answers = images.iter().map(|image| labels[*image]).collect();
            (design(decomposition, &images), answers)
        };
        let ((learnt, answers), (held_out, truth)) = (part(false), part(true));
        let weights = fit(learnt.as_ref(), &answers, classes, penalty);
        loss += losses((held_out * &weights).as_mut(), &truth);
    }
    loss
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlewick_basis::seed;

    /// Images of three classes around random centres, `apart` deviations of the noise away from each other, whose
    /// features have units of their own.
    fn clouds(images: usize, width: usize, apart: f64) -> (Vec<f32>, Vec<u32>) {
        let mut stream = seed::derive(5, "clouds", &[]);
        let centres: Vec<f64> = (0..3 * width).map(|_| apart * stream.normal()).collect();
        let labels: Vec<u32> = (0..images).map(|image| image as u32 % 3).collect();
        let value = |(image, feature): (usize, usize), noise: f64| {
            let centre = centres[image % 3 * width + feature];
            ((centre + noise) * 10f64.powi(feature as i32 % 4) + 3.0) as f32
        };
        let places = (0..images).flat_map(|image| (0..width).map(move |feature| (image, feature)));
        (places.map(|place| value(place, stream.normal())).collect(), labels)
    }

    /// Scores of each class for one image.
    fn logits(head: &LinearHead, row: &[f32]) -> Vec<f64> {
        let product = |weights: &[f32]| -> f64 {
            weights.iter().zip(row).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum()
        };
        let rows = head.weights.chunks(row.len()).zip(&head.bias);
        rows.map(|(weights, bias)| product(weights) + f64::from(*bias)).collect()
    }

    #[test]
    fn the_head_takes_features_as_they_are_and_gives_what_was_fitted_to_standardised_ones() {
        // Fewer images than features, and more.
        for (images, width) in [(30, 50), (90, 7)] {
            let (values, labels) = clouds(images, width, 1.0);
            let features = LabelledFeatures::new(&values, &labels, 4).unwrap();
            let head = linear_head(&features, 1).unwrap();
            let table = features.standardised();
            let design = Mat::from_fn(images, width + 1, |image, feature| {
                if feature < width { table.at(image, feature) } else { 1.0 }
            });
            let expected = &design * fit(design.as_ref(), &labels, 4, head.penalty);
            for (image, row) in values.chunks(width).enumerate() {
                let found = logits(&head, row);
                // The bias of the class without images goes on falling: what matters is what the others are.
                for class in 1..3 {
                    let expected = expected[(image, class)] - expected[(image, 0)];
                    let found = found[class] - found[0];
                    assert!((found - expected).abs() < 2e-2 * (1.0 + expected.abs()), "{image}");
                }
            }
        }
    }

    #[test]
    fn noise_is_held_down_and_what_is_clear_is_not() {
        let penalty = |apart: f64| {
            let (values, labels) = clouds(60, 40, apart);
            let features = LabelledFeatures::new(&values, &labels, 3).unwrap();
            linear_head(&features, 1).unwrap().penalty
        };
        assert_eq!(penalty(0.0), PENALTIES[0]);
        assert!(penalty(1.0) < PENALTIES[0]);
    }
}
