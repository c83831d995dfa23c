//! Losses of images with any number of labels, forward and backward in one.

use candle_core::Result;
use candlewick_basis::loss::LossFunction;

use super::loss::{Loss, mean_of};
use super::tape::{Tape, Value, values};

/// The loss of logits against multi-hot targets: each class is a question of its own, answered by the sigmoid p of its
/// logit.
///
/// **Binary cross-entropy.** A target y costs `−w y log p − (1 − y) log (1 − p)`, where w is the class's weight: what it
/// costs to miss one of its labels, against 1 for a label too many. The mean is taken over images and classes, as
/// PyTorch's `BCEWithLogitsLoss` with `pos_weight`. Smoothing s makes `y (1 − s) + s / 2` of a target, as Keras's
/// `BinaryCrossentropy`.
///
/// **Focal loss.** `−w y (1 − p)^γ log p − (1 − y) p^γ log (1 − p)` (Lin et al., 2017), for targets of 0 and 1
/// torchvision's `sigmoid_focal_loss` with `alpha=-1`.
///
/// # Shapes
/// logits and targets `[batch, classes]`, targets in [0, 1], `class_weights` `[classes]`.
///
/// # Errors
/// If targets do not fit, or the function is the cross-entropy of a softmax, which gives one label to each image.
pub fn multi_label(
    tape: &mut Tape,
    logits: &Value,
    targets: &[f32],
    function: LossFunction,
    label_smoothing: f64,
    class_weights: Option<&[f64]>,
) -> Result<Loss> {
    let (batch, classes) = logits.tensor().dims2()?;
    let are_parts = targets.iter().all(|target| (0.0..=1.0).contains(target));
    if targets.len() != batch * classes || !are_parts {
        candle_core::bail!("{} targets do not fit logits {:?}", targets.len(), logits.dims());
    }
    let gamma = match function {
        LossFunction::Bce => 0.0,
        LossFunction::Focal(gamma) => gamma,
        LossFunction::CrossEntropy => {
            candle_core::bail!("the softmax of a row gives one label to an image, not several")
        }
    };
    let weight_of = |class: usize| class_weights.map_or(1.0, |weights| weights[class]);
    let mut sum = 0.0;
    // By the logits, not yet divided by the number of terms.
    let mut slopes = vec![0.0f32; batch * classes];
    {
        let logits = values(logits.tensor())?;
        let terms = logits.iter().zip(targets).zip(&mut slopes).enumerate();
        for (place, ((x, target), slope)) in terms {
            let weight = weight_of(place % classes);
            let target = f64::from(*target) * (1.0 - label_smoothing) + label_smoothing / 2.0;
            let (present, absent) = (term(f64::from(*x), gamma), term(-f64::from(*x), gamma));
            sum += weight * target * present.cost + (1.0 - target) * absent.cost;
            *slope = (weight * target * present.slope - (1.0 - target) * absent.slope) as f32;
        }
    }
    let weight = (batch * classes) as f64;
    mean_of(tape, logits, sum, weight, slopes)
}

/// `−(1 − p)^γ log p` of p = σ(x), and its slope by x.
struct Term {
    cost: f64,
    slope: f64,
}

fn term(x: f64, gamma: f64) -> Term {
    let small = libm::exp(-x.abs());
    // −log p = log (1 + e⁻ˣ), without overflow.
    let nll = (-x).max(0.0) + libm::log1p(small);
    let (p, rest) = match x >= 0.0 {
        true => (1.0 / (1.0 + small), small / (1.0 + small)),
        false => (small / (1.0 + small), 1.0 / (1.0 + small)),
    };
    if gamma == 0.0 {
        return Term { cost: nll, slope: -rest };
    }
    let factor = libm::pow(rest, gamma);
    Term { cost: factor * nll, slope: -factor * (gamma * p * nll + rest) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::{numbers, tensor};
    use crate::tests::{check, taken};

    const TARGETS: [f32; 12] = [1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.25, 1.0, 0.0, 0.75];

    #[test]
    fn losses_of_several_labels_have_the_gradients_of_finite_differences() {
        let weights = [0.5, 1.0, 2.0, 1.5];
        for function in [LossFunction::Bce, LossFunction::Focal(2.0), LossFunction::Focal(0.5)] {
            for (smoothing, weights) in [(0.0, None), (0.2, Some(&weights[..]))] {
                check(&[&[3, 4]], |tape, v| {
                    Ok(multi_label(tape, &v[0], &TARGETS, function, smoothing, weights)?.mean)
                });
            }
        }
    }

    #[test]
    fn losses_of_several_labels_are_those_of_pytorch() {
        let mut cases = 0;
        for line in include_str!("../../../tests/goldens/multi_label.csv").lines().skip(1) {
            let cells: Vec<&str> = line.split(',').collect();
            let list = |place: usize| -> Vec<f64> {
                cells[place].split_whitespace().map(|cell| cell.parse().unwrap()).collect()
            };
            let narrow = |place: usize| list(place).iter().map(|x| *x as f32).collect::<Vec<f32>>();
            let (gamma, smoothing) = (list(0)[0], list(1)[0]);
            let function =
                if gamma == 0.0 { LossFunction::Bce } else { LossFunction::Focal(gamma) };
            let weights = list(2);
            let weights = (!weights.is_empty()).then_some(&weights[..]);
            let logits = tensor(narrow(3), (3, 4)).unwrap();
            let mut tape = Tape::recording();
            let logits = tape.leaf(&logits, true);
            let loss =
                multi_label(&mut tape, &logits, &narrow(4), function, smoothing, weights).unwrap();
            let mean = numbers(loss.mean.tensor()).unwrap()[0];
            assert!((f64::from(mean) - list(5)[0]).abs() < 1e-6, "{line}: {mean}");
            let mut gradients = tape.backward(&loss.mean).unwrap();
            for (found, expected) in taken(&mut gradients, &logits).unwrap().iter().zip(list(6)) {
                assert!((f64::from(*found) - expected).abs() < 1e-6, "{line}: {found}");
            }
            cases += 1;
        }
        assert!(cases >= 8);
    }

    #[test]
    fn targets_that_do_not_fit_and_a_softmax_are_refused() {
        let mut tape = Tape::recording();
        let logits = tape.leaf(&tensor(vec![0.0; 12], (3, 4)).unwrap(), true);
        let mut said = |targets: &[f32], function| {
            multi_label(&mut tape, &logits, targets, function, 0.0, None).err().unwrap().to_string()
        };
        assert!(said(&TARGETS[1..], LossFunction::Bce).contains("11 targets do not fit"));
        assert!(said(&[1.5; 12], LossFunction::Bce).contains("do not fit"));
        assert!(said(&TARGETS, LossFunction::CrossEntropy).contains("one label"));
    }
}
