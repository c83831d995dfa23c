//! Images at other sizes: each new pixel is a weighted sum of a few old ones, first along columns,
//! then along rows. As OpenCV's `resize`.

use super::boxes::BBox;
use super::image::{Frame, Image};
use super::parameters::Interpolation;
use super::simd::{Lane, Window, vectorised};
use super::warp::{byte, cubic_weights, three_of_four};

/// Makes `image` as large as `to`.
pub(super) fn resize(image: &mut Image, to: Frame, interpolation: Interpolation) {
    let from = image.frame();
    if from == to {
        return;
    }
    if interpolation == Interpolation::Nearest {
        return nearest(image, to);
    }
    let smaller = from.height >= to.height && from.width >= to.width;
    let side = |from: usize, to: usize| match interpolation {
        Interpolation::Area if smaller => Taps::area(from, to),
        Interpolation::Area => Taps::area_enlarged(from, to),
        Interpolation::Cubic => Taps::cubic(from, to),
        Interpolation::Linear | Interpolation::Nearest => Taps::linear(from, to),
    };
    let rows = side(from.height, to.height);
    let columns = side(from.width, to.width);
    // Cubic weights may be negative even where an image has only two pixels.
    let two = rows.per_pixel.max(columns.per_pixel) == 2 && interpolation != Interpolation::Cubic;
    image.rewrite(to, |old, new| {
        vectorised(
            #[inline(always)]
            || match (from.channels, two) {
                (1, true) => blend::<1>(from, old, to, new, &rows, &columns),
                (_, true) => blend::<3>(from, old, to, new, &rows, &columns),
                (1, false) => sum::<1>(from, old, to, new, &rows, &columns),
                (_, false) => sum::<3>(from, old, to, new, &rows, &columns),
            },
        );
    });
}

/// What becomes of boxes when an image of `from` becomes one of `to`.
pub(super) fn resize_boxes(boxes: &mut [BBox], from: Frame, to: Frame) {
    let x_scale = to.width as f64 / from.width as f64;
    let y_scale = to.height as f64 / from.height as f64;
    boxes.iter_mut().for_each(|bbox| *bbox = bbox.moved(|x, y| (x * x_scale, y * y_scale)));
}

/// The old pixels along one side from which new ones are made, and their weights.
struct Taps {
    /// How many make a new one.
    per_pixel: usize,
    /// The first of each, so that all lie in the image.
    starts: Vec<usize>,
    /// [new pixels, per_pixel]
    weights: Vec<f32>,
}

impl Taps {
    /// From a list of places and weights for each new pixel. Places outside of the image stand for
    /// its edge.
    fn new<const N: usize>(from: usize, taps: impl Iterator<Item = (isize, [f32; N])>) -> Taps {
        let per_pixel = N.min(from);
        let (mut starts, mut weights) = (Vec::new(), Vec::new());
        for (place, list) in taps {
            let start = place.clamp(0, (from - per_pixel) as isize);
            let mut placed = [0.0; N];
            for (at, weight) in (place..).zip(list) {
                placed[(at.clamp(0, from as isize - 1) - start) as usize] += weight;
            }
            starts.push(start as usize);
            weights.extend_from_slice(&placed[..per_pixel]);
        }
        Taps { per_pixel, starts, weights }
    }

    /// The place of each new pixel's centre among the old ones.
    fn centres(from: usize, to: usize) -> impl Iterator<Item = (isize, f32)> {
        let scale = from as f64 / to as f64;
        (0..to).map(move |at| {
            let centre = (at as f64 + 0.5) * scale - 0.5;
            (centre.floor() as isize, (centre - centre.floor()) as f32)
        })
    }

    fn linear(from: usize, to: usize) -> Taps {
        Taps::new(from, Taps::centres(from, to).map(|(place, t)| (place, [1.0 - t, t])))
    }

    fn cubic(from: usize, to: usize) -> Taps {
        Taps::new(from, Taps::centres(from, to).map(|(place, t)| (place - 1, cubic_weights(t))))
    }

