//! Images made smaller for the first epochs.

use rayon::prelude::*;

/// The weights of the pixels that one output pixel is made of, and the first of these.
struct Taps {
    first: usize,
    weights: Vec<f32>,
}

/// The taps of `to` pixels along a side of `from`: the triangle filter whose support grows with the reduction, which is
/// PyTorch's `interpolate(mode="bilinear", antialias=True)`.
fn taps(from: usize, to: usize) -> Vec<Taps> {
    let scale = from as f64 / to as f64;
    let support = scale.max(1.0);
    let of_pixel = |index: usize| {
        let center = (index as f64 + 0.5) * scale;
        let first = (center - support + 0.5).max(0.0) as usize;
        let end = ((center + support + 0.5) as usize).min(from);
        let weight = |place: usize| {
            let distance = (place as f64 + 0.5 - center).abs() / support;
            (1.0 - distance).max(0.0)
        };
        let weights: Vec<f64> = (first..end).map(weight).collect();
        let total: f64 = weights.iter().sum();
        let weights = weights.into_iter().map(|weight| (weight / total) as f32).collect();
        Taps { first, weights }
    };
    (0..to).map(of_pixel).collect()
}

/// Planes of `from` `[height, width]` pixels, one after the other, brought to the size `to`.
pub(super) fn shrink(planes: &[f32], from: [usize; 2], to: [usize; 2]) -> Vec<f32> {
    if from == to {
        return planes.to_vec();
    }
    let [rows, columns] = [0, 1].map(|axis| taps(from[axis], to[axis]));
    let (size, into_size) = (from[0] * from[1], to[0] * to[1]);
    let mut shrunk = vec![0.0; planes.len() / size.max(1) * into_size];
    shrunk.par_chunks_mut(into_size).zip(planes.par_chunks(size)).for_each(|(into, plane)| {
        // Along rows first, as PyTorch does it.
        let mut narrow = vec![0.0f32; from[0] * to[1]];
        for (line, narrow) in plane.chunks(from[1]).zip(narrow.chunks_mut(to[1])) {
            for (Taps { first, weights }, out) in columns.iter().zip(narrow) {
                *out =
                    line[*first..].iter().zip(weights).map(|(pixel, weight)| pixel * weight).sum();
            }
        }
        for (Taps { first, weights }, into) in rows.iter().zip(into.chunks_mut(to[1])) {
            for (offset, weight) in weights.iter().enumerate() {
                let line = &narrow[(first + offset) * to[1]..][..to[1]];
                into.iter_mut().zip(line).for_each(|(out, pixel)| *out += weight * pixel);
            }
        }
    });
    shrunk
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_made_smaller_as_pytorch_does_it() {
        // interpolate(arange(30).reshape(1, 1, 5, 6) ** 2 / 10, (3, 4), mode="bilinear", antialias=True)
        let plane: Vec<f32> = (0..30).map(|i| (i * i) as f32 / 10.0).collect();
        let expected = [
            1.7732, 2.8127, 4.2778, 6.0839, 16.9375, 20.6222, 24.8111, 29.2625, 48.4446, 54.7746,
            61.6873, 68.7839,
        ];
        let both = [plane.clone(), plane.clone()].concat();
        let found = shrink(&both, [5, 6], [3, 4]);
        for (found, expected) in found.iter().zip(expected.iter().cycle()) {
            assert!((found - expected).abs() < 1e-3, "{found} {expected}");
        }
        assert_eq!(shrink(&plane, [5, 6], [5, 6]), plane);
    }

    #[test]
    fn an_even_image_stays_even() {
        for to in [[1, 1], [2, 3], [4, 5]] {
            let found = shrink(&[2.5; 35], [5, 7], to);
            assert!(found.iter().all(|pixel| (pixel - 2.5).abs() < 1e-5), "{to:?} {found:?}");
        }
    }
}
