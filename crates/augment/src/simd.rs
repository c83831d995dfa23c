//! Loops that the compiler turns into the widest vectors that the program uses.

use candlewick_basis::instructions::{self, Set};

/// Whether bytes can be permuted freely between the 64 of a vector (AVX-512 VBMI): what tables and
/// interleaved channels gain by.
#[inline(always)]
pub(super) fn permutes_bytes() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        instructions::used().set() == Set::Avx512
            && is_x86_feature_detected!("avx512vbmi")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512cd")
            && is_x86_feature_detected!("fma")
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// A computation with a method for each instruction set. They are methods of the closure so that the compiler
/// puts their machine code into the unit of the file that the closure stands in, and a change in one transform
/// does not compile all others.
trait Work<R>: FnOnce() -> R + Sized {
    /// # Safety
    /// The processor has [`Set::Avx512`] and [permutes bytes](permutes_bytes).
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vbmi,avx2,fma")]
    unsafe fn with_avx512_vbmi(self) -> R {
        self()
    }

    /// # Safety
    /// The processor has [`Set::Avx512`].
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
    unsafe fn with_avx512(self) -> R {
        self()
    }

    /// # Safety
    /// The processor has [`Set::Avx2`].
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn with_avx2(self) -> R {
        self()
    }
}

impl<R, F: FnOnce() -> R> Work<R> for F {}

/// Runs `work`, compiled for the instruction set in use (AVX-512, AVX2, or what the target always
/// has). What it calls has to be inlined into it to gain by this. Results are the same everywhere:
/// no multiplication and addition is fused unless it is written so.
#[inline(always)]
pub(super) fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    match instructions::used().set() {
        // SAFETY: the processor has the set that is used, and what was asked for.
        Set::Avx512 if permutes_bytes() => return unsafe { work.with_avx512_vbmi() },
        // SAFETY: the processor has the set that is used.
        Set::Avx512 => return unsafe { work.with_avx512() },
        // SAFETY: as above.
        Set::Avx2 => return unsafe { work.with_avx2() },
        Set::Neon | Set::Portable => {}
    }
    work()
}

/// Whether the bytes of a vector of sixteen can be shuffled.
#[inline(always)]
pub(super) fn shuffles_bytes() -> bool {
    matches!(instructions::used().set(), Set::Avx512 | Set::Avx2)
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

/// Neighbouring values that come from places close to each other: a vector from two.
pub(super) struct Window {
    start: usize,
    /// Behind the start, in bytes.
    places: [u8; 64],
}

impl Window {
    /// Windows for values at `places`: one for as many as fill a vector. None if places are too far
    /// from each other, or the machine does not [permute bytes](permutes_bytes).
    pub(super) fn list<T: Lane>(places: &[usize]) -> Option<Vec<Window>> {
        let size = size_of::<T>();
        let window = |places: &[usize]| {
            let start = *places.iter().min()?;
            // What is not filled is the first value.
            let mut window = Window { start, places: std::array::from_fn(|at| (at % size) as u8) };
            for (bytes, place) in window.places.chunks_exact_mut(size).zip(places) {
                for (byte, at) in bytes.iter_mut().zip((place - start) * size..) {
                    *byte = u8::try_from(at).ok().filter(|at| *at < 128)?;
                }
            }
            Some(window)
        };
        if permutes_bytes() { places.chunks(64 / size).map(window).collect() } else { None }
    }

    /// Its values among `from`, of which there have to be two vectors from its start on.
    #[inline(always)]
    pub(super) fn values<T: Lane, const LANES: usize>(&self, from: &[T]) -> [T; LANES] {
        const { assert!(LANES * size_of::<T>() == 64, "a vector") };
        let two = &from[self.start..][..2 * LANES];
        #[cfg(target_arch = "x86_64")]
        // SAFETY: there are windows only where the machine has what the function is compiled for,
        // and there are two vectors, and one to be filled.
        unsafe {
            let mut found = [T::default(); LANES];
            permute_two(two.as_ptr().cast(), &self.places, found.as_mut_ptr().cast());
            found
        }
        #[cfg(not(target_arch = "x86_64"))]
        std::array::from_fn(|lane| {
            two[usize::from(self.places[lane * size_of::<T>()]) / size_of::<T>()]
        })
    }
}

/// What any bytes are a value of.
pub(super) trait Lane: Copy + Default {}
impl Lane for u8 {}
impl Lane for i16 {}

/// Writes those of 128 bytes that are at `places`.
///
/// # Safety
/// There are 128 bytes at `two`, and room for 64 at `found`.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
unsafe fn permute_two(two: *const u8, places: &[u8; 64], found: *mut u8) {
    use std::arch::x86_64::*;

    // SAFETY: unaligned, and in bounds.
    unsafe {
        let first = _mm512_loadu_si512(two.cast());
        let second = _mm512_loadu_si512(two.add(64).cast());
        let places = _mm512_loadu_si512(places.as_ptr().cast());
        _mm512_storeu_si512(found.cast(), _mm512_permutex2var_epi8(first, places, second));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_find_the_values_at_their_places() {
        let values: [i16; 200] = std::array::from_fn(|i| (i * 301) as i16);
        // Triples that begin later and later, as neighbours in a row of pixels do.
        for step in 0..=5 {
            let places: Vec<usize> = (0..40).map(|i| i / 3 * step + i % 3).collect();
            let windows = Window::list::<i16>(&places);
            assert_eq!(windows.is_some(), permutes_bytes());
            let windows = windows.unwrap_or_default();
            let found = windows.iter().flat_map(|window| window.values::<_, 32>(&values));
            for (found, place) in found.zip(&places) {
                assert_eq!(found, values[*place], "step {step}");
            }
        }
        let far: Vec<usize> = (0..40).map(|i| i * 3).collect();
        assert!(Window::list::<i16>(&far).is_none());
    }
}