    /// Each old pixel counts as much as it is covered.
    fn area(from: usize, to: usize) -> Taps {
        let scale = from as f64 / to as f64;
        let per_pixel = (scale.ceil() as usize + 1).min(from);
        let (mut starts, mut weights) = (Vec::new(), Vec::new());
        for at in 0..to {
            let (left, right) = (at as f64 * scale, (at + 1) as f64 * scale);
            let start = (left.floor() as usize).min(from - per_pixel);
            starts.push(start);
            weights.extend((start..start + per_pixel).map(|old| {
                let covered = right.min((old + 1) as f64) - left.max(old as f64);
                (covered.max(0.0) / scale) as f32
            }));
        }
        Taps { per_pixel, starts, weights }
    }

    /// What OpenCV does if an image with areas becomes larger along any side: two neighbours are
    /// mixed only where the new pixel covers their edge.
    fn area_enlarged(from: usize, to: usize) -> Taps {
        let scale = from as f64 / to as f64;
        let taps = (0..to).map(|at| {
            let place = (at as f64 * scale).floor();
            let part = (at + 1) as f64 - (place + 1.0) / scale;
            let part = if part <= 0.0 { 0.0 } else { (part - part.floor()) as f32 };
            (place as isize, [1.0 - part, part])
        });
        Taps::new(from, taps)
    }

    /// Windows for the first old pixels, of `C` channels.
    fn windows<T: Lane, const C: usize>(&self) -> Option<Vec<Window>> {
        let mut places = vec![[0; C]; self.starts.len()];
        for (places, start) in places.iter_mut().zip(&self.starts) {
            *places = std::array::from_fn(|c| start * C + c);
        }
        Window::list::<T>(places.as_flattened())
    }

    fn of(&self, at: usize) -> (usize, &[f32]) {
        (self.starts[at], &self.weights[at * self.per_pixel..][..self.per_pixel])
    }
}

fn nearest(image: &mut Image, to: Frame) {
    let from = image.frame();
    let place = |at: usize, from: usize, to: usize| {
        ((at as f64 * (from as f64 / to as f64)) as usize).min(from - 1)
    };
    let rows: Vec<usize> = (0..to.height).map(|y| place(y, from.height, to.height)).collect();
    let columns: Vec<usize> = (0..to.width).map(|x| place(x, from.width, to.width)).collect();
    image.rewrite(to, |old, new| match from.channels {
        1 => pick(old.as_chunks::<1>().0, new.as_chunks_mut().0, from.width, &rows, &columns),
        _ => pick(old.as_chunks::<3>().0, new.as_chunks_mut().0, from.width, &rows, &columns),
    });
}

/// Puts together an image of some rows and columns of an old one.
fn pick<const C: usize>(
    old: &[[u8; C]],
    new: &mut [[u8; C]],
    old_width: usize,
    rows: &[usize],
    columns: &[usize],
) {
    for (new_row, row) in new.chunks_exact_mut(columns.len()).zip(rows) {
        let old_row = &old[row * old_width..][..old_width];
        for (pixel, column) in new_row.iter_mut().zip(columns) {
            *pixel = old_row[*column];
        }
    }
}

/// Values in a vector of 64 bytes.
const SHORTS: usize = 32;
const BYTES: usize = 64;

