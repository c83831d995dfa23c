//! Vectors of f32 for the instruction sets that the kernels know, chosen at run time.

use std::sync::OnceLock;

/// A vector register of f32.
pub(super) trait Simd: Copy {
    /// Elements in one register; divides 16.
    const WIDTH: usize;
    /// Whether there are 32 registers rather than 16: how large a tile of sums may be.
    const MANY_REGISTERS: bool;
    /// For each element, whether a comparison holds.
    type Mask: Copy;

    /// The same number everywhere.
    fn splat(value: f32) -> Self;

    /// # Safety
    /// `from` points to `WIDTH` readable numbers.
    unsafe fn load(from: *const f32) -> Self;

    /// # Safety
    /// `to` points to `WIDTH` writable numbers.
    unsafe fn store(self, to: *mut f32);

    /// `self · factor + sum`, rounded once where the instruction set has it.
    fn fma(self, factor: Self, sum: Self) -> Self;

    /// self + other.
    fn add(self, other: Self) -> Self;

    /// self − other.
    fn sub(self, other: Self) -> Self;

    /// Sixteen rows of sixteen numbers with rows and columns exchanged; strides are those of rows.
    ///
    /// # Safety
    /// All rows are readable and writable, and do not overlap.
    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
        for row in 0..16 {
            for column in 0..16 {
                // SAFETY: the caller's promise.
                unsafe { *to.add(column * to_row + row) = *from.add(row * from_row + column) };
            }
        }
    }

    /// max(0, self), elementwise; NaN stays NaN.
    fn relu(self) -> Self;

    /// Where self > other, which nothing is that is not a number.
    fn above(self, other: Self) -> Self::Mask;

    /// Where self = other, which nothing is that is not a number.
    fn equals(self, other: Self) -> Self::Mask;

    /// Where a maximum stays self when it meets other: self ≥ other, or self is NaN.
    fn keeps(self, other: Self) -> Self::Mask;

    /// `yes` where the mask holds, else `no`.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;

    /// The sum of all elements, in an order that is fixed.
    fn sum(self) -> f32;
}

/// Plain arithmetic, which the compiler turns into whatever the target always has, such as SSE2.
#[derive(Clone, Copy)]
pub(super) struct Portable([f32; 8]);

impl Simd for Portable {
    const WIDTH: usize = 8;
    const MANY_REGISTERS: bool = false;
    type Mask = [bool; 8];

