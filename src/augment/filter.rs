//! Filters: every value becomes a weighted sum of those around it. Beyond its edges an image goes on
//! mirrored (reflect-101), and sums are rounded to the nearest whole number, halves to even: OpenCV's
//! `filter2D` and `sepFilter2D`.

use super::image::{Frame, Image};
use super::parameters::Border;
use super::simd::vectorised;

/// Values that are computed together: four of the widest vectors of f32.
const LANES: usize = 64;

/// The odd, greatest size of a kernel. Sums of so many rows of bytes fit in 16 bits.
pub(super) const LARGEST_KERNEL: usize = 255;

/// Where the values beyond both ends of a row come from: pairs of places in a row that has `radius`
/// pixels more on each side.
pub(super) struct Mirror(Vec<(usize, usize)>);

impl Mirror {
    /// For rows of `frame`.
    pub(super) fn new(frame: Frame, radius: usize, border: Border) -> Mirror {
        let Frame { width, channels, .. } = frame;
        let left = -(radius as isize)..0;
        let right = width as isize..(width + radius) as isize;
        let pixels = left.chain(right).filter_map(|at| {
            let from = border.place(at, width)?;
            Some(((at + radius as isize) as usize, from + radius))
        });
        let values = pixels.flat_map(|(to, from)| {
            (0..channels).map(move |c| (to * channels + c, from * channels + c))
        });
        Mirror(values.collect())
    }

    /// Fills both ends of `row`.
    #[inline(always)]
    pub(super) fn extend<T: Copy>(&self, row: &mut [T]) {
        for &(to, from) in &self.0 {
            row[to] = row[from];
        }
    }
}

/// The bytes nearest to sums.
#[inline(always)]
fn round(sums: &[f32; LANES], into: &mut [u8]) {
    let mut bytes = [0; LANES];
    for (byte, sum) in bytes.iter_mut().zip(sums) {
        // From 2^23 on an f32 has no room for fractions: this rounds, and the byte is in its last bits.
        *byte = (sum.clamp(0.0, 255.0) + 8_388_608.0).to_bits() as u8;
    }
    into.copy_from_slice(&bytes[..into.len()]);
}

/// Correlates the image with a kernel of odd size, whose rows lie one after the other.
pub(super) fn correlate(image: &mut Image, kernel: &[f32], size: usize) {
    let frame = image.frame();
    let Frame { height, channels, .. } = frame;
    let radius = size / 2;
    let row_bytes = frame.width * channels;
    let mirror = Mirror::new(frame, radius, Border::Reflect101);
    let stride = row_bytes + 2 * radius * channels + LANES;
    let mut rows = vec![0.0f32; stride * size];
    // Kernels of motion are lines and those of defocus discs: most of their weights are 0.
    let taps: Vec<(usize, usize, f32)> = (0..size * size)
        .map(|i| (i / size, i % size * channels, kernel[i]))
        .filter(|&(_, _, weight)| weight != 0.0)
        .collect();
    image.rewrite(frame, |from, into| {
        vectorised(
            #[inline(always)]
            || {
                let mut places = vec![(0, 0.0); taps.len()];
                for (row, y) in (0..height + 2 * radius).zip(-(radius as isize)..) {
                    let source = Border::Reflect101.place(y, height).unwrap_or(0);
                    let slot = &mut rows[row % size * stride..][..stride];
                    let inner = &mut slot[radius * channels..][..row_bytes];
                    for (to, from) in inner.iter_mut().zip(&from[source * row_bytes..]) {
                        *to = f32::from(*from);
                    }
                    mirror.extend(slot);
                    let Some(row) = row.checked_sub(2 * radius) else { continue };
                    for (place, (dy, dx, weight)) in places.iter_mut().zip(&taps) {
                        *place = ((row + dy) % size * stride + dx, *weight);
                    }
                    let out = &mut into[row * row_bytes..][..row_bytes];
                    for (out, x) in out.chunks_mut(LANES).zip((0..).step_by(LANES)) {
                        let mut sums = [0.0f32; LANES];
                        for (place, weight) in &places {
                            let values: &[f32; LANES] = rows[place + x..].first_chunk().unwrap();
                            for (sum, value) in sums.iter_mut().zip(values) {
                                *sum = value.mul_add(*weight, *sum);
                            }
                        }
                        round(&sums, out);
                    }
                }
            },
        );
    });
}

/// Correlates rows and columns with a symmetric kernel of which `half` is the middle and what
/// follows.
pub(super) fn correlate_separable(image: &mut Image, half: &[f32]) {
    let frame = image.frame();
    let Frame { height, channels, .. } = frame;
    let radius = half.len() - 1;
    let row_bytes = frame.width * channels;
    let mirror = Mirror::new(frame, radius, Border::Reflect101);
    let margin = radius * channels;
    let mut column_sums = vec![0.0f32; row_bytes + 2 * margin + LANES];
    image.rewrite(frame, |from, into| {
        vectorised(
            #[inline(always)]
            || {
                for (out, y) in into.chunks_exact_mut(row_bytes).zip(0..) {
                    let row = |dy: isize| {
                        let y = Border::Reflect101.place(y + dy, height).unwrap_or(0);
                        &from[y * row_bytes..][..row_bytes]
                    };
                    let sums = &mut column_sums[margin..][..row_bytes];
                    for (sum, value) in sums.iter_mut().zip(row(0)) {
                        *sum = f32::from(*value) * half[0];
                    }
                    for (weight, dy) in half.iter().zip(0..).skip(1) {
                        for ((sum, above), below) in sums.iter_mut().zip(row(-dy)).zip(row(dy)) {
                            let pair = f32::from(u16::from(*above) + u16::from(*below));
                            *sum = pair.mul_add(*weight, *sum);
                        }
                    }
                    mirror.extend(&mut column_sums);
                    for (out, x) in out.chunks_mut(LANES).zip((margin..).step_by(LANES)) {
                        let at = |place: usize| -> &[f32; LANES] {
                            column_sums[place..].first_chunk().unwrap()
                        };
                        let mut sums = at(x).map(|value| value * half[0]);
                        for (weight, dx) in half.iter().zip((0..).step_by(channels)).skip(1) {
                            let (before, after) = (at(x - dx), at(x + dx));
                            for i in 0..LANES {
                                sums[i] = (before[i] + after[i]).mul_add(*weight, sums[i]);
                            }
                        }
                        round(&sums, out);
                    }
                }
            },
        );
    });
}
