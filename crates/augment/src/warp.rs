//! Images seen through a map: every pixel of the new image is looked up where the map says.
//!
//! Places outside of the image need no branch: the map's coordinates are folded back into it as the
//! border wants, and a margin around a copy of the image holds what lies next to its edges. What is
//! left is the same for every pixel, and loops over it become vectors.

use super::image::{Frame, Image};
use super::parameters::{Border, Fill, Interpolation};
use super::simd::vectorised;

/// Pixels around the copy of an image: as many as cubic interpolation reaches beyond the last place
/// at which it is asked.
const MARGIN: usize = 4;

/// How a map is followed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sampling {
    /// How a value between pixels is found; `area` is linear here, as in OpenCV.
    pub(super) interpolation: Interpolation,
    /// What lies outside.
    pub(super) border: Border,
    /// The colour outside if the border is constant.
    pub(super) fill: Fill,
}

/// Gives every pixel the value that the image has at the coordinates which `map` writes for its row:
/// `map(row, xs, ys)`, where (0, 0) is the centre of the first pixel. As OpenCV's `remap` of
/// version 5, which interpolates in floating point.
pub(super) fn warp(
    image: &mut Image,
    sampling: Sampling,
    map: impl Fn(usize, &mut [f32], &mut [f32]),
) {
    let frame = image.frame();
    image.rewrite(frame, |from, to| {
        vectorised(
            #[inline(always)]
            || match frame.channels {
                1 => warp_channels::<1>(frame, sampling, from, to, map),
                _ => warp_channels::<3>(frame, sampling, from, to, map),
            },
        );
    });
}

#[inline(always)]
fn warp_channels<const C: usize>(
    frame: Frame,
    Sampling { interpolation, border, fill }: Sampling,
    from: &[u8],
    to: &mut [u8],
    map: impl Fn(usize, &mut [f32], &mut [f32]),
) {
    let Frame { height, width, .. } = frame;
    let source = with_margin::<C>(frame, border, fill, from);
    let stride = (width + 2 * MARGIN) * C;
    let (mut xs, mut ys) = (vec![0.0; width], vec![0.0; width]);
    let mut rows = Rows::default();
    for (y, row) in to.chunks_exact_mut(width * C).enumerate() {
        map(y, &mut xs, &mut ys);
        if interpolation == Interpolation::Nearest {
            xs.iter_mut().chain(&mut ys).for_each(|at| *at = at.round_ties_even());
        }
        fold(border, width, &mut xs);
        fold(border, height, &mut ys);
        match interpolation {
            Interpolation::Nearest => nearest::<C>(&source, stride, &xs, &ys, row, &mut rows),
            Interpolation::Linear | Interpolation::Area => {
                linear::<C>(&source, stride, &xs, &ys, row, &mut rows);
            }
            Interpolation::Cubic => cubic::<C>(&source, stride, &xs, &ys, row, &mut rows),
        }
    }
}

/// A copy of the image with [`MARGIN`] pixels of `border` on each side, and a few bytes behind it so
/// that the last pixel can be read with its successors.
#[inline(always)]
fn with_margin<const C: usize>(frame: Frame, border: Border, fill: Fill, from: &[u8]) -> Vec<u8> {
    let Frame { height, width, .. } = frame;
    let stride = (width + 2 * MARGIN) * C;
    let mut copy = vec![0; stride * (height + 2 * MARGIN) + 16];
    let fill = &fill.channels()[..C];
    let place = |at: usize, length| border.place(at as isize - MARGIN as isize, length);
    let fill_with = |pixels: &mut [u8]| {
        pixels.chunks_exact_mut(C).for_each(|pixel| pixel.copy_from_slice(fill));
    };
    for (y, row) in copy.chunks_exact_mut(stride).take(height + 2 * MARGIN).enumerate() {
        let Some(y) = place(y, height) else {
            fill_with(row);
            continue;
        };
        let source = &from[y * width * C..][..width * C];
        row[MARGIN * C..][..width * C].copy_from_slice(source);
        for x in (0..MARGIN).chain(MARGIN + width..2 * MARGIN + width) {
            let pixel = &mut row[x * C..][..C];
            match place(x, width) {
                Some(x) => pixel.copy_from_slice(&source[x * C..][..C]),
                None => fill_with(pixel),
            }
        }
    }
    copy
}

