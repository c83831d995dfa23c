//! LogME: the log evidence of a Bayesian linear model (You, Liu, Wang and Long, "LogME: practical
//! assessment of pre-trained models for transfer learning", ICML 2021; the fixed point is that of
//! "Ranking and tuning pre-trained models", JMLR 2022).

use super::decomposition::Decomposition;
use super::labelled::{LabelledFeatures, Unmeasurable};

/// Steps of the fixed point at most; it mostly takes ten.
const STEPS: usize = 1000;

/// The ratio of the two precisions has converged when its logarithm moves by less than this.
const CONVERGED: f64 = 1e-10;

/// How far the ratio of the precisions may be from the largest squared singular value, in powers of
/// ten.
const DECADES: i32 = 12;

/// The largest log evidence per image of "label = features · weights + noise", the mean over
/// one-against-all labels (0 or 1) of the classes that have images. More is better; only values on
/// the same images compare. Not centred, not scaled, as in the paper.
///
/// With weights of precision α and noise of precision β the evidence of a vector of labels y is that
/// of a normal distribution with covariance (F·Fᵀ + t)/α, where t = α/β. The best α follows from t,
/// and t from MacKay's fixed point. The authors' code starts from t = 1, which may lead to a smaller
/// peak that depends on the features' unit, and adds (d − rank)/2 · ln α where there are more
/// features than images; the evidence has no such term.
///
/// # Errors
/// If the features cannot be decomposed.
pub fn logme(features: &LabelledFeatures) -> Result<f64, Unmeasurable> {
    let decomposition = Decomposition::of(&features.raw())?;
    let counts = features.counts();
    let sums = decomposition.class_sums(features.labels(), features.classes());
    let (mut total, mut present) = (0.0, 0.0);
    for (class, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let model = Model {
            images: features.images() as f64,
            squares: &decomposition.squares,
            // Uᵀy from (U·S)ᵀy.
            along: (0..decomposition.rank())
                .map(|place| sums[(class, place)].powi(2) / decomposition.squares[place])
                .collect(),
            labels: *count as f64,
        };
        total += model.evidence();
        present += 1.0;
    }
    Ok(total / present)
}

/// One class against all.
struct Model<'a> {
    /// n.
    images: f64,
    /// Squared singular values of the features.
    squares: &'a [f64],
    /// (Uᵀy)², one for each of them.
    along: Vec<f64>,
    /// yᵀy, the number of ones.
    labels: f64,
}

impl Model<'_> {
    /// Directions in which the features do not reach.
    fn beyond(&self) -> f64 {
        self.images - self.squares.len() as f64
    }

    /// What of y lies in those directions.
    fn residual(&self) -> f64 {
        if self.beyond() == 0.0 {
            return 0.0;
        }
        (self.labels - self.along.iter().sum::<f64>()).max(0.0)
    }

    /// The largest log evidence per image.
    fn evidence(&self) -> f64 {
        let Some(largest) = self.squares.first() else { return self.at(1.0) };
        // The evidence may have several peaks, and the fixed point finds that of its start: the
        // best power of ten. Beyond these it is flat: no noise, or no weights.
        let powers = (-DECADES..=DECADES).map(|power| largest * 10.0f64.powi(power));
        let (least, most) = (largest * 10.0f64.powi(-DECADES), largest * 10.0f64.powi(DECADES));
        let mut ratio = powers.max_by(|a, b| self.at(*a).total_cmp(&self.at(*b))).unwrap_or(most);
        for _ in 0..STEPS {
            let next = self.step(ratio);
            // Nothing to explain or nothing explained.
            let next = if next.is_nan() { most } else { next.clamp(least, most) };
            let moved = libm::log(next / ratio).abs();
            ratio = next;
            if moved < CONVERGED {
                break;
            }
        }
        self.at(ratio)
    }

    /// MacKay's update of t = α/β: α = γ/‖m‖², β = (n − γ)/‖F·m − y‖².
    fn step(&self, ratio: f64) -> f64 {
        let (mut explained, mut free) = (0.0, self.beyond());
        let (mut weights, mut residual) = (0.0, self.residual());
        for (square, along) in self.squares.iter().zip(&self.along) {
            let sum = square + ratio;
            explained += square / sum;
            free += ratio / sum;
            weights += square * along / (sum * sum);
            residual += ratio * ratio * along / (sum * sum);
        }
        explained * residual / (free * weights)
    }

    /// The log evidence per image for t = `ratio` and the best α for it.
    fn at(&self, ratio: f64) -> f64 {
        let mut quadratic = self.residual() / ratio;
        let mut determinant = self.beyond() * libm::log(ratio);
        for (square, along) in self.squares.iter().zip(&self.along) {
            quadratic += along / (square + ratio);
            determinant += libm::log(square + ratio);
        }
        let scale = self.images * libm::log(quadratic / self.images);
        let constant = self.images * (1.0 + libm::log(std::f64::consts::TAU));
        -0.5 * (determinant + scale + constant) / self.images
    }
}
