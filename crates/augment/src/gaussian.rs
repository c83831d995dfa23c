//! Gaussian blur of floats, as OpenCV with its default border.

use super::parameters::Border;
use super::simd::vectorised;

/// `size` weights (an odd number) that add up to 1.
pub(super) fn kernel(size: usize, sigma: f64) -> Vec<f32> {
    let middle = (size / 2) as f64;
    let weights: Vec<f64> =
        (0..size).map(|at| libm::exp(-0.5 * ((at as f64 - middle) / sigma).powi(2))).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| (weight / sum) as f32).collect()
}

/// Blurs `values` [height, width, channels] with `kernel` in both directions.
pub(super) fn blur(values: &mut [f32], [height, width, channels]: [usize; 3], kernel: &[f32]) {
    let radius = kernel.len() / 2;
    let row_len = width * channels;
    let place = |at: usize, length: usize| {
        let at = at as isize - radius as isize;
        Border::Reflect101.place(at, length).unwrap_or(0)
    };
    let mut across = vec![0.0f32; values.len()];
    let mut padded = vec![0.0f32; (width + 2 * radius) * channels];
    vectorised(
        #[inline(always)]
        || {
            for (row, out) in values.chunks_exact(row_len).zip(across.chunks_exact_mut(row_len)) {
                for (at, pixel) in padded.chunks_exact_mut(channels).enumerate() {
                    pixel.copy_from_slice(&row[place(at, width) * channels..][..channels]);
                }
                for (tap, weight) in kernel.iter().enumerate() {
                    let shifted = &padded[tap * channels..][..row_len];
                    for (out, value) in out.iter_mut().zip(shifted) {
                        *out += weight * value;
                    }
                }
            }
            for (row, out) in values.chunks_exact_mut(row_len).enumerate() {
                out.fill(0.0);
                for (tap, weight) in kernel.iter().enumerate() {
                    let source = &across[place(row + tap, height) * row_len..][..row_len];
                    for (out, value) in out.iter_mut().zip(source) {
                        *out += weight * value;
                    }
                }
            }
        },
    );
}
