//! Loops that the compiler turns into the widest vectors of the machine.

/// Whether bytes can be permuted freely between the 64 of a vector (AVX-512 VBMI): what tables and
/// interleaved channels gain by.
#[inline(always)]
pub(super) fn permutes_bytes() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        is_x86_feature_detected!("avx512vbmi")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512cd")
            && is_x86_feature_detected!("fma")
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Runs `work`, compiled for the instruction set at hand (AVX-512, AVX2, or what the target always
/// has). What it calls has to be inlined into it to gain by this. Results are the same everywhere:
/// no multiplication and addition is fused unless it is written so.
#[inline(always)]
pub(super) fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    struct Work<F>(F);
    impl<R, F: FnOnce() -> R> pulp::NullaryFnOnce for Work<F> {
        type Output = R;
        #[inline(always)]
        fn call(self) -> R {
            (self.0)()
        }
    }
    #[cfg(target_arch = "x86_64")]
    if permutes_bytes() {
        // SAFETY: the machine has what the function is compiled for.
        return unsafe { permuting(work) };
    }
    pulp::Arch::new().dispatch(Work(work))
}

/// [`pulp`] knows AVX-512 without the permutation of bytes alone.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vbmi,fma")]
fn permuting<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// The bytes of `from` at `places`, if that is fast here.
#[inline(always)]
pub(super) fn permuted(from: &[[u8; 64]; 3], places: &[[u8; 64]; 3]) -> Option<[[u8; 64]; 3]> {
    #[cfg(target_arch = "x86_64")]
    if permutes_bytes() {
        // SAFETY: the machine has what the function is compiled for.
        return Some(unsafe { permute(from, places) });
    }
    None
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn permute(from: &[[u8; 64]; 3], places: &[[u8; 64]; 3]) -> [[u8; 64]; 3] {
    use std::arch::x86_64::*;

    // SAFETY: unaligned, and as large as the arrays.
    let load = |bytes: &[u8; 64]| unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) };
    let [first, second, third] = [load(&from[0]), load(&from[1]), load(&from[2])];
    let mut permuted = [[0; 64]; 3];
    for (bytes, places) in permuted.iter_mut().zip(places) {
        let places = load(places);
        let found = _mm512_permutex2var_epi8(first, places, second);
        // Places in the third vector have their highest bit set.
        let behind = _mm512_movepi8_mask(places);
        let found = _mm512_mask_permutexvar_epi8(found, behind, places, third);
        // SAFETY: as above.
        unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), found) };
    }
    permuted
}
