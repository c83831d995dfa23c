//! NEON.
#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "all are safe for one reason: the target always has the instructions; pointers are the caller's \
              promise"
)]

use std::arch::aarch64::*;

use super::Simd;

/// Four numbers, for NEON, which every 64-bit ARM has. There are 32 such registers, and tiles of
/// sums as large as AVX-512's keep its units busy.
#[derive(Clone, Copy)]
pub(super) struct Neon(float32x4_t);

impl Simd for Neon {
    const WIDTH: usize = 4;
    const MANY_REGISTERS: bool = true;
    type Mask = uint32x4_t;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        Neon(unsafe { vdupq_n_f32(value) })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Neon(unsafe { vld1q_f32(from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { vst1q_f32(to, self.0) }
    }

    #[inline(always)]
    fn fma(self, factor: Self, sum: Self) -> Self {
        Neon(unsafe { vfmaq_f32(sum.0, self.0, factor.0) })
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Neon(unsafe { vaddq_f32(self.0, other.0) })
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Neon(unsafe { vsubq_f32(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
        // Four by four: pairs are exchanged, then pairs of pairs.
        for row in (0..16).step_by(4) {
            for column in (0..16).step_by(4) {
                unsafe {
                    let mut rows = [vdupq_n_f32(0.0); 4];
                    for i in 0..4 {
                        rows[i] = vld1q_f32(from.add((row + i) * from_row + column));
                    }
                    let even = vtrnq_f32(rows[0], rows[1]);
                    let odd = vtrnq_f32(rows[2], rows[3]);
                    let turned = [
                        vcombine_f32(vget_low_f32(even.0), vget_low_f32(odd.0)),
                        vcombine_f32(vget_low_f32(even.1), vget_low_f32(odd.1)),
                        vcombine_f32(vget_high_f32(even.0), vget_high_f32(odd.0)),
                        vcombine_f32(vget_high_f32(even.1), vget_high_f32(odd.1)),
                    ];
                    for (i, turned) in turned.into_iter().enumerate() {
                        vst1q_f32(to.add((column + i) * to_row + row), turned);
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn relu(self) -> Self {
        // `fmax` returns NaN if one operand is.
        Neon(unsafe { vmaxq_f32(vdupq_n_f32(0.0), self.0) })
    }

    #[inline(always)]
    fn above(self, other: Self) -> Self::Mask {
        unsafe { vcgtq_f32(self.0, other.0) }
    }

    #[inline(always)]
    fn equals(self, other: Self) -> Self::Mask {
        unsafe { vceqq_f32(self.0, other.0) }
    }

    #[inline(always)]
    fn keeps(self, other: Self) -> Self::Mask {
        unsafe {
            let is_number = vceqq_f32(self.0, self.0);
            vorrq_u32(vcgeq_f32(self.0, other.0), vmvnq_u32(is_number))
        }
    }

    #[inline(always)]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        Neon(unsafe { vbslq_f32(mask, yes.0, no.0) })
    }
}
