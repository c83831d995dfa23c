//! Measures of how well the frozen features of a pretrained network, or predictions, fit a labelled set of images.
//!
//! Pure functions of features or probabilities and labels: they see no network, no file and no clock, and one thread
//! computes them in f64, so they are the same on any number of cores.

mod accuracy;
mod decomposition;
mod folds;
#[cfg(test)]
mod golden;
mod h_score;
pub mod label_predictions;
mod labelled;
mod lbfgs;
mod leep;
mod linear_head;
mod linear_probe;
mod logme;
mod nearest_centroid;
mod predictions;
mod principal_components;
#[cfg(test)]
mod properties;

pub use accuracy::{Accuracy, Difference};
pub use folds::{folds, sample};
pub use h_score::{HScore, h_score};
pub use label_predictions::{LabelCounts, LabelScores};
pub use labelled::{LabelledFeatures, Unmeasurable};
pub use leep::leep;
pub use linear_head::{LinearHead, PENALTIES, linear_head};
pub use linear_probe::{FOLDS, linear_probe};
pub use logme::logme;
pub use nearest_centroid::nearest_centroid;
pub use predictions::{BINS, PredictionScores};
pub use principal_components::PrincipalComponents;

/// Everything that is measured of the features at one depth of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Measures {
    /// Log evidence per image of a Bayesian linear model ([`logme`]); more is better.
    pub logme: f64,
    /// How far the classes' means lie apart in units of the features' covariance ([`h_score`]).
    pub h_score: HScore,
    /// Leave-one-out accuracy of the nearest centroid ([`nearest_centroid`]).
    pub nearest_centroid: Accuracy,
    /// Cross-validated accuracy of a linear head ([`linear_probe`]).
    pub linear: Accuracy,
}

/// Takes all measures that need nothing but features and labels; `seed` names the folds.
///
/// # Errors
/// If the features cannot be decomposed; see [`Unmeasurable`].
pub fn measure(features: &LabelledFeatures, seed: u64) -> Result<Measures, Unmeasurable> {
    Ok(Measures {
        logme: logme(features)?,
        h_score: h_score(features)?,
        nearest_centroid: nearest_centroid(features),
        linear: linear_probe(features, seed)?,
    })
}