/// Folds coordinates into the image of `length`, or into what its margin continues without change,
/// and counts them from the edge of the margin. Numbers that are not finite end up there too.
#[inline(always)]
fn fold(border: Border, length: usize, at: &mut [f32]) {
    let n = length as f32;
    let reach = MARGIN as f32 - 2.0;
    let (low, high) = (-reach, n - 1.0 + reach);
    // A comparison that is false for NaN, so that it, too, is cut.
    let cut = |at: f32| {
        let at = if at > low { at } else { low };
        (if at < high { at } else { high }) + MARGIN as f32
    };
    match border {
        Border::Constant | Border::Replicate => at.iter_mut().for_each(|at| *at = cut(*at)),
        Border::Wrap => at.iter_mut().for_each(|at| *at = cut(*at - n * (*at / n).floor())),
        Border::Reflect => at.iter_mut().for_each(|at| {
            let period = 2.0 * n;
            let round = *at - period * ((*at + 0.5) / period).floor();
            let back = period - 1.0 - round;
            *at = cut(if round < back { round } else { back });
        }),
        Border::Reflect101 => at.iter_mut().for_each(|at| {
            let period = (2.0 * n - 2.0).max(1.0);
            let round = *at - period * (*at / period).floor();
            let back = if length == 1 { 0.0 } else { period - round };
            *at = cut(if round < back { round } else { back });
        }),
    }
}

#[inline(always)]
fn nearest<const C: usize>(
    source: &[u8],
    stride: usize,
    xs: &[f32],
    ys: &[f32],
    row: &mut [u8],
    rows: &mut Rows,
) {
    locate::<C>(stride, xs, ys, &mut rows.offsets);
    let (pixels, _) = row.as_chunks_mut::<C>();
    for (pixel, offset) in pixels.iter_mut().zip(&rows.offsets) {
        *pixel = read(source, *offset as usize);
    }
}

/// Where in the copy of an image the pixels lie that hold these coordinates.
#[inline(always)]
fn locate<const C: usize>(stride: usize, xs: &[f32], ys: &[f32], offsets: &mut Vec<i32>) {
    offsets.resize(xs.len(), 0);
    for ((offset, x), y) in offsets.iter_mut().zip(xs).zip(ys) {
        *offset = whole(*y) * stride as i32 + whole(*x) * C as i32;
    }
}

/// Some bytes of the copy of an image.
#[inline(always)]
fn read<const N: usize>(source: &[u8], at: usize) -> [u8; N] {
    debug_assert!(at + N <= source.len());
    // SAFETY: `fold` leaves coordinates whose pixels and their neighbours lie in the image and its
    // margin, behind which there are as many bytes as are ever read. To ask for each pixel costs as
    // much as to read it.
    unsafe { source.as_ptr().add(at).cast::<[u8; N]>().read() }
}

/// The whole part of a folded coordinate, of a part of one in 32768ths, or of a byte.
#[inline(always)]
fn whole(at: f32) -> i32 {
    // SAFETY: `fold` leaves numbers from 0 to the length of a side with its margins, and bytes are
    // cut to 255. A cast that first asks whether the number fits cannot be part of a vector loop.
    unsafe { at.to_int_unchecked() }
}

/// Room for the pixels from which each pixel of a row is made, their weights, and what comes out;
/// three channels take four lanes.
#[derive(Default)]
struct Rows {
    offsets: Vec<i32>,
    weights: [Vec<i16>; 2],
    corners: [Vec<u8>; 4],
    values: Vec<u8>,
    sums: Vec<[f32; 4]>,
}

#[inline(always)]
fn linear<const C: usize>(
    source: &[u8],
    stride: usize,
    xs: &[f32],
    ys: &[f32],
    row: &mut [u8],
    rows: &mut Rows,
) {
    let lanes = if C == 1 { 1 } else { 4 };
    let n = xs.len();
    locate::<C>(stride, xs, ys, &mut rows.offsets);
    rows.weights.iter_mut().for_each(|weights| weights.resize(n * lanes, 0));
    rows.corners.iter_mut().for_each(|corner| corner.resize(n * lanes, 0));
    rows.values.resize(n * lanes, 0);
    let Rows { offsets, weights: [x_weights, y_weights], corners, values, .. } = rows;

    for (weights, at) in [(x_weights, xs), (y_weights, ys)] {
        let part = |at: f32| whole((at - at.trunc()) * 32768.0) as i16;
        match lanes {
            1 => weights.iter_mut().zip(at).for_each(|(weight, at)| *weight = part(*at)),
            _ => {
                let (weights, _) = weights.as_chunks_mut::<4>();
                weights.iter_mut().zip(at).for_each(|(weights, at)| *weights = [part(*at); 4]);
            }
        }
    }
    let [top_left, top_right, bottom_left, bottom_right] = &mut *corners;
    if C == 1 {
        let corners =
            top_left.iter_mut().zip(top_right).zip(bottom_left.iter_mut().zip(bottom_right));
        for (((tl, tr), (bl, br)), offset) in corners.zip(&*offsets) {
            let at = *offset as usize;
            [*tl, *tr] = read(source, at);
            [*bl, *br] = read(source, at + stride);
        }
    } else {
        let [top_left, top_right, bottom_left, bottom_right] =
            [top_left, top_right, bottom_left, bottom_right].map(|c| c.as_chunks_mut::<4>().0);
        let corners =
            top_left.iter_mut().zip(top_right).zip(bottom_left.iter_mut().zip(bottom_right));
        for (((tl, tr), (bl, br)), offset) in corners.zip(&*offsets) {
            // Two neighbours are six bytes of eight.
            let pair = |at: usize| u64::from_le_bytes(read(source, at));
            let (top, bottom) = (pair(*offset as usize), pair(*offset as usize + stride));
            *tl = (top as u32).to_le_bytes();
            *tr = ((top >> 24) as u32).to_le_bytes();
            *bl = (bottom as u32).to_le_bytes();
            *br = ((bottom >> 24) as u32).to_le_bytes();
        }
    }
    let [top_left, top_right, bottom_left, bottom_right] = &*corners;
    let [x_weights, y_weights] = &rows.weights;
    interpolate([top_left, top_right, bottom_left, bottom_right], [x_weights, y_weights], values);
    if C == 1 {
        row.copy_from_slice(values);
    } else {
        three_of_four(values, row);
    }
}

