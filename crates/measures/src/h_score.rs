//! H-score: how much of the features' variance lies between classes, in every direction measured by
//! the variance there (Bao, Li, Huang, Zhang, Zheng, Zamir and Guibas, "An information-theoretic
//! approach to transferability in task transfer learning", ICIP 2019), and its shrunk form (Ibrahim,
//! Ponomareva and Mazumder, "Newer is not always better", ECML PKDD 2022).

use super::decomposition::Decomposition;
use super::labelled::{LabelledFeatures, Unmeasurable};

/// The H-score of features; both forms lie between 0 and classes − 1, more is better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HScore {
    /// tr(cov(F)⁺ · cov(E[F | class])). Says nothing where there are about as many features as
    /// images: it is then classes − 1 for any labels.
    pub plain: f64,
    /// The same with Ledoit and Wolf's estimate of the covariance, (1 − s)·cov(F) + s·μ·I, times
    /// 1 − s: this one can be trusted with many features.
    pub shrunk: f64,
    /// Ledoit and Wolf's s, 0 to 1: how little the images say of the covariance.
    pub shrinkage: f64,
}

/// The H-score; all covariances are divided by the number of images.
///
/// # Errors
/// If the features cannot be decomposed.
pub fn h_score(features: &LabelledFeatures) -> Result<HScore, Unmeasurable> {
    let decomposition = Decomposition::of(&features.centred())?;
    let (images, width) = (features.images() as f64, features.width() as f64);
    let variances: Vec<f64> = decomposition.squares.iter().map(|square| square / images).collect();
    if variances.is_empty() {
        return Ok(HScore { plain: 0.0, shrunk: 0.0, shrinkage: 0.0 });
    }
    let mean_variance = variances.iter().sum::<f64>() / width;
    let shrinkage = shrinkage(&decomposition, &variances, images, width);
    let sums = decomposition.class_sums(features.labels(), features.classes());
    let counts = features.counts();
    let (mut plain, mut shrunk) = (0.0, 0.0);
    for (place, variance) in variances.iter().enumerate() {
        let between: f64 = (0..features.classes())
            .filter(|class| counts[*class] > 0)
            .map(|class| sums[(class, place)].powi(2) / counts[class] as f64 / images)
            .sum();
        plain += between / variance;
        shrunk += (1.0 - shrinkage) * between
            / ((1.0 - shrinkage) * variance + shrinkage * mean_variance);
    }
    Ok(HScore { plain, shrunk, shrinkage })
}

/// Ledoit and Wolf's shrinkage ("A well-conditioned estimator for large-dimensional covariance
/// matrices", 2004), as scikit-learn computes it: everything in it is a function of distances, so
/// the scores serve as well as the features.
fn shrinkage(decomposition: &Decomposition, variances: &[f64], images: f64, width: f64) -> f64 {
    let scores = &decomposition.scores;
    let fourth: f64 = (0..scores.nrows())
        .map(|image| {
            let squares: f64 =
                (0..scores.ncols()).map(|place| scores[(image, place)].powi(2)).sum();
            squares * squares
        })
        .sum();
    let squares: f64 = variances.iter().map(|variance| variance * variance).sum();
    let mean = variances.iter().sum::<f64>() / width;
    let noise = (fourth / images - squares) / (images * width);
    let spread = (squares - width * mean * mean) / width;
    let noise = noise.min(spread);
    if noise <= 0.0 { 0.0 } else { noise / spread }
}
