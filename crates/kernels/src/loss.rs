//! Losses of classification, forward and backward in one.

use candle_core::Result;
use candlewick_basis::loss::LossFunction;

use super::multi_label::multi_label;
use super::tape::{Gradient, Tape, Value, tensor, values};

/// A batch's loss and the pieces that metrics are made of.
pub struct Loss {
    /// The weighted mean over the batch, as PyTorch's `cross_entropy`: a scalar.
    pub mean: Value,
    /// The sum of the weighted terms, in f64.
    pub sum: f64,
    /// The sum of the weights: `mean` is `sum` over this.
    pub weight: f64,
}

/// What the logits of a batch should say.
#[derive(Clone, Copy, Debug)]
pub enum Targets<'a> {
    /// One class for each image.
    Classes {
        /// The class of each image.
        labels: &'a [u32],
        /// For images that are mixtures of two: the class of each image's partner, and the part of each
        /// image that is its own, in [0, 1].
        partners: Option<(&'a [u32], f64)>,
    },
    /// Any number of classes for each image, `[batch, classes]`: 1 for each of its labels and 0 for the other classes,
    /// or what is between where images are mixtures.
    MultiHot(&'a [f32]),
}

impl<'a, T: AsRef<[u32]> + ?Sized> From<&'a T> for Targets<'a> {
    fn from(labels: &'a T) -> Targets<'a> {
        Targets::Classes { labels: labels.as_ref(), partners: None }
    }
}

/// Whether each of `labels` is the class of an image of the batch.
fn fit(labels: &[u32], batch: usize, classes: usize) -> bool {
    labels.len() == batch && labels.iter().all(|label| (*label as usize) < classes)
}

/// Cross-entropy of logits against labels: [`loss`] with [`LossFunction::CrossEntropy`].
pub fn cross_entropy<'a>(
    tape: &mut Tape,
    logits: &Value,
    targets: impl Into<Targets<'a>>,
    label_smoothing: f64,
    class_weights: Option<&[f64]>,
) -> Result<Loss> {
    let function = LossFunction::CrossEntropy;
    loss(tape, logits, targets, function, label_smoothing, class_weights)
}

/// The loss of logits against labels.
///
/// **Cross-entropy.** With weights w per class and smoothing s, an image of class y costs
/// `(1 − s) · w_y · nll_y + s / classes · Σ_c w_c · nll_c`, and the mean is taken over Σ w_y: the
/// definition of PyTorch's `cross_entropy`. An image that is λ of class y and 1 − λ of class z costs
/// (and weighs) λ times what it would as y and 1 − λ times what it would as z (Zhang et al.,
/// "mixup", 2018); without class weights that is PyTorch's loss for probabilities.
///
/// **Focal loss.** As cross-entropy, with `(1 − p_c)^γ · nll_c` in place of each `nll_c`.
///
/// **Binary cross-entropy.** The targets of all classes, smoothed and mixed as above, against the sigmoid of each
/// logit; the mean is taken over images and classes, as PyTorch's `binary_cross_entropy_with_logits` with `weight`.
///
/// **Several labels for an image** have [a loss of their own](multi_label), of the sigmoid of each logit.
///
/// # Shapes
/// logits `[batch, classes]`, one label < classes for each image, `class_weights` `[classes]`.
pub fn loss<'a>(
    tape: &mut Tape,
    logits: &Value,
    targets: impl Into<Targets<'a>>,
    function: LossFunction,
    label_smoothing: f64,
    class_weights: Option<&[f64]>,
) -> Result<Loss> {
    let (batch, classes) = logits.tensor().dims2()?;
    let (labels, partners) = match targets.into() {
        Targets::Classes { labels, partners } => (labels, partners),
        Targets::MultiHot(targets) => {
            return multi_label(tape, logits, targets, function, label_smoothing, class_weights);
        }
    };
    let are_mixed = partners
        .is_none_or(|(others, own)| fit(others, batch, classes) && (0.0..=1.0).contains(&own));
    if !fit(labels, batch, classes) || !are_mixed {
        candle_core::bail!("{} labels do not fit logits {:?}", labels.len(), logits.dims());
    }
    // The classes of an image and how much of it is of each.
    let wanted_of = |image: usize| {
        let own = labels[image] as usize;
        match partners {
            None => [(own, 1.0), (own, 0.0)],
            Some((others, share)) => [(own, share), (others[image] as usize, 1.0 - share)],
        }
    };
    let weight_of = |class: usize| class_weights.map_or(1.0, |weights| weights[class]);
    // Binary terms are weighed when they are added up, the others by their targets.
    let is_binary = function == LossFunction::Bce;
    let in_target = |class: usize| if is_binary { 1.0 } else { weight_of(class) };
    let spread = label_smoothing / classes as f64;
    let (mut sum, mut weight) = (0.0, 0.0);
    // The gradient of each term by the logits, not yet divided by the total weight.
    let mut slopes = vec![0.0f32; batch * classes];
    {
        // On a device, too: metrics need the logits on the processor anyway, and f64 is available there.
        let logits = values(logits.tensor())?;
        let rows = logits.chunks(classes).zip(slopes.chunks_mut(classes)).enumerate();
        let mut targets = vec![0.0; classes];
        for (image, (row, slopes)) in rows {
            let labels = wanted_of(image);
            for (class, target) in targets.iter_mut().enumerate() {
                *target = spread * in_target(class);
            }
            for (class, part) in labels {
                targets[class] += part * (1.0 - label_smoothing) * in_target(class);
            }
            sum += match function {
                LossFunction::CrossEntropy => nll(row, &targets, slopes),
                LossFunction::Focal(gamma) => focal(row, &targets, gamma, slopes),
                LossFunction::Bce => binary(row, &targets, weight_of, slopes),
            };
            weight += match is_binary {
                true => classes as f64,
                false => labels.iter().map(|(class, part)| part * weight_of(*class)).sum(),
            };
        }
    }
    mean_of(tape, logits, sum, weight, slopes)
}