/// Bilinear values from the corners, in fixed point: six bits behind the point, which no value needs
/// to be off by more than one after rounding.
#[inline(always)]
fn interpolate(corners: [&[u8]; 4], weights: [&[i16]; 2], values: &mut [u8]) {
    let n = values.len();
    let [tl, tr, bl, br] = corners.map(|corner| &corner[..n]);
    let [wx, wy] = weights.map(|weights| &weights[..n]);
    let part = |difference: i16, weight: i16| ((difference as i32 * weight as i32) >> 16) as i16;
    for i in 0..n {
        let [tl, tr, bl, br] = [tl[i] as i16, tr[i] as i16, bl[i] as i16, br[i] as i16];
        let top = (tl << 6) + part((tr - tl) << 7, wx[i]);
        let bottom = (bl << 6) + part((br - bl) << 7, wx[i]);
        // Each part is rounded down by half a 64th on average: 33 makes up for it.
        values[i] = ((top + part((bottom - top) << 1, wy[i]) + 33) >> 6) as u8;
    }
}

/// Drops every fourth byte.
#[inline(always)]
pub(super) fn three_of_four(four: &[u8], three: &mut [u8]) {
    let (four, _) = four.as_chunks::<4>();
    let (three, _) = three.as_chunks_mut::<3>();
    for (three, [a, b, c, _]) in three.iter_mut().zip(four) {
        *three = [*a, *b, *c];
    }
}

/// Weights of four neighbours for a place `t` behind the second: Keys's cubic convolution (1981) with
/// a = −0.75, which is OpenCV's.
#[inline(always)]
pub(super) fn cubic_weights(t: f32) -> [f32; 4] {
    const A: f32 = -0.75;
    let far = |t: f32| ((A * t - 5.0 * A) * t + 8.0 * A) * t - 4.0 * A;
    let near = |t: f32| ((A + 2.0) * t - (A + 3.0)) * t * t + 1.0;
    let (first, second, third) = (far(t + 1.0), near(t), near(1.0 - t));
    [first, second, third, 1.0 - first - second - third]
}

#[inline(always)]
fn cubic<const C: usize>(
    source: &[u8],
    stride: usize,
    xs: &[f32],
    ys: &[f32],
    row: &mut [u8],
    rows: &mut Rows,
) {
    let lanes = if C == 1 { 1 } else { 4 };
    locate::<C>(stride, xs, ys, &mut rows.offsets);
    rows.sums.resize(xs.len(), [0.0; 4]);
    rows.values.resize(xs.len() * lanes, 0);
    let places = xs.iter().zip(ys).zip(&rows.offsets);
    for (sums, ((x, y), offset)) in rows.sums.iter_mut().zip(places) {
        let (x_weights, y_weights) = (cubic_weights(x - x.trunc()), cubic_weights(y - y.trunc()));
        let first = *offset as usize - stride - C;
        // A pixel of three bytes is read with a fourth, which nobody looks at.
        let four =
            |i: usize, j: usize| read::<4>(source, first + i * stride + j * C).map(f32::from);
        let mut total = [0.0; 4];
        for (i, y_weight) in y_weights.into_iter().enumerate() {
            let [a, b, c, d] = std::array::from_fn(|j| four(i, j));
            let along: [f32; 4] = std::array::from_fn(|k| {
                x_weights[0] * a[k]
                    + x_weights[1] * b[k]
                    + (x_weights[2] * c[k] + x_weights[3] * d[k])
            });
            total = std::array::from_fn(|k| total[k] + y_weight * along[k]);
        }
        *sums = total;
    }
    if C == 1 {
        for (value, sums) in row.iter_mut().zip(&rows.sums) {
            *value = byte(sums[0]);
        }
    } else {
        for (value, sum) in rows.values.iter_mut().zip(rows.sums.as_flattened()) {
            *value = byte(*sum);
        }
        three_of_four(&rows.values, row);
    }
}

/// A value rounded to the nearest byte.
#[inline(always)]
pub(super) fn byte(value: f32) -> u8 {
    let value = if value > 0.0 { value } else { 0.0 };
    let value = if value < 255.0 { value } else { 255.0 };
    whole(value.round_ties_even()) as u8
}
