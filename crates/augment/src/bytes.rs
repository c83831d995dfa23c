//! Floats to bytes, in a way that compiles to vectors: `as u8` checks each number by itself.

/// Adding this leaves a number of 0..2^23, rounded to the nearest whole one (halves to even), in the
/// lowest bits.
const ALIGN: f32 = 8_388_608.0;

/// Rounded to the nearest whole number, halves to even, and cut to 0..=255.
#[inline(always)]
pub(super) fn rounded(value: f32) -> u8 {
    (value.clamp(0.0, 255.0) + ALIGN).to_bits() as u8
}

/// [`rounded`], still a float.
#[inline(always)]
pub(super) fn whole(value: f32) -> f32 {
    value.clamp(0.0, 255.0) + ALIGN - ALIGN
}

/// Without its fraction, and cut to 0..=255.
#[inline(always)]
pub(super) fn truncated(value: f32) -> u8 {
    (value.clamp(0.0, 255.0).floor() + ALIGN).to_bits() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_plain_conversions() {
        for step in -1000..2000 {
            let value = step as f32 / 6.0;
            assert_eq!(rounded(value), value.round_ties_even() as u8, "{value}");
            assert_eq!(truncated(value), value as u8, "{value}");
            assert_eq!(whole(value), f32::from(rounded(value)), "{value}");
            let half = step as f32 / 2.0;
            assert_eq!(rounded(half), half.round_ties_even() as u8, "{half}");
            assert_eq!(truncated(half), half as u8, "{half}");
        }
    }
}