/// Two taps at most, whose weights are parts of one, in fixed point with six bits behind the point.
#[inline(always)]
fn blend<const C: usize>(
    from: Frame,
    old: &[u8],
    to: Frame,
    new: &mut [u8],
    rows: &Taps,
    columns: &Taps,
) {
    let part = |difference: i16, weight: i16| ((difference as i32 * weight as i32) >> 16) as i16;
    let second = |taps: &Taps, at: usize| {
        let (_, weights) = taps.of(at);
        weights.get(1).map_or(0, |weight| (weight * 32768.0).min(32767.0) as i16)
    };
    let between = |left: i16, right: i16, weight: i16| {
        // Each part is rounded down by half a 64th on average: 33 makes up for it.
        ((left + part((right - left) << 1, weight) + 33) >> 6) as u8
    };
    let row_length = from.width * C;
    let windows = columns.windows::<i16, C>();
    let lanes = if C == 1 || windows.is_some() { C } else { 4 };
    // Of the second neighbour, in each lane.
    let mut weights: Vec<i16> =
        (0..to.width * lanes).map(|lane| second(columns, lane / lanes)).collect();
    weights.resize(weights.len().next_multiple_of(SHORTS), 0);
    // Lanes behind the last pixel are read with it.
    let mut mixed = vec![0i16; row_length + C + 2 * SHORTS];
    let (mut left, mut right) = (vec![0i16; weights.len()], vec![0i16; weights.len()]);
    let mut values = vec![0u8; weights.len()];
    for (y, new_row) in new.chunks_exact_mut(to.width * C).enumerate() {
        let start = rows.starts[y];
        let next = (start + 1).min(from.height - 1);
        let weight = second(rows, y);
        let upper = &old[start * row_length..][..row_length];
        let lower = &old[next * row_length..][..row_length];
        for ((mixed, upper), lower) in mixed.iter_mut().zip(upper).zip(lower) {
            let (upper, lower) = (*upper as i16, *lower as i16);
            *mixed = (upper << 6) + part((lower - upper) << 7, weight);
        }
        if let Some(windows) = &windows {
            let (values, _) = values.as_chunks_mut::<SHORTS>();
            let (weights, _) = weights.as_chunks::<SHORTS>();
            for ((values, weights), window) in values.iter_mut().zip(weights).zip(windows) {
                let left: [_; SHORTS] = window.values(&mixed);
                let right: [_; SHORTS] = window.values(&mixed[C..]);
                *values = std::array::from_fn(|i| between(left[i], right[i], weights[i]));
            }
        } else {
            copy_neighbours::<C>(&mixed, &columns.starts, &mut left, &mut right);
            let sides = left.iter().zip(&right).zip(&weights);
            for (value, ((left, right), weight)) in values.iter_mut().zip(sides) {
                *value = between(*left, *right, *weight);
            }
        }
        write_row::<C>(&values, lanes, new_row);
    }
}

/// Copies the left and the right neighbours of each new pixel. On its own, as registers are scarce
/// where it is called.
#[inline(never)]
fn copy_neighbours<const C: usize>(
    mixed: &[i16],
    starts: &[usize],
    left: &mut [i16],
    right: &mut [i16],
) {
    if C == 1 {
        for ((left, right), start) in left.iter_mut().zip(right).zip(starts) {
            [*left, *right] = [mixed[*start], mixed[start + 1]];
        }
    } else {
        let (left, _) = left.as_chunks_mut::<4>();
        let (right, _) = right.as_chunks_mut::<4>();
        for ((left, right), start) in left.iter_mut().zip(right).zip(starts) {
            let [a, b, c, d, e, f, g] = mixed[start * 3..][..7].try_into().expect("seven lanes");
            [*left, *right] = [[a, b, c, d], [d, e, f, g]];
        }
    }
}

/// Writes pixels of which there are `lanes` values each.
#[inline(always)]
fn write_row<const C: usize>(values: &[u8], lanes: usize, row: &mut [u8]) {
    if lanes == C {
        row.copy_from_slice(&values[..row.len()]);
    } else {
        three_of_four(values, row);
    }
}

/// Loads of whole vectors are twice as fast where they do not cross cache lines.
#[derive(Clone)]
#[repr(align(64))]
struct Aligned<T>(T);

/// Four taps each way, by windows: first along rows, as one serves up to four new ones.
#[inline(always)]
fn four<const C: usize>(
    from: Frame,
    old: &[u8],
    to: Frame,
    new: &mut [u8],
    rows: &Taps,
    columns: &Taps,
    windows: &[Window],
) {
    let mut weights = vec![Aligned([[0.0; BYTES]; 4]); windows.len()];
    for lane in 0..to.width * C {
        for (tap, weight) in columns.of(lane / C).1.iter().enumerate() {
            weights[lane / BYTES].0[tap][lane % BYTES] = *weight;
        }
    }
    let row_length = from.width * C;
    // Windows reach beyond the last pixel.
    let reach = row_length + 4 * C + 2 * BYTES;
    let mut padded = vec![0; reach];
    // What old row n became lies in slot n mod 4.
    let mut across = weights.clone();
    let mut slots = [usize::MAX; 4];
    let mut values = vec![[0; BYTES]; windows.len()];
    for (y, new_row) in new.chunks_exact_mut(to.width * C).enumerate() {
        let (start, row_weights) = rows.of(y);
        let mut slot_weights = [0.0; 4];
        for (row, weight) in (start..).zip(row_weights) {
            let slot = row % 4;
            slot_weights[slot] = *weight;
            if slots[slot] == row {
                continue;
            }
            slots[slot] = row;
            let mut old_row = &old[row * row_length..];
            if old_row.len() < reach {
                padded[..row_length].copy_from_slice(&old_row[..row_length]);
                old_row = &padded;
            }
            for ((across, Aligned(weights)), window) in across.iter_mut().zip(&weights).zip(windows)
            {
                let taps: [[u8; BYTES]; 4] = [
                    window.values(old_row),
                    window.values(&old_row[C..]),
                    window.values(&old_row[2 * C..]),
                    window.values(&old_row[3 * C..]),
                ];
                across.0[slot] = std::array::from_fn(|i| {
                    let product = |tap: usize| weights[tap][i] * f32::from(taps[tap][i]);
                    product(0) + product(1) + product(2) + product(3)
                });
            }
        }
        for (values, Aligned(rows)) in values.iter_mut().zip(&across) {
            for i in 0..BYTES {
                let product = |slot: usize| slot_weights[slot] * rows[slot][i];
                values[i] = byte(product(0) + product(1) + (product(2) + product(3)));
            }
        }
        new_row.copy_from_slice(&values.as_flattened()[..new_row.len()]);
    }
}

