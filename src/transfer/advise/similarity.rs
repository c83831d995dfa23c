//! Whether images are like those that a network has learned from.

use crate::measures::Difference;

/// Part of the best baseline's errors that similar images' last layer removes. With a fifth, features
/// that are about nothing but colour and edges do not pass, and a data set on which pixels already do
/// well is not called different for the few errors that are left.
pub const REMOVED: f64 = 0.2;

/// Part of the best layer's gain over the best baseline that is still there at the last layer. A tenth
/// may get lost on the way, as layers vary by about that where nothing is wrong. Networks trained on
/// photographs (SqueezeNet 1.1, MobileNetV2) keep 56 to 64 % on a thousand digits or pieces of
/// clothing, and 92 to 93 % on clip art of animals and things.
pub const KEPT: f64 = 0.9;

/// The numbers that similarity is judged by.
pub(super) struct Similarity {
    /// Accuracy of the best baseline.
    pub(super) baseline: f64,
    /// The last layer above the best baseline.
    pub(super) gain: Difference,
    /// The most accurate layer above the best baseline.
    pub(super) best_gain: f64,
    /// The most accurate layer above the last one.
    pub(super) fall: Difference,
    /// Whether the last layer can be told from the most accurate one.
    pub(super) falls: bool,
}

impl Similarity {
    /// Part of the baseline's errors that the last layer removes.
    pub(super) fn removed(&self) -> f64 {
        if self.baseline < 1.0 { self.gain.mean / (1.0 - self.baseline) } else { 0.0 }
    }

    /// Part of the best gain that the last layer keeps.
    pub(super) fn kept(&self) -> f64 {
        if self.best_gain <= 0.0 {
            0.0
        } else if self.falls {
            self.gain.mean / self.best_gain
        } else {
            1.0
        }
    }

    pub(super) fn holds(&self) -> bool {
        self.removed() >= REMOVED && self.kept() >= KEPT
    }

    /// The weaker of both conditions, each 0.5 at its border and 1 at all.
    pub(super) fn score(&self) -> f64 {
        let at = |value: f64, border: f64| {
            let value = value.clamp(0.0, 1.0);
            if value < border {
                0.5 * value / border
            } else {
                0.5 + 0.5 * (value - border) / (1.0 - border)
            }
        };
        at(self.removed(), REMOVED).min(at(self.kept(), KEPT))
    }

    /// Standard errors by which the verdict would have to be wrong: to be similar both conditions
    /// must hold, to be different one must not.
    pub(super) fn distance(&self) -> f64 {
        let removed =
            errors(self.gain.mean - REMOVED * (1.0 - self.baseline), self.gain.standard_error);
        let room = (1.0 - KEPT) * self.best_gain.max(0.0);
        // Equally good layers have room for noise of one standard error.
        let room = if self.falls { room } else { room.max(self.fall.standard_error) };
        let kept = errors(room - self.fall.mean, self.fall.standard_error);
        let least = removed.min(kept);
        if self.holds() { least } else { -least }
    }
}

/// `margin` in standard errors.
fn errors(margin: f64, standard_error: f64) -> f64 {
    if margin == 0.0 { 0.0 } else { margin / standard_error }
}
