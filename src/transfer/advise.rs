//! Which of the four cases of transfer learning a data set is in, judged by what was measured.
//!
//! **Size** is a border in images ([`Border`]). **Similarity** is judged by the accuracy of a linear
//! head on the pretrained network's frozen features, depth by depth. Where the new images are like
//! those that the network has learned from, features get better up to the last layer and beat by far
//! what is there without any learning (the pixels, the same network with random weights). Where they
//! are not, accuracy peaks at an earlier layer and falls behind it, because the last layers are about
//! other things (Yosinski, Clune, Bengio and Lipson, "How transferable are features in deep neural
//! networks?", 2014), or no layer is worth much. So images are similar if the last layer
//!
//! - removes at least [`REMOVED`] of the errors of the best baseline, and
//! - keeps at least [`KEPT`] of the gain of the best layer, or cannot be told from it.
//!
//! All differences are taken image by image, with their standard errors; within one standard error
//! two layers count as equally good.

use crate::plan::transfer::{BORDER, Case};

use crate::measures::{Accuracy, Difference, Measures};

mod reasons;
mod similarity;
#[cfg(test)]
mod tests;

use similarity::Similarity;
pub use similarity::{KEPT, REMOVED};

/// Standard errors from a border at which a judgement is clear: about 95 % of chance stays within.
const CLEAR: f64 = 2.0;

/// Standard errors from a border at which a judgement is likely.
const LIKELY: f64 = 1.0;

/// How many times the border a clearly large set has, or goes into it a clearly small one.
const CLEAR_TIMES: f64 = 3.0;

/// The same for a set that is likely large or small.
const LIKELY_TIMES: f64 = 1.5;

/// Where a small set of images ends and a large one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Border {
    /// Training images from which on a set is large.
    pub images: usize,
}

impl Default for Border {
    /// [`BORDER`].
    fn default() -> Border {
        Border { images: BORDER }
    }
}

/// What was measured at one depth of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Depth {
    /// The layer whose output the features are.
    pub layer: String,
    /// Features per image.
    pub width: usize,
    /// The measures of these features.
    pub measures: Measures,
}

/// All that advice is made of. All measures are of the same images in the same order.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// Training images, of which the measures may have seen a sample.
    pub images: usize,
    /// Classes.
    pub classes: usize,
    /// Where large begins.
    pub border: Border,
    /// The pretrained network, nearest to the image first; the last one is what its own head sees.
    pub depths: Vec<Depth>,
    /// The pixels themselves.
    pub pixels: Measures,
    /// The same network with random weights, at any of its depths; may be empty.
    pub random: Vec<Depth>,
}

/// Why there is no advice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAdvice {
    /// The network has no depths.
    #[error(
        "no layer of the network was measured; advice needs the features of at least one layer"
    )]
    NoDepths,
    /// Two measures are not of the same images.
    #[error(
        "{layer} was measured on {found} images and the pixels on {pixels}; measures are only comparable on the \
         same images"
    )]
    OtherImages {
        /// The layer.
        layer: String,
        /// Its number of images.
        found: usize,
        /// The number of images whose pixels were measured.
        pixels: usize,
    },
}

/// How far a judgement is from its border.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// On the border: the other answer is as good.
    Open,
    /// Probably right.
    Likely,
    /// Far from the border.
    Clear,
}

impl Confidence {
    /// The name in files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Confidence::Open => "open",
            Confidence::Likely => "likely",
            Confidence::Clear => "clear",
        }
    }

    /// Of a distance, clear from `clear` on and likely from `likely` on.
    fn of(distance: f64, clear: f64, likely: f64) -> Confidence {
        if distance >= clear {
            Confidence::Clear
        } else if distance >= likely {
            Confidence::Likely
        } else {
            Confidence::Open
        }
    }
}

