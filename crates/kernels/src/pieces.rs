//! Element by element over long rows of numbers, by all threads.
//!
//! Each element is computed on its own, so where pieces begin and end changes no bit.

use rayon::prelude::*;

use super::simd::dispatch;

/// Numbers in one piece: enough to outweigh handing it to a thread.
pub(super) const PIECE: usize = 1 << 15;

/// `sum += more`.
pub(super) fn add_to(sum: &mut [f32], more: &[f32]) {
    sum.par_chunks_mut(PIECE).zip(more.par_chunks(PIECE)).for_each(|(sum, more)| {
        dispatch(
            #[inline(always)]
            || sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more),
        );
    });
}

/// The sum of equally long parts; each element is added up from the first part to the last.
pub(super) fn sum_in_order(parts: Vec<Vec<f32>>) -> Vec<f32> {
    let mut parts = parts.into_iter();
    let mut total = parts.next().unwrap_or_default();
    let rest: Vec<Vec<f32>> = parts.collect();
    total.par_chunks_mut(PIECE).enumerate().for_each(|(piece, total)| {
        let range = piece * PIECE..piece * PIECE + total.len();
        for part in &rest {
            let part = &part[range.clone()];
            dispatch(
                #[inline(always)]
                || total.iter_mut().zip(part).for_each(|(sum, more)| *sum += more),
            );
        }
    });
    total
}
