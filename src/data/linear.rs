//! Resizing from 2×2 pixels with the roundings of OpenCV's `INTER_LINEAR` for bytes, and so of everything
//! that is built on it: products of 11 bits, the horizontal ones first. An image that becomes exactly half
//! as large on both sides is averaged over 2×2 pixels, as there.

use super::decode::Picture;

/// One, in the fixed point of weights.
const ONE: f32 = 2048.0;

/// The pixels of `picture` at the size `to` that lie in a window of it, without the others being computed.
///
/// # Shapes
/// `to`: [height, width]; `corner`: [top, left] of the window; result: [window height, window width,
/// channels]
pub(super) fn resize(
    picture: &Picture,
    to: [usize; 2],
    corner: [usize; 2],
    window: [usize; 2],
) -> Vec<u8> {
    let from = [picture.height, picture.width];
    let channels = picture.channels;
    let row_length = picture.width * channels;
    let row = |y: usize| &picture.pixels[y * row_length..][..row_length];
    let mut out = Vec::with_capacity(window[0] * window[1] * channels);
    let is_same = from == to;
    let is_half = [0, 1].iter().all(|side| from[*side] == 2 * to[*side]);
    if is_same || is_half {
        for y in corner[0]..corner[0] + window[0] {
            for x in corner[1]..corner[1] + window[1] {
                for channel in 0..channels {
                    let old = |y: usize, x: usize| u32::from(row(y)[x * channels + channel]);
                    let value = match is_same {
                        true => old(y, x),
                        false => {
                            let (y, x) = (2 * y, 2 * x);
                            (old(y, x) + old(y, x + 1) + old(y + 1, x) + old(y + 1, x + 1) + 2) / 4
                        }
                    };
                    out.push(value as u8);
                }
            }
        }
        return out;
    }
    let [rows, columns] = [0, 1].map(|side| {
        let taps = (corner[side]..corner[side] + window[side])
            .map(|place| Tap::of(place, from[side], to[side]));
        taps.collect::<Vec<Tap>>()
    });
    let across = |y: usize| -> Vec<i32> {
        let old = row(y);
        let mut mixed = Vec::with_capacity(columns.len() * channels);
        for Tap { places, weights } in &columns {
            for channel in 0..channels {
                let [left, right] = places.map(|place| i32::from(old[place * channels + channel]));
                mixed.push(left * weights[0] + right * weights[1]);
            }
        }
        mixed
    };
    // Rows that the last new row was made of: the next one often needs them, too.
    let mut known: [(usize, Vec<i32>); 2] = [(usize::MAX, Vec::new()), (usize::MAX, Vec::new())];
    for Tap { places, weights } in &rows {
        let found = places.map(|place| {
            let kept = known.iter().find(|(other, _)| *other == place);
            kept.map_or_else(|| (place, across(place)), Clone::clone)
        });
        known = found;
        let [(_, upper), (_, lower)] = &known;
        out.extend(upper.iter().zip(lower).map(|(upper, lower)| {
            let part = |value: i32, weight: i32| (weight * (value >> 4)) >> 16;
            ((part(*upper, weights[0]) + part(*lower, weights[1]) + 2) >> 2) as u8
        }));
    }
    out
}

/// Two neighbours along a side, and how much each counts.
struct Tap {
    places: [usize; 2],
    weights: [i32; 2],
}

impl Tap {
    /// Those of the new pixel at `place`.
    fn of(place: usize, from: usize, to: usize) -> Tap {
        let scale = 1.0 / (to as f64 / from as f64);
        let centre = ((place as f64 + 0.5) * scale - 0.5) as f32;
        let start = centre.floor();
        let part = centre - start;
        let inside = |place: f32| (place.max(0.0) as usize).min(from - 1);
        let weight = |part: f32| (part * ONE).round_ties_even() as i32;
        Tap {
            places: [inside(start), inside(start + 1.0)],
            weights: [weight(1.0 - part), weight(part)],
        }
    }
}
