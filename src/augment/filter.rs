//! Filters: every value becomes a weighted sum of those around it. Beyond its edges an image goes on
//! mirrored (reflect-101), and sums are rounded to the nearest whole number, halves to even: OpenCV's
//! `filter2D` and `sepFilter2D`.

use super::image::{Frame, Image};
use super::parameters::Border;
use super::simd::vectorised;

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

/// `N` views of `row`, each of `length` values, from `places` on.
#[inline(always)]
pub(super) fn views<T, const N: usize>(row: &[T], places: [usize; N], length: usize) -> [&[T]; N] {
    places.map(|place| &row[place..][..length])
}

/// The bytes nearest to sums.
#[inline(always)]
fn round(sums: &[f32], bytes: &mut [u8]) {
    for (byte, sum) in bytes.iter_mut().zip(sums) {
        // From 2^23 on an f32 has no room for fractions: this rounds, and the byte is in its last
        // bits.
        *byte = (sum.clamp(0.0, 255.0) + 8_388_608.0).to_bits() as u8;
    }
}

/// Adds to `sums` what lies in `rows` from each of `N` places on, times its weight.
#[inline(always)]
fn accumulate<const N: usize>(sums: &mut [f32], rows: &[f32], taps: &[(usize, f32); N]) {
    let length = sums.len();
    let views = views(rows, taps.map(|(place, _)| place), length);
    for i in 0..length {
        let mut sum = sums[i];
        for (view, (_, weight)) in views.iter().zip(taps) {
            sum = view[i].mul_add(*weight, sum);
        }
        sums[i] = sum;
    }
}

/// Correlates the image with a kernel of odd size, whose rows lie one after the other.
pub(super) fn correlate(image: &mut Image, kernel: &[f32], size: usize) {
    let frame = image.frame();
    let Frame { height, channels, .. } = frame;
    let radius = size / 2;
    let row_bytes = frame.width * channels;
    let mirror = Mirror::new(frame, radius, Border::Reflect101);
    let stride = row_bytes + 2 * radius * channels;
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
                let mut places = vec![(0, 0.0f32); taps.len()];
                let mut sums = vec![0.0f32; row_bytes];
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
                    sums.fill(0.0);
                    // As many at a time as registers hold.
                    let (groups, rest) = places.as_chunks::<9>();
                    groups.iter().for_each(|taps| accumulate(&mut sums, &rows, taps));
                    let (groups, rest) = rest.as_chunks::<3>();
                    groups.iter().for_each(|taps| accumulate(&mut sums, &rows, taps));
                    rest.iter().for_each(|tap| accumulate(&mut sums, &rows, &[*tap]));
                    round(&sums, &mut into[row * row_bytes..][..row_bytes]);
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
    let mut sums_across = vec![0.0f32; row_bytes];
    let mut column_sums = vec![0.0f32; row_bytes + 2 * margin];
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
                    let mut weights = half.iter().zip(0..).skip(1);
                    while let Some((weight, dy)) = weights.next() {
                        // Two pairs of rows at a time; a last single pair is paired with no weight.
                        let (other, far) = weights.next().map_or((&0.0, dy), |(w, dy)| (w, dy));
                        let [a, b, c, d] = [-dy, dy, -far, far].map(row);
                        for i in 0..row_bytes {
                            let near = f32::from(u16::from(a[i]) + u16::from(b[i]));
                            let far = f32::from(u16::from(c[i]) + u16::from(d[i]));
                            sums[i] = far.mul_add(*other, near.mul_add(*weight, sums[i]));
                        }
                    }
                    mirror.extend(&mut column_sums);
                    for (sum, value) in sums_across.iter_mut().zip(&column_sums[margin..]) {
                        *sum = value * half[0];
                    }
                    let pairs = half.iter().zip((0..).step_by(channels)).skip(1);
                    let mut pairs = pairs.map(|(weight, dx)| (margin - dx, margin + dx, *weight));
                    while let Some(first) = pairs.next() {
                        let second = pairs.next().unwrap_or((first.0, first.1, 0.0));
                        let places = [first.0, first.1, second.0, second.1];
                        let [a, b, c, d] = views(&column_sums, places, row_bytes);
                        for (i, sum) in sums_across.iter_mut().enumerate() {
                            let near = (a[i] + b[i]).mul_add(first.2, *sum);
                            *sum = (c[i] + d[i]).mul_add(second.2, near);
                        }
                    }
                    round(&sums_across, out);
                }
            },
        );
    });
}
