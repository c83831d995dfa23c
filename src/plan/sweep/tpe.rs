//! Tree-structured Parzen estimators: a value that is likely among the good observations and unlikely
//! among the others.
//!
//! Bergstra, Bardenet, Bengio and Kégl, "Algorithms for hyper-parameter optimization", 2011; each axis
//! by itself, with the choices of Optuna's `TPESampler` (Akiba et al., 2019; reviewed by Watanabe,
//! "Tree-structured Parzen estimator: understanding its algorithm components", 2023): its number of
//! good observations, its weights, its prior and its limits of widths.

use statrs::function::erf::erfc;

use crate::basis::seed::Stream;

use super::distribution::Line;

/// Values that are drawn from the good ones, of which the most promising is taken.
const CANDIDATES: usize = 24;

/// The newest observations count in full; older ones count less and less.
const NEWEST: usize = 25;

/// How many of `count` observations are the good ones.
pub(super) fn good(count: usize) -> usize {
    count.div_ceil(10).min(25)
}

/// A place on `line`, by the places of good and other observations, each in plan order.
pub(super) fn suggest(line: Line, good: &[f64], others: &[f64], stream: &mut Stream) -> f64 {
    let (good, others) = (Parzen::new(line, good), Parzen::new(line, others));
    let mut best = (f64::NEG_INFINITY, 0.0);
    for index in 0..CANDIDATES {
        let candidate = good.sample(stream);
        let gain = good.density(candidate).ln() - others.density(candidate).ln();
        if index == 0 || gain > best.0 {
            best = (gain, candidate);
        }
    }
    best.1
}

/// The density of observations and a prior.
enum Parzen {
    /// A mixture of normal distributions, cut to the line: weight, mean and deviation.
    Numbers { low: f64, high: f64, step: f64, kernels: Vec<[f64; 3]> },
    /// A probability for each choice.
    Choices(Vec<f64>),
}

impl Parzen {
    fn new(line: Line, observed: &[f64]) -> Parzen {
        let weights = weights(observed.len());
        match line {
            Line::Numbers { low, high, step } => {
                let deviations = deviations(low, high, observed);
                let mut kernels: Vec<[f64; 3]> = weights
                    .iter()
                    .zip(observed.iter().zip(deviations))
                    .map(|(weight, (mean, deviation))| [*weight, *mean, deviation])
                    .collect();
                kernels.push([weights[observed.len()], (low + high) / 2.0, high - low]);
                Parzen::Numbers { low, high, step, kernels }
            }
            Line::Choices(count) => {
                // Each observation is one vote on top of a prior that all share.
                let prior = 1.0 / (observed.len() + 1) as f64;
                let mut probabilities = vec![0.0; count];
                for (index, weight) in weights.iter().enumerate() {
                    let sum = if index < observed.len() {
                        1.0 + prior * count as f64
                    } else {
                        prior * count as f64
                    };
                    for (choice, probability) in probabilities.iter_mut().enumerate() {
                        let is_own = observed.get(index).is_some_and(|own| *own as usize == choice);
                        *probability += weight * (prior + f64::from(u8::from(is_own))) / sum;
                    }
                }
                Parzen::Choices(probabilities)
            }
        }
    }

    fn sample(&self, stream: &mut Stream) -> f64 {
        match self {
            Parzen::Choices(probabilities) => {
                pick(probabilities.iter().copied(), stream.uniform()) as f64
            }
            Parzen::Numbers { low, high, step, kernels } => {
                let kernel = pick(kernels.iter().map(|[weight, _, _]| *weight), stream.uniform());
                let [_, mean, deviation] = kernels[kernel];
                // The mean lies on the line, so at least a third of all draws do.
                loop {
                    let drawn = mean + deviation * stream.normal();
                    if (*low..=*high).contains(&drawn) {
                        return on_grid(drawn, *low, *high, *step);
                    }
                }
            }
        }
    }

    /// The density at a place, of whole numbers the probability.
    fn density(&self, at: f64) -> f64 {
        match self {
            Parzen::Choices(probabilities) => probabilities[at as usize],
            Parzen::Numbers { low, high, step, kernels } => kernels
                .iter()
                .map(|[weight, mean, deviation]| {
                    let up_to = |x: f64| normal_below((x - mean) / deviation);
                    let within = up_to(*high) - up_to(*low);
                    let density = if *step > 0.0 {
                        up_to(at + step / 2.0) - up_to(at - step / 2.0)
                    } else {
                        let z = (at - mean) / deviation;
                        (-0.5 * z * z).exp() / (deviation * std::f64::consts::TAU.sqrt())
                    };
                    weight * density / within
                })
                .sum(),
        }
    }
}

/// The weights of so many observations, oldest first, and of the prior behind them; they add up to 1.
fn weights(count: usize) -> Vec<f64> {
    let old = count.saturating_sub(NEWEST);
    let first = 1.0 / count.max(1) as f64;
    let mut weights: Vec<f64> = (0..count)
        .map(|index| match old {
            _ if index >= old => 1.0,
            1 => first,
            _ => first + (1.0 - first) * index as f64 / (old - 1) as f64,
        })
        .collect();
    weights.push(1.0);
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / sum).collect()
}

/// How wide the kernel of each observation is: as far as the farther of its neighbours, the prior's mean
/// among them, within limits.
fn deviations(low: f64, high: f64, observed: &[f64]) -> Vec<f64> {
    let width = high - low;
    let least = width / ((observed.len() + 2) as f64).min(100.0);
    let all: Vec<f64> = observed.iter().copied().chain([(low + high) / 2.0]).collect();
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by(|a, b| all[*a].total_cmp(&all[*b]));
    let mut deviations = vec![width; all.len()];
    for (place, index) in order.iter().enumerate() {
        // The outermost look at their one neighbour: the ends of the line are none.
        let below = place.checked_sub(1).map_or(0.0, |below| all[*index] - all[order[below]]);
        let above = order.get(place + 1).map_or(0.0, |above| all[*above] - all[*index]);
        deviations[*index] = below.max(above).clamp(least, width);
    }
    deviations.truncate(observed.len());
    deviations
}

/// The index into `weights`, which add up to 1, at the part `at` of the way.
fn pick(weights: impl Iterator<Item = f64>, at: f64) -> usize {
    let (mut sum, mut last) = (0.0, 0);
    for (index, weight) in weights.enumerate() {
        sum += weight;
        last = index;
        if at < sum {
            break;
        }
    }
    last
}

/// The nearest whole number on the line; any place where there are no steps.
fn on_grid(at: f64, low: f64, high: f64, step: f64) -> f64 {
    if step <= 0.0 {
        return at;
    }
    let first = low + step / 2.0;
    (first + step * ((at - first) / step).round()).clamp(first, high - step / 2.0)
}

/// The probability that a standard normal number is below `z`.
fn normal_below(z: f64) -> f64 {
    0.5 * erfc(-z / std::f64::consts::SQRT_2)
}
