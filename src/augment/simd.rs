//! Loops that the compiler turns into the widest vectors of the machine.

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
    pulp::Arch::new().dispatch(Work(work))
}