    #[inline(always)]
    fn splat(value: f32) -> Self {
        Portable([value; 8])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        Portable(unsafe { from.cast::<[f32; 8]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<[f32; 8]>().write_unaligned(self.0) }
    }

    #[inline(always)]
    fn fma(self, factor: Self, sum: Self) -> Self {
        // Rounded twice: where `mul_add` is no instruction, it is a library call and far slower.
        Portable(std::array::from_fn(|i| self.0[i] * factor.0[i] + sum.0[i]))
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Portable(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Portable(std::array::from_fn(|i| self.0[i] - other.0[i]))
    }

    #[inline(always)]
    fn relu(self) -> Self {
        Portable(self.0.map(|x| if x < 0.0 { 0.0 } else { x }))
    }

    #[inline(always)]
    fn above(self, other: Self) -> Self::Mask {
        std::array::from_fn(|i| self.0[i] > other.0[i])
    }

    #[inline(always)]
    fn equals(self, other: Self) -> Self::Mask {
        std::array::from_fn(|i| self.0[i] == other.0[i])
    }

    #[inline(always)]
    fn keeps(self, other: Self) -> Self::Mask {
        std::array::from_fn(|i| self.0[i] >= other.0[i] || self.0[i].is_nan())
    }

    #[inline(always)]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        Portable(std::array::from_fn(|i| if mask[i] { yes.0[i] } else { no.0[i] }))
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        self.0.iter().sum()
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::Simd;

    /// Eight numbers, for AVX2 and FMA.
    #[derive(Clone, Copy)]
    pub(super) struct Avx2(__m256);

    /// Sixteen numbers, for AVX-512.
    #[derive(Clone, Copy)]
    pub(super) struct Avx512(__m512);

    // SAFETY (all blocks in this module): these types are only used inside of functions that are
    // compiled for, and called on, processors with the instructions; pointers are the caller's promise.
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
                        let rows: [__m256; 8] = std::array::from_fn(|i| {
                            _mm256_loadu_ps(from.add((row + i) * from_row + column))
                        });
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
            // The instruction returns its second operand if one is NaN.
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

        #[inline(always)]
        fn sum(self) -> f32 {
            let mut numbers = [0.0f32; 8];
            unsafe { _mm256_storeu_ps(numbers.as_mut_ptr(), self.0) };
            let halves: [f32; 4] = std::array::from_fn(|i| numbers[i] + numbers[i + 4]);
            (halves[0] + halves[2]) + (halves[1] + halves[3])
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
                let rows: [__m512; 16] =
                    std::array::from_fn(|row| _mm512_loadu_ps(from.add(row * from_row)));
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
                    let [a, b, c, d]: [__m512; 4] =
                        std::array::from_fn(|quarter| fours[quarter * 4 + column]);
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
            // The instruction returns its second operand if one is NaN.
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

        #[inline(always)]
        fn sum(self) -> f32 {
            unsafe { _mm512_reduce_add_ps(self.0) }
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod arm {
    use std::arch::aarch64::*;

    use super::Simd;

    /// Four numbers, for NEON, which every 64-bit ARM has. There are 32 such registers, and tiles of
    /// sums as large as AVX-512's keep its units busy.
    #[derive(Clone, Copy)]
    pub(super) struct Neon(float32x4_t);

    // SAFETY (all blocks in this module): the target always has the instructions; pointers are the
    // caller's promise.
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
                        let rows: [float32x4_t; 4] = std::array::from_fn(|i| {
                            vld1q_f32(from.add((row + i) * from_row + column))
                        });
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
            // The instruction gives NaN if one operand is.
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

        #[inline(always)]
        fn sum(self) -> f32 {
            // Neighbours are added, then both sums.
            unsafe { vaddvq_f32(self.0) }
        }
    }
}

/// A computation that is compiled once for each instruction set. `run` and all that it calls have
/// to be inlined for this to work.
pub(super) trait Kernel {
    /// What is computed.
    type Out;
    /// The computation with vectors of type `V`.
    fn run<V: Simd>(self) -> Self::Out;
}

/// The instruction sets, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    Avx512,
    Avx2,
    Neon,
    Portable,
}

/// The best set of this processor.
pub(super) fn set() -> Set {
    static SET: OnceLock<Set> = OnceLock::new();
    *SET.get_or_init(|| {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512bw")
            {
                return Set::Avx512;
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return Set::Avx2;
            }
        }
        if cfg!(target_arch = "aarch64") { Set::Neon } else { Set::Portable }
    })
}

/// Runs `kernel` with the best instructions of this processor.
pub(super) fn dispatch<K: Kernel>(kernel: K) -> K::Out {
    run_with(set(), kernel)
}

/// Runs `kernel` with the instructions of `set`, which this processor must have.
pub(super) fn run_with<K: Kernel>(set: Set, kernel: K) -> K::Out {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,bmi2")]
        fn avx512<K: Kernel>(kernel: K) -> K::Out {
            kernel.run::<x86::Avx512>()
        }
        #[target_feature(enable = "avx2,fma")]
        fn avx2<K: Kernel>(kernel: K) -> K::Out {
            kernel.run::<x86::Avx2>()
        }
        match set {
            // SAFETY: `set` was detected, which needs the instructions.
            Set::Avx512 => return unsafe { avx512(kernel) },
            // SAFETY: as above.
            Set::Avx2 => return unsafe { avx2(kernel) },
            Set::Neon | Set::Portable => {}
        }
    }
    #[cfg(target_arch = "aarch64")]
    if set == Set::Neon {
        return kernel.run::<arm::Neon>();
    }
    kernel.run::<Portable>()
}

/// A computation without vectors of its own, that the compiler vectorises for each set.
pub(super) fn vectorised<Out>(work: impl FnOnce() -> Out) -> Out {
    struct Plain<F>(F);
    impl<Out, F: FnOnce() -> Out> Kernel for Plain<F> {
        type Out = Out;
        #[inline(always)]
        fn run<V: Simd>(self) -> Out {
            (self.0)()
        }
    }
    dispatch(Plain(work))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All operations on sixteen numbers at once: those of a vector side by side.
    struct Everything<'a> {
        a: &'a [f32; 16],
        b: &'a [f32; 16],
        square: &'a [f32; 256],
    }