/// Any number of taps.
#[inline(always)]
fn sum<const C: usize>(
    from: Frame,
    old: &[u8],
    to: Frame,
    new: &mut [u8],
    rows: &Taps,
    columns: &Taps,
) {
    if (rows.per_pixel, columns.per_pixel) == (4, 4)
        && let Some(windows) = columns.windows::<u8, C>()
    {
        return four::<C>(from, old, to, new, rows, columns, &windows);
    }
    let row_length = from.width * C;
    // Lanes behind the last pixel are read with it.
    let mut mixed = vec![0f32; row_length + 4];
    let lanes = if C == 1 { 1 } else { 4 };
    let mut sums = vec![0f32; to.width * lanes];
    let mut values = vec![0u8; to.width * lanes];
    for (y, new_row) in new.chunks_exact_mut(to.width * C).enumerate() {
        let (start, weights) = rows.of(y);
        let old_rows = &old[start * row_length..][..weights.len() * row_length];
        if let Ok(weights) = <&[f32; 4]>::try_from(weights) {
            // As below, in one go.
            let [first, second, third, fourth] =
                std::array::from_fn(|tap| &old_rows[tap * row_length..][..row_length]);
            let old_rows = first.iter().zip(second).zip(third.iter().zip(fourth));
            for (mixed, ((a, b), (c, d))) in mixed.iter_mut().zip(old_rows) {
                let [a, b, c, d] = [a, b, c, d].map(|value| f32::from(*value));
                *mixed = weights[0] * a + weights[1] * b + (weights[2] * c + weights[3] * d);
            }
        } else {
            mixed.fill(0.0);
            for (old_row, weight) in old_rows.chunks_exact(row_length).zip(weights) {
                for (mixed, value) in mixed.iter_mut().zip(old_row) {
                    *mixed += weight * f32::from(*value);
                }
            }
        }
        let columns = columns.starts.iter().zip(columns.weights.chunks_exact(columns.per_pixel));
        for (sums, (start, weights)) in sums.chunks_exact_mut(lanes).zip(columns) {
            let values = &mixed[start * C..][..(weights.len() - 1) * C + lanes];
            // The second arm is the first one for any number of weights.
            match <&[f32; 4]>::try_from(weights) {
                Ok(weights) => weigh::<C>(values, weights, sums),
                Err(_) => weigh::<C>(values, weights, sums),
            }
        }
        for (value, sum) in values.iter_mut().zip(&sums) {
            *value = byte(*sum);
        }
        write_row::<C>(&values, lanes, new_row);
    }
}

/// The weighted sum of pixels, three of whose four lanes belong to each.
#[inline(always)]
fn weigh<const C: usize>(values: &[f32], weights: &[f32], sums: &mut [f32]) {
    if C == 1 {
        sums[0] = values.iter().zip(weights).map(|(value, weight)| value * weight).sum();
        return;
    }
    let mut total = [0.0; 4];
    for (tap, weight) in weights.iter().enumerate() {
        let values: &[f32; 4] = values[tap * C..tap * C + 4].try_into().expect("four lanes");
        total = std::array::from_fn(|c| total[c] + weight * values[c]);
    }
    sums.copy_from_slice(&total);
}
