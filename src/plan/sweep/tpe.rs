//! Tree-structured Parzen estimators: a value that is likely among the good observations and unlikely
//! among the others.
//!
//! Bergstra, Bardenet, Bengio and Kégl, "Algorithms for hyper-parameter optimization", 2011; each axis
//! by itself, with the choices of Optuna's `TPESampler` (Akiba et al., 2019; reviewed by Watanabe,
//! "Tree-structured Parzen estimator: understanding its algorithm components", 2023): its number of
//! good observations, its weights, its prior and its limits of widths.

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
        let gain = libm::log(good.density(candidate)) - libm::log(others.density(candidate));
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
                        libm::exp(-0.5 * z * z) / (deviation * std::f64::consts::TAU.sqrt())
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

/// How wide the kernel of each observation is: as far as the farther of its neighbours, within limits.
fn deviations(low: f64, high: f64, observed: &[f64]) -> Vec<f64> {
    let width = high - low;
    let least = width / ((observed.len() + 2) as f64).min(100.0);
    let mut order: Vec<usize> = (0..observed.len()).collect();
    order.sort_by(|a, b| observed[*a].total_cmp(&observed[*b]));
    let mut deviations = vec![width; observed.len()];
    for (place, index) in order.iter().enumerate() {
        let own = observed[*index];
        let below = place.checked_sub(1).map(|below| own - observed[order[below]]);
        let above = order.get(place + 1).map(|above| observed[*above] - own);
        deviations[*index] = match (below, above) {
            (Some(below), Some(above)) => below.max(above),
            // The outermost look at their one neighbour, and one that has none at the ends of the line.
            (Some(distance), None) | (None, Some(distance)) => distance,
            (None, None) => (own - low).max(high - own),
        }
        .clamp(least, width);
    }
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
    0.5 * libm::erfc(-z / std::f64::consts::SQRT_2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::basis::seed::derive;

    fn densities(line: Line, observed: &[f64], at: &[f64]) -> Vec<f64> {
        let parzen = Parzen::new(line, observed);
        at.iter().map(|at| parzen.density(*at)).collect()
    }

    #[test]
    fn densities_are_those_of_optuna() {
        // `_ParzenEstimator` of Optuna 5.0.0, univariate, with the defaults of `TPESampler`.
        let unit = Line::Numbers { low: 0.0, high: 1.0, step: 0.0 };
        let logarithms = Line::Numbers { low: libm::log(1e-4), high: libm::log(1e-1), step: 0.0 };
        let even = Line::Numbers { low: 1.0, high: 11.0, step: 2.0 };
        let ln =
            |values: &[f64]| -> Vec<f64> { values.iter().map(|value| libm::log(*value)).collect() };
        let many: Vec<f64> = (0..30).map(|i| f64::from(i * 37 % 101) / 101.0).collect();
        let cases = [
            (
                densities(unit, &[0.2, 0.3, 0.3, 0.9], &[0.0, 0.25, 0.6, 1.0]),
                vec![0.837893622889, 1.574523807116, 0.776932169319, 0.564752904619],
            ),
            (
                densities(logarithms, &ln(&[1e-3, 2e-3, 5e-2]), &ln(&[1e-4, 1.5e-3, 1e-1])),
                vec![0.089018548070, 0.184139628415, 0.108573205225],
            ),
            (
                densities(even, &[2.0, 4.0, 4.0], &[2.0, 4.0, 6.0, 10.0]),
                vec![0.316017574771, 0.343597436453, 0.203464251336, 0.051305373618],
            ),
            (
                densities(Line::Choices(3), &[0.0, 0.0, 2.0], &[0.0, 1.0, 2.0]),
                vec![0.476190476190, 0.190476190476, 0.333333333333],
            ),
            (densities(unit, &[], &[0.5]), vec![1.041828977197]),
            (densities(unit, &[0.2], &[0.25, 0.6]), vec![1.070395654998, 1.018351170332]),
            (densities(unit, &many, &[0.1, 0.5]), vec![0.997209556279, 1.172283005898]),
        ];
        for (ours, theirs) in cases {
            for (own, their) in ours.iter().zip(&theirs) {
                assert!((own - their).abs() < 1e-9, "{ours:?} {theirs:?}");
            }
        }
        assert_eq!([1, 10, 11, 100, 1000].map(good), [1, 1, 2, 10, 25]);
    }

    #[test]
    fn samples_follow_the_density() {
        let line = Line::Numbers { low: 0.5, high: 4.5, step: 1.0 };
        let parzen = Parzen::new(line, &[1.0, 1.0, 2.0, 4.0]);
        let mut stream = derive(1, "samples", &[]);
        let mut counts = [0.0; 4];
        for _ in 0..20_000 {
            counts[parzen.sample(&mut stream) as usize - 1] += 1.0 / 20_000.0;
        }
        for (index, part) in counts.into_iter().enumerate() {
            let expected = parzen.density(index as f64 + 1.0);
            assert!((part - expected).abs() < 0.015, "{part} instead of {expected}");
        }
    }

    #[test]
    fn suggestions_lie_where_the_good_ones_are() {
        let unit = Line::Numbers { low: 0.0, high: 1.0, step: 0.0 };
        let (good, others) = ([0.2, 0.22, 0.25], [0.0, 0.05, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]);
        for round in 0..20 {
            let at = suggest(unit, &good, &others, &mut derive(3, "suggest", &[round]));
            assert!((0.08..0.45).contains(&at), "{at}");
        }
    }
}
