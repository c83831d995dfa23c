//! The linear probe: how accurate a linear head on frozen features is (Alain and Bengio,
//! "Understanding intermediate layers using linear classifier probes", 2016), by multinomial logistic
//! regression, which is what training such a head comes to.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};

use super::accuracy::Accuracy;
use super::decomposition::Decomposition;
use super::folds::folds;
use super::labelled::{LabelledFeatures, Unmeasurable};
use super::lbfgs::minimise;

/// Parts of the cross-validation.
pub const FOLDS: usize = 5;

/// Steps of the solver at most.
const STEPS: usize = 500;

/// The gradient's largest component at the end, for each image.
const TOLERANCE: f64 = 1e-6;

/// Cross-validated accuracy ([`FOLDS`] stratified folds, dealt by `seed`) of multinomial logistic
/// regression on standardised features: least Σ cross-entropy + ½·‖weights‖², the biases free
/// (scikit-learn's `LogisticRegression(C=1)`). Means and deviations are those of all images, which
/// says nothing about labels.
///
/// # Errors
/// If the features cannot be decomposed.
pub fn linear_probe(features: &LabelledFeatures, seed: u64) -> Result<Accuracy, Unmeasurable> {
    let count = FOLDS.min(features.images());
    cross_validate(features, &folds(features.labels(), features.classes(), count, seed))
}

/// The same with the fold of each image given.
pub(super) fn cross_validate(
    features: &LabelledFeatures,
    fold: &[usize],
) -> Result<Accuracy, Unmeasurable> {
    // The penalty does not change when features are rotated, and weights outside the space of the
    // images' rows stay zero: 30,000 pixels of 500 images are 500 numbers each.
    let decomposition = Decomposition::of(&features.standardised())?;
    let (labels, classes) = (features.labels(), features.classes());
    let mut right = vec![false; features.images()];
    for part in 0..fold.iter().max().map_or(0, |last| last + 1) {
        let of = |wanted: bool| -> Vec<usize> {
            (0..labels.len()).filter(|image| (fold[*image] == part) == wanted).collect()
        };
        let (training, held_out) = (of(false), of(true));
        let design = design(&decomposition, &training);
        let answers: Vec<u32> = training.iter().map(|image| labels[*image]).collect();
        let weights = fit(design.as_ref(), &answers, classes, 1.0);
        let logits = self::design(&decomposition, &held_out) * &weights;
        for (row, image) in held_out.iter().enumerate() {
            let best = (0..classes).fold(0, |best, class| {
                if logits[(row, class)] > logits[(row, best)] { class } else { best }
            });
            right[*image] = best == labels[*image] as usize;
        }
    }
    Ok(Accuracy::new(right))
}

/// The scores of some images and a column of ones for the biases.
pub(super) fn design(decomposition: &Decomposition, images: &[usize]) -> Mat<f64> {
    let rank = decomposition.rank();
    Mat::from_fn(images.len(), rank + 1, |row, place| {
        if place < rank { decomposition.scores[(images[row], place)] } else { 1.0 }
    })
}

/// The weights of multinomial logistic regression with `penalty`/2·‖weights‖², columns of `design` × classes; its
/// last column is the bias's, which has no penalty.
pub(super) fn fit(design: MatRef<f64>, labels: &[u32], classes: usize, penalty: f64) -> Mat<f64> {
    let (images, columns) = (design.nrows(), design.ncols());
    let turned = design.transpose().to_owned();
    let mut errors = Mat::zeros(images, classes);
    // The columns are almost orthogonal, so the Hessian's diagonal at zero is a good guess: it makes
    // directions of very different variance alike.
    let spread = (1.0 - 1.0 / classes as f64) / classes as f64;
    let mut curvature = vec![0.0; columns * classes];
    for column in 0..columns {
        let squares: f64 = (0..images).map(|row| design[(row, column)].powi(2)).sum();
        for class in 0..classes {
            let own = if column + 1 < columns { penalty } else { 0.0 };
            curvature[class * columns + column] = own + spread * squares;
        }
    }
    let start = vec![0.0; columns * classes];
    let tolerance = TOLERANCE * images as f64;
    let weights = minimise(start, &curvature, tolerance, STEPS, |weights, gradient| {
        let weights = MatRef::from_column_major_slice(weights, columns, classes);
        let mut gradient = MatMut::from_column_major_slice_mut(gradient, columns, classes);
        matmul(errors.as_mut(), Accum::Replace, design, weights, 1.0, Par::Seq);
        let mut value = losses(errors.as_mut(), labels);
        matmul(gradient.as_mut(), Accum::Replace, turned.as_ref(), errors.as_ref(), 1.0, Par::Seq);
        for class in 0..classes {
            for column in 0..columns - 1 {
                let weight = weights[(column, class)];
                value += 0.5 * penalty * weight * weight;
                gradient[(column, class)] += penalty * weight;
            }
        }
        value
    });
    MatRef::from_column_major_slice(&weights, columns, classes).to_owned()
}

/// What [`fit`] makes least.
#[cfg(test)]
pub(super) fn objective(design: MatRef<f64>, weights: MatRef<f64>, labels: &[u32]) -> f64 {
    let penalised = weights.subrows(0, weights.nrows() - 1);
    losses((design * weights).as_mut(), labels) + 0.5 * penalised.squared_norm_l2()
}

/// Turns logits into softmax less the one-hot label; returns the sum of cross-entropies.
pub(super) fn losses(mut logits: MatMut<f64>, labels: &[u32]) -> f64 {
    let classes = logits.ncols();
    let mut total = 0.0;
    for (row, label) in labels.iter().enumerate() {
        let largest =
            (0..classes).fold(f64::NEG_INFINITY, |largest, c| largest.max(logits[(row, c)]));
        let own = logits[(row, *label as usize)] - largest;
        let mut sum = 0.0;
        for class in 0..classes {
            let exponential = libm::exp(logits[(row, class)] - largest);
            logits[(row, class)] = exponential;
            sum += exponential;
        }
        for class in 0..classes {
            logits[(row, class)] /= sum;
        }
        logits[(row, *label as usize)] -= 1.0;
        total += libm::log(sum) - own;
    }
    total
}