/// The loss that is the mean of terms of `logits`: their `sum` over their `weight`. `slopes` are the gradients of the
/// terms by the logits, not yet divided by the weight.
pub(super) fn mean_of(
    tape: &mut Tape,
    logits: &Value,
    sum: f64,
    weight: f64,
    mut slopes: Vec<f32>,
) -> Result<Loss> {
    let mean = tensor(vec![(sum / weight) as f32], ())?;
    let mean = tape.record(mean, &[logits], move |gradient: Gradient, _| {
        let factor = (f64::from(gradient[0]) / weight) as f32;
        slopes.iter_mut().for_each(|slope| *slope *= factor);
        Ok(vec![Some(slopes)])
    });
    Ok(Loss { mean, sum, weight })
}

/// log Σ exp of a row.
fn log_total(row: &[f32]) -> f64 {
    let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f64 = row.iter().map(|x| libm::exp(f64::from(x - highest))).sum();
    libm::log(total) + f64::from(highest)
}

/// Cross-entropy of one image, and its slope by each logit.
fn nll(row: &[f32], targets: &[f64], slopes: &mut [f32]) -> f64 {
    let log_total = log_total(row);
    let mass: f64 = targets.iter().sum();
    for ((slope, x), target) in slopes.iter_mut().zip(row).zip(targets) {
        let probability = libm::exp(f64::from(*x) - log_total);
        *slope = (mass * probability - target) as f32;
    }
    // A target of 0 has no part, even where its log-probability is −∞.
    let terms = targets.iter().zip(row).filter(|(target, _)| **target > 0.0);
    terms.map(|(target, x)| target * (log_total - f64::from(*x))).sum()
}

/// Focal loss of one image, and its slope by each logit.
fn focal(row: &[f32], targets: &[f64], gamma: f64, slopes: &mut [f32]) -> f64 {
    let log_total = log_total(row);
    // By logits, the term of class c has the slope a_c (δ − p), where a_c is its slope by log p_c.
    let (mut sum, mut total) = (0.0, 0.0);
    let mut by_log = vec![0.0; row.len()];
    for ((x, target), a) in row.iter().zip(targets).zip(&mut by_log) {
        if *target <= 0.0 {
            continue;
        }
        let log_p = f64::from(*x) - log_total;
        let p = libm::exp(log_p);
        let rest = 1.0 - p;
        let factor = libm::pow(rest, gamma);
        sum += target * factor * -log_p;
        // γ (1 − p)^(γ−1) p log p − (1 − p)^γ; at p = 1 the first part has the limit 0.
        let bent = if rest > 0.0 { gamma * factor / rest * p * log_p } else { 0.0 };
        *a = target * (bent - factor);
        total += *a;
    }
    for ((slope, x), a) in slopes.iter_mut().zip(row).zip(&by_log) {
        let probability = libm::exp(f64::from(*x) - log_total);
        *slope = (a - total * probability) as f32;
    }
    sum
}

/// Binary cross-entropies of one image, and their slope by each logit.
fn binary(
    row: &[f32],
    targets: &[f64],
    weight_of: impl Fn(usize) -> f64,
    slopes: &mut [f32],
) -> f64 {
    let mut sum = 0.0;
    for (class, ((x, target), slope)) in row.iter().zip(targets).zip(slopes).enumerate() {
        let x = f64::from(*x);
        let small = libm::exp(-x.abs());
        // log(1 + eˣ) − y x.
        sum += weight_of(class) * (x.max(0.0) + libm::log1p(small) - target * x);
        let sigmoid = if x >= 0.0 { 1.0 / (1.0 + small) } else { small / (1.0 + small) };
        *slope = (weight_of(class) * (sigmoid - target)) as f32;
    }
    sum
}
