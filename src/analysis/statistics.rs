//! The statistics of a report: means with intervals, paired tests, and corrections for many of them.
//!
//! Everything is for small samples of trials, by Student's t. Definitions are those of the functions of
//! scipy that the docstrings name, and agree with them to 1e-9 (`tests/goldens/statistics.py`).

use libm::erfc;

pub use crate::basis::student::{quantile, two_sided};

/// The level of every interval.
pub const LEVEL: f64 = 0.95;

/// A difference whose corrected p-value is below is called significant.
pub const ALPHA: f64 = 0.05;

/// The mean of a sample, and how well it is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Values in the sample.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Standard deviation of the values, with n − 1; none for one value.
    pub deviation: Option<f64>,
    /// Half the width of the [`LEVEL`] interval of the mean; none for one value.
    pub half_width: Option<f64>,
}

impl Estimate {
    /// Of a sample; none if it is empty or a value is not finite.
    ///
    /// The interval is mean ± t(n − 1) · s / √n: `scipy.stats.t.interval(0.95, n - 1, mean, sem)`.
    pub fn of(values: &[f64]) -> Option<Estimate> {
        if values.is_empty() || values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        let deviation = (n > 1).then(|| {
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            (squares / (n - 1) as f64).sqrt()
        });
        let half_width = deviation.map(|deviation| {
            quantile(0.5 + LEVEL / 2.0, (n - 1) as f64) * deviation / (n as f64).sqrt()
        });
        Some(Estimate { n, mean, deviation, half_width })
    }
}

/// What a sample of paired differences says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paired {
    /// The mean difference with its interval.
    pub difference: Estimate,
    /// Two-sided p-value of Student's paired t test; none where it cannot be told: for one pair, or
    /// where all differences are the same number but 0.
    pub p: Option<f64>,
}

impl Paired {
    /// The test of `differences` against 0: `scipy.stats.ttest_rel` of the samples they are between.
    /// Where nothing differs anywhere, p is 1 (scipy has nan).
    pub fn of(differences: &[f64]) -> Option<Paired> {
        let difference = Estimate::of(differences)?;
        let largest = differences.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
        let p = match difference.deviation {
            _ if largest == 0.0 => Some(1.0),
            // A few seeds may differ by the same number of images, which is no certainty.
            Some(deviation) if deviation > 1e-12 * largest => {
                let n = difference.n as f64;
                Some(two_sided(difference.mean / (deviation / n.sqrt()), n - 1.0))
            }
            _ => None,
        };
        let p = p.filter(|_| difference.n > 1);
        Some(Paired { difference, p })
    }
}

/// Holm's step-down correction of p-values that are looked at together (Holm 1979): the i-th least of m,
/// from 0, times m − i, and never below one before it. Those that are missing are no part of the family.
pub fn holm(p: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<(usize, f64)> =
        p.iter().enumerate().filter_map(|(index, p)| Some((index, (*p)?))).collect();
    order.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    let mut corrected = vec![None; p.len()];
    let mut least = 0.0_f64;
    for (rank, (index, p)) in order.iter().enumerate() {
        least = least.max(p * (order.len() - rank) as f64).min(1.0);
        corrected[*index] = Some(least);
    }
    corrected
}