/// What to do, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Advice {
    /// The case.
    pub case: Case,
    /// Whether there are enough images to be large.
    pub large: bool,
    /// How sure that is.
    pub size_confidence: Confidence,
    /// Whether the images are like those the network knows.
    pub similar: bool,
    /// 0 (nothing in common) to 1; images are similar from 0.5 on.
    pub similarity: f64,
    /// How sure that is.
    pub similarity_confidence: Confidence,
    /// The depth behind which to cut for a new head on frozen features: the deepest that is within
    /// one standard error of the most accurate one. An index into [`Evidence::depths`].
    pub cut: usize,
    /// The most accurate depth; the deepest of equals.
    pub peak: usize,
    /// Why, a sentence each.
    pub reasons: Vec<String>,
    /// What the case says to do.
    pub recommendation: String,
}

/// Judges what was measured.
///
/// # Errors
/// If no depth was measured, or not all measures are of the same images.
pub fn advise(evidence: &Evidence) -> Result<Advice, NoAdvice> {
    let Some(last) = evidence.depths.len().checked_sub(1) else { return Err(NoAdvice::NoDepths) };
    let linear = |depth: usize| &evidence.depths[depth].measures.linear;
    let pixels = &evidence.pixels.linear;
    for depth in evidence.depths.iter().chain(&evidence.random) {
        let (found, pixels) = (depth.measures.linear.images(), pixels.images());
        if found != pixels {
            return Err(NoAdvice::OtherImages { layer: depth.layer.clone(), found, pixels });
        }
    }
    let peak = (0..=last).fold(0, |best, depth| {
        if linear(depth).value() >= linear(best).value() { depth } else { best }
    });
    let cut = (0..=last).rfind(|depth| as_good(linear(*depth), linear(peak))).unwrap_or(peak);
    let (baseline, baseline_name) = baseline(evidence);
    let similarity = Similarity {
        baseline: baseline.value(),
        gain: difference(linear(last), baseline),
        best_gain: linear(peak).value() - baseline.value(),
        fall: difference(linear(peak), linear(last)),
        falls: cut != last,
    };
    let large = evidence.images >= evidence.border.images;
    let similar = similarity.holds();
    let case = Case::of(large, similar);
    let times = evidence.images.max(1) as f64 / evidence.border.images.max(1) as f64;
    let mut reasons = vec![
        reasons::size(evidence, large),
        reasons::gain(&evidence.depths[last], baseline, &baseline_name, &similarity),
        reasons::depth(evidence, peak, cut, &similarity),
    ];
    reasons.extend(reasons::learning(evidence, peak));
    reasons.push(reasons::other_measures(evidence));
    Ok(Advice {
        case,
        large,
        size_confidence: Confidence::of(times.max(1.0 / times), CLEAR_TIMES, LIKELY_TIMES),
        similar,
        similarity: similarity.score(),
        similarity_confidence: Confidence::of(similarity.distance(), CLEAR, LIKELY),
        cut,
        peak,
        reasons,
        recommendation: reasons::recommendation(
            case,
            &evidence.depths[cut],
            &evidence.depths[last],
        ),
    })
}

/// Of the same number of images, which [`advise`] has made sure of.
fn difference(this: &Accuracy, other: &Accuracy) -> Difference {
    this.above(other).unwrap_or(Difference { mean: 0.0, standard_error: f64::INFINITY })
}

/// Whether `this` is within one standard error of `best`; rounding must not tell layers apart that
/// differ on one image.
fn as_good(this: &Accuracy, best: &Accuracy) -> bool {
    let below = difference(best, this);
    below.mean <= below.standard_error * (1.0 + 1e-9)
}

/// The most accurate of what is there without any learning, and its name.
fn baseline(evidence: &Evidence) -> (&Accuracy, String) {
    let mut best = (&evidence.pixels.linear, "the pixels".to_owned());
    for depth in &evidence.random {
        if depth.measures.linear.value() > best.0.value() {
            best = (&depth.measures.linear, format!("{} with random weights", depth.layer));
        }
    }
    best
}
