//! The exponential function in single precision, without branches, so that loops over it fill vector registers.
//!
//! It takes the same steps as `libm::expf` (FreeBSD's `e_expf.c`) and gives the same bits.

const LN2_HI: f32 = f32::from_bits(0x3f31_7200);
const LN2_LO: f32 = f32::from_bits(0x35bf_be8e);
const INV_LN2: f32 = f32::from_bits(0x3fb8_aa3b);
const P1: f32 = 1.666_662_5e-1;
const P2: f32 = -2.766_733_3e-3;

/// Where |x| is larger, k · ln 2 is subtracted from x, with a whole number k that brings it near 0.
const HALF_LN2: f32 = f32::from_bits(0x3eb1_7218);
/// Up to here k is 1 or −1.
const THREE_HALVES_LN2: f32 = f32::from_bits(0x3f85_1592);
/// Where |x| is smaller, eˣ is 1 + x in f32.
const TINY: f32 = f32::from_bits(0x3900_0000);

/// In the bits of this plus a whole number of at most 22 bits, the lowest ones are the number.
const SHIFT: f32 = 12_582_912.0;

/// 2ᵏ for a whole number −126 ≤ k ≤ 127.
#[inline(always)]
fn power(k: f32) -> f32 {
    let bits = (k + SHIFT).to_bits().wrapping_sub(SHIFT.to_bits()).wrapping_add(127);
    f32::from_bits(bits << 23)
}

/// eˣ.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // Beyond, the result is 0 or infinite; NaN stays.
    let x = x.clamp(-104.0, 89.0);
    let size = x.abs();
    let sign = if x < 0.0 { -1.0 } else { 1.0 };
    let many = (INV_LN2 * x + 0.5 * sign).trunc();
    let k = if size > THREE_HALVES_LN2 { many } else { sign };
    let k = if size > HALF_LN2 { k } else { 0.0 };
    let (hi, lo) = (x - k * LN2_HI, k * LN2_LO);
    let r = hi - lo;
    let square = r * r;
    let c = r - square * (P1 + square * P2);
    let y = 1.0 + (r * c / (2.0 - c) - lo + hi);
    // In two steps: 2ᵏ itself may be no number of single precision. The first product is exact.
    let first = (0.5 * k).trunc();
    let scaled = y * power(first) * power(k - first);
    if size > TINY { scaled } else { 1.0 + x }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_the_bits_of_libm() {
        let same = |x: f32| {
            let (found, expected) = (exp(x), libm::expf(x));
            let is_so =
                found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan();
            assert!(is_so, "e^{x:e} ({:08x}): {found:e}, not {expected:e}", x.to_bits());
        };
        let step = if cfg!(miri) { 1 << 24 } else { 997 };
        (0..=u32::MAX).step_by(step).for_each(|bits| same(f32::from_bits(bits)));
        let ends =
            [HALF_LN2, THREE_HALVES_LN2, TINY, 87.336_55, 88.722_84, 103.972_084, 104.0, 89.0];
        for bits in ends.map(f32::to_bits) {
            for bits in bits - 50..bits + 50 {
                same(f32::from_bits(bits));
                same(-f32::from_bits(bits));
            }
        }
        [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN].into_iter().for_each(same);
    }
}
