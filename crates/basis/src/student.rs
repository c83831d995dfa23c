//! Student's t distribution, by functions of the crate `libm`: the system's differ between machines in their last bit.

use libm::{exp, lgamma, log, log1p};

/// The two-sided p-value of the statistic `t` with `freedom` degrees of freedom:
/// `2 * scipy.stats.t.sf(abs(t), freedom)`, by the incomplete beta function, so that it keeps its
/// digits where it is small. NaN if one of them is NaN or `freedom` is not positive.
pub fn two_sided(t: f64, freedom: f64) -> f64 {
    if t.is_nan() || freedom.is_nan() || freedom <= 0.0 {
        return f64::NAN;
    }
    if t.is_infinite() {
        return 0.0;
    }
    let square = t * t;
    let (a, b) = (freedom / 2.0, 0.5);
    // The odds square / freedom say x = 1 / (1 + odds) and 1 − x without a difference.
    let odds = square / freedom;
    let (x, rest) = (1.0 / (1.0 + odds), odds / (1.0 + odds));
    // xᵃ · (1 − x)ᵇ / B(a, b)
    let front = if rest == 0.0 {
        0.0
    } else {
        let beta = lgamma(a) + lgamma(b) - lgamma(a + b);
        exp(-a * log1p(odds) + b * log(rest) - beta)
    };
    // Each fraction converges fast on its own side of the mean.
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(a, b, x) / a
    } else {
        1.0 - front * fraction(b, a, rest) / b
    }
}

/// The value below which a part `p` of the distribution with `freedom` degrees of freedom lies:
/// `scipy.stats.t.ppf(p, freedom)`. NaN if `p` is not between 0 and 1 or `freedom` is not positive.
pub fn quantile(p: f64, freedom: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) || freedom.is_nan() || freedom <= 0.0 {
        return f64::NAN;
    }
    if p < 0.5 {
        return -quantile(1.0 - p, freedom);
    }
    let both = 2.0 * (1.0 - p);
    if both == 0.0 {
        return f64::INFINITY;
    }
    let (mut low, mut high) = (0.0, 1.0);
    while two_sided(high, freedom) > both {
        (low, high) = (high, 2.0 * high);
    }
    // Halves the interval until no number lies inside.
    loop {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            return high;
        }
        if two_sided(middle, freedom) > both { low = middle } else { high = middle }
    }
}

/// The continued fraction of the incomplete beta function (Abramowitz and Stegun 26.5.8), by the method of Lentz.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    /// In the place of 0 as a divisor.
    const TINY: f64 = 1e-300;
    const STEPS: usize = 10_000;
    let apart = |value: f64| if value.abs() < TINY { TINY } else { value };
    let (mut c, mut d) = (1.0, 1.0 / apart(1.0 - (a + b) * x / (a + 1.0)));
    let mut result = d;
    for step in 1..=STEPS {
        let m = step as f64;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let before = result;
        for term in [even, odd] {
            d = 1.0 / apart(1.0 + term * d);
            c = apart(1.0 + term / c);
            result *= c * d;
        }
        if (result - before).abs() <= f64::EPSILON * result.abs() {
            break;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.t.sf` and `ppf`, which `tests/goldens/statistics.py` holds the reports to as well.
    #[test]
    fn values_are_those_of_tables() {
        // With one degree of freedom it is Cauchy's distribution, with two it is t / √(2 + t²).
        for t in [0.0, 1e-9, 0.1, 1.0, 3.0, 40.0, 1e6] {
            let cauchy = 2.0 * libm::atan2(1.0, t) / std::f64::consts::PI;
            assert!((two_sided(t, 1.0) / cauchy - 1.0).abs() < 1e-13, "{t}");
            let root = (2.0 + t * t).sqrt();
            let two = 2.0 / (root * (root + t));
            assert!((two_sided(t, 2.0) / two - 1.0).abs() < 1e-13, "{t}");
            assert_eq!(two_sided(-t, 3.0), two_sided(t, 3.0));
        }
        for (freedom, expected) in [
            (1.0, 12.706_204_736_174_694),
            (4.0, 2.776_445_105_197_793_4),
            (29.0, 2.045_229_642_132_703),
            (10_000.0, 1.960_201_239_890_626),
        ] {
            let found = quantile(0.975, freedom);
            assert!((found / expected - 1.0).abs() < 1e-10, "{freedom}: {found}");
            assert_eq!(quantile(0.025, freedom), -quantile(1.0 - 0.025, freedom));
        }
    }

    #[test]
    fn a_quantile_is_where_the_distribution_has_its_part() {
        for freedom in [0.5, 1.0, 2.5, 7.0, 300.0, 1e6] {
            for p in [0.5, 0.6, 0.9, 0.999, 1.0 - 1e-9] {
                let t = quantile(p, freedom);
                assert!((two_sided(t, freedom) / 2.0 - (1.0 - p)).abs() < 1e-12, "{freedom} {p}");
            }
        }
        assert_eq!(quantile(1.0, 3.0), f64::INFINITY);
        assert_eq!(two_sided(f64::INFINITY, 3.0), 0.0);
        for wrong in
            [two_sided(f64::NAN, 3.0), two_sided(1.0, 0.0), quantile(2.0, 3.0), quantile(0.9, -1.0)]
        {
            assert!(wrong.is_nan());
        }
    }
}
