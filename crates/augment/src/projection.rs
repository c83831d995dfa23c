//! Matrices of the plane: what rotates, shears and tilts images and boxes.

use super::boxes::BBox;
use super::image::{Frame, Image};
use super::warp::{Sampling, warp};

/// A 3×3 matrix over homogeneous coordinates, which takes places of the old image to the new one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Projection(pub(super) [[f64; 3]; 3]);

/// An affine map in steps: scaled, rotated and sheared about a centre, then moved.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    /// Factors along x and y.
    pub(super) scale: [f64; 2],
    /// Degrees, counter-clockwise as seen.
    pub(super) angle: f64,
    /// Degrees along x and y.
    pub(super) shear: [f64; 2],
    /// Pixels along x and y.
    pub(super) translate: [f64; 2],
}

impl Projection {
    /// Scales by `x` and `y`.
    pub(super) fn scaling(x: f64, y: f64) -> Projection {
        Projection([[x, 0.0, 0.0], [0.0, y, 0.0], [0.0, 0.0, 1.0]])
    }

    fn translation(x: f64, y: f64) -> Projection {
        Projection([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])
    }

    /// `steps` about the centre of an image of `frame`. Pixels are places of their own, half a pixel
    /// off the corner system in which boxes are counted.
    fn affine(frame: Frame, steps: Steps, half: f64) -> Projection {
        let (x, y) = (frame.width as f64 / 2.0 - half, frame.height as f64 / 2.0 - half);
        let (sin, cos) = libm::sincos(steps.angle.rem_euclid(360.0).to_radians());
        let [shear_x, shear_y] = steps.shear.map(|degrees| libm::tan(degrees.to_radians()));
        Projection::translation(x + steps.translate[0], y + steps.translate[1])
            .after(Projection([[1.0, shear_x, 0.0], [shear_y, 1.0, 0.0], [0.0, 0.0, 1.0]]))
            .after(Projection([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]]))
            .after(Projection::scaling(steps.scale[0], steps.scale[1]))
            .after(Projection::translation(-x, -y))
    }

    /// The map that takes four places to four others; that which changes nothing if there is none.
    /// As OpenCV's `getPerspectiveTransform`.
    pub(super) fn between(from: [[f64; 2]; 4], to: [[f64; 2]; 4]) -> Projection {
        // Eight equations for eight unknown numbers, the ninth is 1.
        let mut rows = [[0.0; 9]; 8];
        for (i, ([x, y], [u, v])) in from.into_iter().zip(to).enumerate() {
            rows[i] = [x, y, 1.0, 0.0, 0.0, 0.0, -x * u, -y * u, u];
            rows[i + 4] = [0.0, 0.0, 0.0, x, y, 1.0, -x * v, -y * v, v];
        }
        for column in 0..8 {
            let size = |row: &usize| rows[*row][column].abs();
            let pivot = (column..8).max_by(|a, b| size(a).total_cmp(&size(b))).unwrap_or(column);
            if size(&pivot) < 1e-12 {
                return Projection::scaling(1.0, 1.0);
            }
            rows.swap(column, pivot);
            let reduced = rows[column].map(|value| value / rows[column][column]);
            for row in &mut rows {
                let factor = row[column];
                row.iter_mut().zip(reduced).for_each(|(value, by)| *value -= factor * by);
            }
            rows[column] = reduced;
        }
        let [a, b, c, d, e, f, g, h] = rows.map(|row| row[8]);
        Projection([[a, b, c], [d, e, f], [g, h, 1.0]])
    }

    /// First `first`, then this.
    pub(super) fn after(self, first: Projection) -> Projection {
        let entry = |i: usize, j: usize| (0..3).map(|k| self.0[i][k] * first.0[k][j]).sum();
        Projection(std::array::from_fn(|i| std::array::from_fn(|j| entry(i, j))))
    }

    /// The way back; all zeros if there is none.
    fn inverse(self) -> Projection {
        let m = self.0;
        let minor = |i: usize, j: usize| {
            let (r, s, c, d) = ((i + 1) % 3, (i + 2) % 3, (j + 1) % 3, (j + 2) % 3);
            m[r][c] * m[s][d] - m[r][d] * m[s][c]
        };
        let determinant: f64 = (0..3).map(|j| m[0][j] * minor(0, j)).sum();
        let factor = if determinant == 0.0 { 0.0 } else { 1.0 / determinant };
        Projection(std::array::from_fn(|i| std::array::from_fn(|j| factor * minor(j, i))))
    }

    /// Whether nothing moves, as far as NumPy's `allclose` can tell.
    fn is_identity(self) -> bool {
        let close = |i: usize, j: usize| {
            let expected = if i == j { 1.0 } else { 0.0 };
            (self.0[i][j] - expected).abs() <= 1e-8 + 1e-5 * expected
        };
        (0..3).all(|i| (0..3).all(|j| close(i, j)))
    }

    /// Moves the corners of `boxes` and puts boxes around them.
    pub(super) fn move_boxes(self, boxes: &mut [BBox]) {
        let m = self.0;
        let map = |x: f64, y: f64| {
            let [u, v, w] = m.map(|[a, b, c]| a * x + b * y + c);
            let w = if w == 0.0 { f64::EPSILON } else { w };
            (u / w, v / w)
        };
        boxes.iter_mut().for_each(|bbox| *bbox = bbox.moved(map));
    }

    /// Moves the pixels of `image`, whose size stays.
    pub(super) fn move_pixels(self, image: &mut Image, sampling: Sampling) {
        let [[a, b, c], [d, e, f], [g, h, i]] =
            self.inverse().0.map(|row| row.map(|entry| entry as f32));
        if [g, h] == [0.0, 0.0] {
            return warp(
                image,
                sampling,
                #[inline(always)]
                |y, xs, ys| {
                    let (x_start, y_start) = (b * y as f32 + c, e * y as f32 + f);
                    for (x, (to_x, to_y)) in (0i32..).zip(xs.iter_mut().zip(ys)) {
                        *to_x = a * x as f32 + x_start;
                        *to_y = d * x as f32 + y_start;
                    }
                },
            );
        }
        warp(
            image,
            sampling,
            #[inline(always)]
            |y, xs, ys| {
                let y = y as f32;
                let (x_start, y_start, w_start) = (b * y + c, e * y + f, h * y + i);
                for (x, (to_x, to_y)) in (0i32..).zip(xs.iter_mut().zip(ys)) {
                    let x = x as f32;
                    let by = 1.0 / (g * x + w_start);
                    *to_x = (a * x + x_start) * by;
                    *to_y = (d * x + y_start) * by;
                }
            },
        );
    }
}

/// Moves the pixels of `image` by `steps` about its centre.
pub(super) fn move_pixels(image: &mut Image, steps: Steps, sampling: Sampling) {
    let matrix = Projection::affine(image.frame(), steps, 0.5);
    if !matrix.is_identity() {
        matrix.move_pixels(image, sampling);
    }
}

/// Moves the boxes of an image of `frame` with their pixels. A mirrored border makes no boxes of the
/// mirror images.
pub(super) fn move_boxes(boxes: &mut [BBox], frame: Frame, steps: Steps) {
    Projection::affine(frame, steps, 0.0).move_boxes(boxes);
}
