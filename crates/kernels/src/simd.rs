//! Vectors of f32 for the instruction sets that the kernels know, chosen at run time.

#[cfg(target_arch = "aarch64")]
mod arm;
#[cfg(target_arch = "x86_64")]
mod x86;

use candlewick_basis::instructions::{self, Available, Set};

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

    /// Registers, each [loaded](Simd::load) from its own place. `std::array::from_fn` is not always inlined into
    /// functions with the instructions, and then each load is a call.
    ///
    /// # Safety
    /// `WIDTH` numbers can be read at all places.
    #[inline(always)]
    unsafe fn load_each<const N: usize>(place: impl Fn(usize) -> *const f32) -> [Self; N] {
        let mut loaded = [Self::splat(0.0); N];
        for i in 0..N {
            // SAFETY: the caller's promise.
            loaded[i] = unsafe { Self::load(place(i)) };
        }
        loaded
    }

    /// # Safety
    /// `to` points to `WIDTH` writable numbers.
    unsafe fn store(self, to: *mut f32);

    /// As [`store`](Simd::store), by a streaming (non-temporal) store where the set has one; other threads may
    /// read the numbers after a [`fence`].
    ///
    /// # Safety
    /// As `store`, and `to` is a multiple of the register's bytes.
    #[inline(always)]
    unsafe fn stream(self, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { self.store(to) }
    }

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

    /// Where self > other; NaN compares false.
    fn above(self, other: Self) -> Self::Mask;

    /// Where self = other; NaN compares false.
    fn equals(self, other: Self) -> Self::Mask;

    /// Where the maximum of self and other is self: self ≥ other, or self is NaN.
    fn keeps(self, other: Self) -> Self::Mask;

    /// `yes` where the mask holds, else `no`.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;
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
        Portable(fused(self.0, factor.0, sum.0))
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
}

/// `a · b + c`, rounded once, without an instruction for it. A call costs less than the code does where it is
/// inlined hundreds of times.
#[inline(never)]
fn fused(a: [f32; 8], b: [f32; 8], c: [f32; 8]) -> [f32; 8] {
    std::array::from_fn(|i| {
        // The product of two f32 is exact in f64. The sum is rounded to odd (Boldo and Melquiond, "Emulation of
        // a FMA and correctly rounded sums", 2008), after which rounding to f32 is as if there had been one.
        let (product, c) = (f64::from(a[i]) * f64::from(b[i]), f64::from(c[i]));
        let sum = product + c;
        let of_c = sum - product;
        let error = (product - (sum - of_c)) + (c - of_c);
        let bits = sum.to_bits();
        // Infinite terms leave NaN, which compares false.
        let inexact = error.abs() > 0.0;
        let away = (error > 0.0) == (sum > 0.0);
        let odd = if away { bits.wrapping_add(1) } else { bits.wrapping_sub(1) };
        f64::from_bits(if inexact && bits & 1 == 0 { odd } else { bits }) as f32
    })
}

/// Prefetches the cache line at an address, which need not be readable.
#[inline(always)]
pub(super) fn prefetch(at: *const f32) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, which changes nothing and faults nowhere.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
    }
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    // SAFETY: as above.
    unsafe {
        std::arch::asm!(
            "prfm pldl1keep, [{at}]",
            at = in(reg) at,
            options(nostack, readonly, preserves_flags)
        );
    }
    #[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
    let _ = at;
}

