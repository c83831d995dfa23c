//! AVX2 and AVX-512.
#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "all are safe for one reason: values of these types exist only while `run_with` runs a kernel, \
              which has a proof that the processor has the instructions; pointers are the caller's promise"
)]

use std::arch::x86_64::*;

use super::Simd;

/// Eight numbers, for AVX2 and FMA.
#[derive(Clone, Copy)]
pub(super) struct Avx2(__m256);

/// Sixteen numbers, for AVX-512.
#[derive(Clone, Copy)]
pub(super) struct Avx512(__m512);

impl Simd for Avx2 {
    const WIDTH: usize = 8;
    const MANY_REGISTERS: bool = false;
    type Mask = __m256;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        Avx2(unsafe { _mm256_set1_ps(value) })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Avx2(unsafe { _mm256_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { _mm256_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    unsafe fn stream(self, to: *mut f32) {
        unsafe { _mm256_stream_ps(to, self.0) }
    }

    #[inline(always)]
    fn fma(self, factor: Self, sum: Self) -> Self {
        Avx2(unsafe { _mm256_fmadd_ps(self.0, factor.0, sum.0) })
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Avx2(unsafe { _mm256_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Avx2(unsafe { _mm256_sub_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
        // Eight by eight: exchange within pairs, then fours of neighbouring rows, then halves.
        for row in (0..16).step_by(8) {
            for column in (0..16).step_by(8) {
                unsafe {
                    let mut rows = [_mm256_setzero_ps(); 8];
                    for i in 0..8 {
                        rows[i] = _mm256_loadu_ps(from.add((row + i) * from_row + column));
                    }
                    let mut pairs = rows;
                    for i in (0..8).step_by(2) {
                        pairs[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
                        pairs[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
                    }
                    let mut fours = pairs;
                    for i in (0..8).step_by(4) {
                        for (half, into) in [(0, 0), (1, 2)] {
                            let (low, high) = (pairs[i + half], pairs[i + 2 + half]);
                            fours[i + into] = _mm256_shuffle_ps::<0x44>(low, high);
                            fours[i + into + 1] = _mm256_shuffle_ps::<0xee>(low, high);
                        }
                    }
                    for i in 0..4 {
                        let (low, high) = (fours[i], fours[i + 4]);
                        let to = to.add((column + i) * to_row + row);
                        _mm256_storeu_ps(to, _mm256_permute2f128_ps::<0x20>(low, high));
                        let turned = _mm256_permute2f128_ps::<0x31>(low, high);
                        _mm256_storeu_ps(to.add(4 * to_row), turned);
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn relu(self) -> Self {
        // `vmaxps` returns its second operand if one is NaN.
        Avx2(unsafe { _mm256_max_ps(_mm256_setzero_ps(), self.0) })
    }

    #[inline(always)]
    fn above(self, other: Self) -> Self::Mask {
        unsafe { _mm256_cmp_ps::<_CMP_GT_OQ>(self.0, other.0) }
    }

    #[inline(always)]
    fn equals(self, other: Self) -> Self::Mask {
        unsafe { _mm256_cmp_ps::<_CMP_EQ_OQ>(self.0, other.0) }
    }

    #[inline(always)]
    fn keeps(self, other: Self) -> Self::Mask {
        unsafe {
            let is_at_least = _mm256_cmp_ps::<_CMP_GE_OQ>(self.0, other.0);
            _mm256_or_ps(is_at_least, _mm256_cmp_ps::<_CMP_UNORD_Q>(self.0, self.0))
        }
    }

    #[inline(always)]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        Avx2(unsafe { _mm256_blendv_ps(no.0, yes.0, mask) })
    }
}

impl Simd for Avx512 {
    const WIDTH: usize = 16;
    const MANY_REGISTERS: bool = true;
    type Mask = __mmask16;

    #[inline(always)]
    fn splat(value: f32) -> Self {
        Avx512(unsafe { _mm512_set1_ps(value) })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Avx512(unsafe { _mm512_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { _mm512_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    unsafe fn stream(self, to: *mut f32) {
        unsafe { _mm512_stream_ps(to, self.0) }
    }

    #[inline(always)]
    fn fma(self, factor: Self, sum: Self) -> Self {
        Avx512(unsafe { _mm512_fmadd_ps(self.0, factor.0, sum.0) })
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Avx512(unsafe { _mm512_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Avx512(unsafe { _mm512_sub_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
        // Exchange within pairs, then fours of neighbouring rows, then whole quarters.
        unsafe {
            let mut rows = [_mm512_setzero_ps(); 16];
            for row in 0..16 {
                rows[row] = _mm512_loadu_ps(from.add(row * from_row));
            }
            let mut pairs = rows;
            for i in (0..16).step_by(2) {
                pairs[i] = _mm512_unpacklo_ps(rows[i], rows[i + 1]);
                pairs[i + 1] = _mm512_unpackhi_ps(rows[i], rows[i + 1]);
            }
            let mut fours = pairs;
            for i in (0..16).step_by(4) {
                for (half, to) in [(0, 0), (1, 2)] {
                    let low = _mm512_castps_pd(pairs[i + half]);
                    let high = _mm512_castps_pd(pairs[i + 2 + half]);
                    fours[i + to] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
                    fours[i + to + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
                }
            }
            for column in 0..4 {
                let [a, b, c, d] =
                    [fours[column], fours[4 + column], fours[8 + column], fours[12 + column]];
                let even_low = _mm512_shuffle_f32x4::<0x88>(a, b);
                let odd_low = _mm512_shuffle_f32x4::<0xdd>(a, b);
                let even_high = _mm512_shuffle_f32x4::<0x88>(c, d);
                let odd_high = _mm512_shuffle_f32x4::<0xdd>(c, d);
                let all = [
                    _mm512_shuffle_f32x4::<0x88>(even_low, even_high),
                    _mm512_shuffle_f32x4::<0x88>(odd_low, odd_high),
                    _mm512_shuffle_f32x4::<0xdd>(even_low, even_high),
                    _mm512_shuffle_f32x4::<0xdd>(odd_low, odd_high),
                ];
                for (quarter, row) in all.into_iter().enumerate() {
                    _mm512_storeu_ps(to.add((quarter * 4 + column) * to_row), row);
                }
            }
        }
    }

    #[inline(always)]
    fn relu(self) -> Self {
        // `vmaxps` returns its second operand if one is NaN.
        Avx512(unsafe { _mm512_max_ps(_mm512_setzero_ps(), self.0) })
    }

    #[inline(always)]
    fn above(self, other: Self) -> Self::Mask {
        unsafe { _mm512_cmp_ps_mask::<_CMP_GT_OQ>(self.0, other.0) }
    }

    #[inline(always)]
    fn equals(self, other: Self) -> Self::Mask {
        unsafe { _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(self.0, other.0) }
    }

    #[inline(always)]
    fn keeps(self, other: Self) -> Self::Mask {
        unsafe {
            let is_at_least = _mm512_cmp_ps_mask::<_CMP_GE_OQ>(self.0, other.0);
            is_at_least | _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(self.0, self.0)
        }
    }

    #[inline(always)]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        Avx512(unsafe { _mm512_mask_blend_ps(mask, no.0, yes.0) })
    }
}
