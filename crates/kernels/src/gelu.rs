//! The Gaussian error linear unit, x · Φ(x) (Hendrycks and Gimpel, 2016), in single precision and without branches, so
//! that loops over it fill vector registers. Φ is the distribution function of the standard normal.
//!
//! erfc(z) = e^(−z²) · t · p(t) with t = 1 / (1 + 0.42 z) for z ≥ 0. The polynomial p was fitted to erfcx(z) / t at
//! Chebyshev nodes from z = 0 to 10.2; its relative error there is 2.4e-9. What rounding adds is below 4e-7.

use std::f32::consts::FRAC_1_SQRT_2;

use super::exponential::exp;

/// 1 / √(2π).
const DENSITY_AT_0: f32 = 0.398_942_3;

/// The coefficients of p, highest degree first.
const P: [f32; 10] = [
    -0.041_072_02,
    0.230_355_51,
    -0.485_834_9,
    0.436_093_87,
    -0.196_470_3,
    0.213_283_87,
    0.150_191_9,
    0.219_863_06,
    0.236_615_87,
    0.236_973_14,
];

/// Φ(x) and e^(−x²/2).
#[inline(always)]
fn distribution(x: f32) -> (f32, f32) {
    let bell = exp(-0.5 * x * x);
    let t = 1.0 / (1.0 + 0.42 * FRAC_1_SQRT_2 * x.abs());
    let mut p = P[0];
    for coefficient in &P[1..] {
        p = p * t + coefficient;
    }
    let tail = 0.5 * bell * (p * t);
    (if x < 0.0 { tail } else { 1.0 - tail }, bell)
}

/// x · Φ(x).
#[inline(always)]
pub(super) fn gelu(x: f32) -> f32 {
    x * distribution(x).0
}

/// Its derivative, Φ(x) + x · φ(x), where φ is the density of the standard normal.
#[inline(always)]
pub(super) fn gelu_slope(x: f32) -> f32 {
    let (phi, bell) = distribution(x);
    phi + x * (bell * DENSITY_AT_0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_that_of_libm_to_single_precision() {
        for step in -12_000..=12_000 {
            let x = step as f32 / 1000.0;
            let exact = f64::from(x);
            let phi = 0.5 * libm::erfc(-exact * std::f64::consts::FRAC_1_SQRT_2);
            let density = libm::exp(-0.5 * exact * exact) / std::f64::consts::TAU.sqrt();
            let close = |found: f32, expected: f64| {
                let error = (f64::from(found) - expected).abs();
                assert!(error < 4e-7 + 1e-7 * expected.abs(), "{x}: {found}, not {expected}");
            };
            close(gelu(x), exact * phi);
            close(gelu_slope(x), phi + exact * density);
        }
    }

    #[test]
    fn its_ends_are_0_and_the_number_itself_and_nan_stays() {
        assert_eq!((gelu(0.0), gelu_slope(0.0)), (0.0, 0.5));
        assert_eq!((gelu(1e30), gelu_slope(1e30)), (1e30, 1.0));
        assert_eq!((gelu(-1e30), gelu_slope(-1e30)), (-0.0, 0.0));
        assert!(gelu(f32::NAN).is_nan() && gelu_slope(f32::NAN).is_nan());
    }
}