/// Orders streaming stores before all later stores, so that other threads see them.
#[inline(always)]
pub(super) fn fence() {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: every processor of this kind has the instruction, which changes no number.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

/// A computation that is compiled once for each instruction set. `run` and all that it calls have
/// to be inlined for this to work.
///
/// The functions that have the instructions are methods, not functions beside the trait: the compiler puts a
/// method's machine code into the unit of the type that it belongs to. So a change in one kernel compiles the
/// units of its own file, not one unit with the kernels of all files.
pub(super) trait Kernel: Sized {
    /// What is computed.
    type Out;

    /// The computation with vectors of type `V`.
    fn run<V: Simd>(self) -> Self::Out;

    /// The computation with AVX-512.
    ///
    /// # Safety
    /// The processor has [`Set::Avx512`].
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,bmi2")]
    unsafe fn run_avx512(self) -> Self::Out {
        self.run::<x86::Avx512>()
    }

    /// The computation with AVX2 and FMA.
    ///
    /// # Safety
    /// The processor has [`Set::Avx2`].
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn run_avx2(self) -> Self::Out {
        self.run::<x86::Avx2>()
    }

    /// The computation with what every processor of this kind has.
    #[inline(never)]
    fn run_portable(self) -> Self::Out {
        self.run::<Portable>()
    }
}

/// A computation without vectors of its own, which the compiler vectorises for each set.
impl<Out, F: FnOnce() -> Out> Kernel for F {
    type Out = Out;

    #[inline(always)]
    fn run<V: Simd>(self) -> Out {
        self()
    }
}

/// Runs `kernel` with the instructions that the program [uses](instructions::used).
pub(super) fn dispatch<K: Kernel>(kernel: K) -> K::Out {
    run_with(instructions::used(), kernel)
}

/// Runs `kernel` with the instructions of `available`.
fn run_with<K: Kernel>(available: Available, kernel: K) -> K::Out {
    #[cfg(target_arch = "x86_64")]
    match available.set() {
        // SAFETY: this processor has the set, as `available` proves.
        Set::Avx512 => return unsafe { kernel.run_avx512() },
        // SAFETY: as above.
        Set::Avx2 => return unsafe { kernel.run_avx2() },
        Set::Neon | Set::Portable => {}
    }
    #[cfg(target_arch = "aarch64")]
    if available.set() == Set::Neon {
        return kernel.run::<arm::Neon>();
    }
    kernel.run_portable()
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

    /// An aligned cache line, as streaming stores need it.
    #[repr(align(64))]
    struct Line([f32; 16]);

    impl Kernel for Everything<'_> {
        type Out = ([[f32; 16]; 7], [f32; 256], Line);

        #[inline(always)]
        fn run<V: Simd>(self) -> Self::Out {
            let (mut found, mut turned) = ([[0.0; 16]; 7], [0.0; 256]);
            let mut line = Line([0.0; 16]);
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
                    a.stream(&mut line.0[at]);
                }
            }
            // SAFETY: as above.
            unsafe { V::transpose(self.square.as_ptr(), 16, turned.as_mut_ptr(), 16) };
            fence();
            (found, turned, line)
        }
    }

    #[test]
    fn every_set_of_this_processor_computes_what_is_written() {
        let a: [f32; 16] = std::array::from_fn(|i| if i == 5 { f32::NAN } else { i as f32 - 6.5 });
        let mut b: [f32; 16] = std::array::from_fn(|i| 0.25 * i as f32 - 1.0);
        (b[6], b[7]) = (f32::NAN, a[7]);
        let square: [f32; 256] = std::array::from_fn(|i| i as f32);
        for available in Available::all() {
            let set = available.set();
            let kernel = Everything { a: &a, b: &b, square: &square };
            let ([fma, add, sub, relu, above, equal, kept], turned, line) =
                run_with(available, kernel);
            for i in 0..16 {
                let same = |found: f32, expected: f32| {
                    let error = (found - expected).abs();
                    assert!(found.is_nan() == expected.is_nan(), "{set:?} {i}: {found}");
                    assert!(found.is_nan() || error < 1e-6, "{set:?} {i}: {found}, {expected}");
                };
                same(line.0[i], a[i]);
                same(fma[i], a[i].mul_add(b[i], 0.5));
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
        }
    }

    proptest::proptest! {
        #[test]
        fn without_the_instruction_a_product_and_sum_is_rounded_once(
            a: [u32; 8], b: [u32; 8], c: [u32; 8], near: [i8; 8]
        ) {
            let [a, b, mut c] = [a, b, c].map(|bits| bits.map(f32::from_bits));
            // Half of the sums almost cancel, where rounding twice would show.
            for i in 0..4 {
                c[i] = -a[i] * b[i] * (1.0 + f32::from(near[i]) * f32::EPSILON);
            }
            let found = fused(a, b, c);
            for i in 0..8 {
                let expected = a[i].mul_add(b[i], c[i]);
                let same = found[i].to_bits() == expected.to_bits()
                    || found[i].is_nan() && expected.is_nan();
                proptest::prop_assert!(same, "{} · {} + {}: {}", a[i], b[i], c[i], found[i]);
            }
        }
    }
}