    impl Kernel for Everything<'_> {
        type Out = ([[f32; 16]; 7], Vec<f32>, [f32; 256]);

        #[inline(always)]
        fn run<V: Simd>(self) -> Self::Out {
            let (mut found, mut sums, mut turned) = ([[0.0; 16]; 7], Vec::new(), [0.0; 256]);
            for at in (0..16).step_by(V::WIDTH) {
                // SAFETY: WIDTH divides 16, and the squares have sixteen rows.
                unsafe {
                    let (a, b) = (V::load(&self.a[at]), V::load(&self.b[at]));
                    let choose = |mask: V::Mask| V::select(mask, V::splat(1.0), V::splat(-1.0));
                    let results = [
                        a.fma(b, V::splat(0.5)),
                        a.add(b),
                        a.sub(b),
                        a.relu(),
                        choose(a.above(b)),
                        choose(a.equals(b)),
                        choose(a.keeps(b)),
                    ];
                    for (result, into) in results.into_iter().zip(&mut found) {
                        result.store(&mut into[at]);
                    }
                    sums.push(a.sum());
                }
            }
            // SAFETY: as above.
            unsafe { V::transpose(self.square.as_ptr(), 16, turned.as_mut_ptr(), 16) };
            (found, sums, turned)
        }
    }

    #[test]
    fn every_set_of_this_processor_computes_what_is_written() {
        let a: [f32; 16] = std::array::from_fn(|i| if i == 5 { f32::NAN } else { i as f32 - 6.5 });
        let mut b: [f32; 16] = std::array::from_fn(|i| 0.25 * i as f32 - 1.0);
        (b[6], b[7]) = (f32::NAN, a[7]);
        let square: [f32; 256] = std::array::from_fn(|i| i as f32);
        let all = [Set::Avx512, Set::Avx2, Set::Neon];
        // A set that is there has all that are worse on the same processor.
        let mut sets: Vec<Set> = all.into_iter().skip_while(|known| *known != set()).collect();
        sets.retain(|known| (*known == Set::Neon) == cfg!(target_arch = "aarch64"));
        sets.push(Set::Portable);
        for set in sets {
            let kernel = Everything { a: &a, b: &b, square: &square };
            let ([fma, add, sub, relu, above, equal, kept], sums, turned) = run_with(set, kernel);
            for i in 0..16 {
                let same = |found: f32, expected: f32| {
                    let error = (found - expected).abs();
                    assert!(found.is_nan() == expected.is_nan(), "{set:?} {i}: {found}");
                    assert!(found.is_nan() || error < 1e-6, "{set:?} {i}: {found}, {expected}");
                };
                same(fma[i], a[i] * b[i] + 0.5);
                same(add[i], a[i] + b[i]);
                same(sub[i], a[i] - b[i]);
                same(relu[i], if a[i] < 0.0 { 0.0 } else { a[i] });
                let chosen = |holds: bool| if holds { 1.0 } else { -1.0 };
                same(above[i], chosen(a[i] > b[i]));
                same(equal[i], chosen(a[i] == b[i]));
                same(kept[i], chosen(a[i] >= b[i] || a[i].is_nan()));
                for j in 0..16 {
                    assert_eq!(turned[j * 16 + i], square[i * 16 + j], "{set:?}");
                }
            }
            let width = 16 / sums.len();
            for (sum, part) in sums.iter().zip(a.chunks(width)) {
                let expected: f32 = part.iter().sum();
                assert!(
                    sum.is_nan() == expected.is_nan() && (expected.is_nan() || *sum == expected)
                );
            }
        }
    }
}
