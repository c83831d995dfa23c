//! Student's t distribution.

use statrs::distribution::{Continuous, ContinuousCDF, StudentsT};
use statrs::function::beta::beta_reg;

/// The two-sided p-value of the statistic `t` with `freedom` degrees of freedom:
/// `2 * scipy.stats.t.sf(abs(t), freedom)`, by the incomplete beta function, so that it keeps its
/// digits where it is small.
pub fn two_sided(t: f64, freedom: f64) -> f64 {
    beta_reg(freedom / 2.0, 0.5, freedom / (freedom + t * t))
}

/// The value below which a part `p` of the distribution with `freedom` degrees of freedom lies:
/// `scipy.stats.t.ppf(p, freedom)`.
pub fn quantile(p: f64, freedom: f64) -> f64 {
    let Ok(student) = StudentsT::new(0.0, 1.0, freedom) else { return f64::NAN };
    let mut t = student.inverse_cdf(p);
    // The inverse is good to a few digits less than the function: Newton's steps bring them.
    for _ in 0..3 {
        let step = (student.cdf(t) - p) / student.pdf(t);
        if !step.is_finite() {
            break;
        }
        t -= step;
    }
    t
}