/// The expected maximum of `k` independent standard normal numbers, in standard deviations: by how much
/// the best of `k` equal settings stands out by luck. ∫ x · k φ(x) Φ(x)^(k−1) dx, by Simpson's rule.
pub fn expected_maximum(k: usize) -> f64 {
    const STEPS: usize = 4000;
    const REACH: f64 = 12.0;
    let k = k.max(1) as f64;
    let density = |x: f64| libm::exp(-x * x / 2.0) / (2.0 * std::f64::consts::PI).sqrt();
    let below = |x: f64| 0.5 * erfc(-x / std::f64::consts::SQRT_2);
    let integrand = |x: f64| x * k * density(x) * libm::pow(below(x), k - 1.0);
    let step = 2.0 * REACH / STEPS as f64;
    let sum: f64 = (0..=STEPS)
        .map(|index| {
            let weight = match index {
                0 | STEPS => 1.0,
                odd if odd % 2 == 1 => 4.0,
                _ => 2.0,
            };
            weight * integrand(-REACH + step * index as f64)
        })
        .sum();
    sum * step / 3.0
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Golden {
        samples: Vec<Sample>,
        quantiles: Vec<[f64; 2]>,
        holm: Vec<Corrected>,
        maxima: Vec<(usize, f64)>,
    }

    #[derive(Deserialize)]
    struct Sample {
        a: Vec<f64>,
        b: Vec<f64>,
        mean: f64,
        deviation: f64,
        interval: [f64; 2],
        difference: f64,
        difference_interval: [f64; 2],
        p: f64,
    }

    #[derive(Deserialize)]
    struct Corrected {
        p: Vec<f64>,
        corrected: Vec<f64>,
    }

    fn golden() -> Golden {
        serde_json::from_str(include_str!("../../tests/goldens/statistics.json")).unwrap()
    }

    #[track_caller]
    fn close(found: f64, expected: f64) {
        let error = (found - expected).abs() / expected.abs().max(1.0);
        assert!(error < 1e-9, "{found} is not {expected}");
        // Small p-values are held relative to themselves.
        if expected > 0.0 && expected < 1e-3 {
            assert!((found / expected - 1.0).abs() < 1e-7, "{found} is not {expected}");
        }
    }

    #[test]
    fn means_intervals_and_paired_tests_are_those_of_scipy() {
        for sample in golden().samples {
            let estimate = Estimate::of(&sample.a).unwrap();
            close(estimate.mean, sample.mean);
            close(estimate.deviation.unwrap(), sample.deviation);
            close(estimate.mean - estimate.half_width.unwrap(), sample.interval[0]);
            close(estimate.mean + estimate.half_width.unwrap(), sample.interval[1]);
            let differences: Vec<f64> =
                sample.a.iter().zip(&sample.b).map(|(a, b)| a - b).collect();
            let paired = Paired::of(&differences).unwrap();
            close(paired.difference.mean, sample.difference);
            let half = paired.difference.half_width.unwrap();
            close(paired.difference.mean - half, sample.difference_interval[0]);
            close(paired.difference.mean + half, sample.difference_interval[1]);
            close(paired.p.unwrap(), sample.p);
        }
    }

    #[test]
    fn quantiles_corrections_and_maxima_are_those_of_scipy_and_statsmodels() {
        let golden = golden();
        for [freedom, expected] in golden.quantiles {
            close(quantile(0.975, freedom), expected);
        }
        for Corrected { p, corrected } in golden.holm {
            let found = holm(&p.into_iter().map(Some).collect::<Vec<_>>());
            found.into_iter().zip(corrected).for_each(|(a, b)| close(a.unwrap(), b));
        }
        for (k, expected) in golden.maxima {
            close(expected_maximum(k), expected);
        }
    }

    #[test]
    fn what_cannot_be_told_is_not_told() {
        assert_eq!(Estimate::of(&[]), None);
        assert_eq!(Estimate::of(&[1.0, f64::NAN]), None);
        let one = Estimate::of(&[2.0]).unwrap();
        assert_eq!((one.mean, one.deviation, one.half_width), (2.0, None, None));
        assert_eq!(Paired::of(&[0.1]).unwrap().p, None);
        // 0.87 - 0.85 and 0.88 - 0.86 are not the same number in binary.
        assert_eq!(Paired::of(&[0.87 - 0.85, 0.88 - 0.86]).unwrap().p, None);
        assert_eq!(Paired::of(&[0.0, 0.0, 0.0]).unwrap().p, Some(1.0));
        let corrected = holm(&[Some(0.02), None, Some(0.01)]);
        assert_eq!(corrected, [Some(0.02), None, Some(0.02)]);
    }
}
