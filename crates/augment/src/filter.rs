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

/// Rows of values are computed in blocks of so many: the vectorised loops then leave no rest.
pub(super) const BLOCK: usize = 64;

/// The rows of an image, each lengthened to whole blocks by whatever follows.
pub(super) struct Rows<'a> {
    values: &'a [u8],
    /// The last rows again, with room behind them.
    last: Vec<u8>,
    row_bytes: usize,
    height: usize,
}

/// The length of a row of `row_bytes` that [`Rows`] has lengthened.
pub(super) fn lengthened(row_bytes: usize) -> usize {
    row_bytes.next_multiple_of(BLOCK)
}

impl<'a> Rows<'a> {
    /// The rows of the `values` of an image of `frame`.
    pub(super) fn new(frame: Frame, values: &'a [u8]) -> Rows<'a> {
        let row_bytes = frame.width * frame.channels;
        let lacking = lengthened(row_bytes).div_ceil(row_bytes).min(frame.height);
        let mut last = values[values.len() - lacking * row_bytes..].to_vec();
        last.resize(last.len() + BLOCK, 0);
        Rows { values, last, row_bytes, height: frame.height }
    }

    /// The row at `y`, which may lie outside, where `border` tells what is there.
    #[inline(always)]
    pub(super) fn at(&self, y: isize, border: Border) -> &[u8] {
        let length = lengthened(self.row_bytes);
        let start = border.place(y, self.height).unwrap_or(0) * self.row_bytes;
        match self.values.get(start..start + length) {
            Some(row) => row,
            None => &self.last[self.last.len() - BLOCK - (self.values.len() - start)..][..length],
        }
    }
}

/// `N` views of `row`, each of so many `blocks`, from `places` on.
#[inline(always)]
pub(super) fn views<T, const N: usize>(
    row: &[T],
    places: [usize; N],
    blocks: usize,
) -> [&[[T; BLOCK]]; N] {
    // Not by `map`, which is not inlined.
    let mut views = [&row.as_chunks::<BLOCK>().0[..0]; N];
    for i in 0..N {
        views[i] = &row[places[i]..].as_chunks::<BLOCK>().0[..blocks];
    }
    views
}

/// The bytes nearest to sums.
#[inline(always)]
fn round(sums: &[f32], bytes: &mut [u8]) {
    let (sums, _) = sums.as_chunks::<BLOCK>();
    for (bytes, sums) in bytes.as_chunks_mut::<BLOCK>().0.iter_mut().zip(sums) {
        for i in 0..BLOCK {
            // From 2^23 on an f32 has no room for fractions: this rounds, and the byte is in its
            // last bits.
            bytes[i] = (sums[i].clamp(0.0, 255.0) + 8_388_608.0).to_bits() as u8;
        }
    }
}

/// Adds to `sums` what lies in `rows` from each of `N` places on, times its weight.
#[inline(always)]
fn accumulate<const N: usize>(sums: &mut [f32], rows: &[f32], taps: &[(usize, f32); N]) {
    let (mut places, mut weights) = ([0; N], [0.0; N]);
    for i in 0..N {
        (places[i], weights[i]) = taps[i];
    }
    let (sums, _) = sums.as_chunks_mut::<BLOCK>();
    let views = views(rows, places, sums.len());
    for (block, sums) in sums.iter_mut().enumerate() {
        let mut values = [&[0.0; BLOCK]; N];
        for n in 0..N {
            values[n] = &views[n][block];
        }
        for i in 0..BLOCK {
            let mut sum = sums[i];
            for n in 0..N {
                sum = values[n][i].mul_add(weights[n], sum);
            }
            sums[i] = sum;
        }
    }
}

/// Correlates the image with a kernel of odd size, whose rows lie one after the other.
pub(super) fn correlate(image: &mut Image, kernel: &[f32], size: usize) {
    let frame = image.frame();
    image.rewrite(frame, |from, into| {
        vectorised(
            #[inline(always)]
            || correlate_rows(frame, from, into, kernel, size),
        );
    });
}

#[inline(always)]
fn correlate_rows(frame: Frame, from: &[u8], into: &mut [u8], kernel: &[f32], size: usize) {
    let Frame { height, width, channels } = frame;
    let radius = size / 2;
    let row_bytes = width * channels;
    let length = lengthened(row_bytes);
    let image = Rows::new(frame, from);
    let mirror = Mirror::new(frame, radius, Border::Reflect101);
    // Kernels of motion are lines and those of defocus discs: most of their weights are 0.
    let taps: Vec<(usize, usize, f32)> = (0..size * size)
        .map(|i| (i / size, i % size * channels, kernel[i]))
        .filter(|&(_, _, weight)| weight != 0.0)
        .collect();
    // The rows under the kernel; each new one replaces the oldest.
    let stride = length + 2 * radius * channels;
    let mut rows = vec![0.0f32; stride * size];
    let mut places = vec![(0, 0.0f32); taps.len()];
    let mut sums = vec![0.0f32; length];
    let mut bytes = vec![0; length];
    for (row, y) in (0..height + 2 * radius).zip(-(radius as isize)..) {
        let slot = &mut rows[row % size * stride..][..stride];
        let (inner, _) = slot[radius * channels..][..length].as_chunks_mut::<BLOCK>();
        let (row_of_image, _) = image.at(y, Border::Reflect101).as_chunks::<BLOCK>();
        for (to, from) in inner.iter_mut().zip(row_of_image) {
            for i in 0..BLOCK {
                to[i] = f32::from(from[i]);
            }
        }
        mirror.extend(slot);
        let Some(row) = row.checked_sub(2 * radius) else { continue };
        for (place, (dy, dx, weight)) in places.iter_mut().zip(&taps) {
            *place = ((row + dy) % size * stride + dx, *weight);
        }
        sums.fill(0.0);
        // As many at a time as registers hold.
        let (groups, rest) = places.as_chunks::<9>();
        for taps in groups {
            accumulate(&mut sums, &rows, taps);
        }
        let (groups, rest) = rest.as_chunks::<3>();
        for taps in groups {
            accumulate(&mut sums, &rows, taps);
        }
        for tap in rest {
            accumulate(&mut sums, &rows, &[*tap]);
        }
        round(&sums, &mut bytes);
        into[row * row_bytes..][..row_bytes].copy_from_slice(&bytes[..row_bytes]);
    }
}

/// Correlates rows and columns with a symmetric kernel of which `half` is the middle and what
/// follows.
pub(super) fn correlate_separable(image: &mut Image, half: &[f32]) {
    let frame = image.frame();
    image.rewrite(frame, |from, into| {
        vectorised(
            #[inline(always)]
            || correlate_separable_rows(frame, from, into, half),
        );
    });
}

#[inline(always)]
fn correlate_separable_rows(frame: Frame, from: &[u8], into: &mut [u8], half: &[f32]) {
    let Frame { width, channels, .. } = frame;
    let radius = half.len() - 1;
    let row_bytes = width * channels;
    let length = lengthened(row_bytes);
    let margin = radius * channels;
    let image = Rows::new(frame, from);
    let mirror = Mirror::new(frame, radius, Border::Reflect101);
    let mut columns = vec![0.0f32; length + 2 * margin];
    let mut sums = vec![0.0f32; length];
    let mut bytes = vec![0; length];
    // Two pairs at a time; a last single pair is accompanied by itself without weight.
    let pairs: Vec<[(usize, f32); 2]> = (1..=radius)
        .step_by(2)
        .map(|near| {
            [(near, half[near]), half.get(near + 1).map_or((near, 0.0), |w| (near + 1, *w))]
        })
        .collect();
    for (out, y) in into.chunks_exact_mut(row_bytes).zip(0..) {
        let row = |y: isize| image.at(y, Border::Reflect101).as_chunks::<BLOCK>().0;
        let (inner, _) = columns[margin..][..length].as_chunks_mut::<BLOCK>();
        for (sums, values) in inner.iter_mut().zip(row(y)) {
            for i in 0..BLOCK {
                sums[i] = f32::from(values[i]) * half[0];
            }
        }
        for &[(near, weight), (far, other)] in &pairs {
            let (near, far) = (near as isize, far as isize);
            let near = row(y - near).iter().zip(row(y + near));
            let far = row(y - far).iter().zip(row(y + far));
            for ((sums, (a, b)), (c, d)) in inner.iter_mut().zip(near).zip(far) {
                for i in 0..BLOCK {
                    let near = f32::from(u16::from(a[i]) + u16::from(b[i]));
                    let far = f32::from(u16::from(c[i]) + u16::from(d[i]));
                    sums[i] = far.mul_add(other, near.mul_add(weight, sums[i]));
                }
            }
        }
        mirror.extend(&mut columns);
        for (sum, value) in sums.iter_mut().zip(&columns[margin..]) {
            *sum = value * half[0];
        }
        for &[(near, weight), (far, other)] in &pairs {
            let (near, far) = (near * channels, far * channels);
            let places = [margin - near, margin + near, margin - far, margin + far];
            let (sums, _) = sums.as_chunks_mut::<BLOCK>();
            let views = views(&columns, places, sums.len());
            for (block, sums) in sums.iter_mut().enumerate() {
                let [a, b, c, d] =
                    [&views[0][block], &views[1][block], &views[2][block], &views[3][block]];
                for i in 0..BLOCK {
                    let near = (a[i] + b[i]).mul_add(weight, sums[i]);
                    sums[i] = (c[i] + d[i]).mul_add(other, near);
                }
            }
        }
        round(&sums, &mut bytes);
        out.copy_from_slice(&bytes[..row_bytes]);
    }
}
