//! Where a network looks for a class: maps of how much each place of a layer speaks for it.

use crate::augment::{Frame, Image};
use crate::charts::plate::Tile;

use super::pictures;

/// How a map comes from what a layer gives, A, and the derivatives of the class's logit y by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Each channel weighs as much as the mean of its derivatives: ReLU(Σₖ meanᵢⱼ(∂y/∂Aₖᵢⱼ) · Aₖ).
    ///
    /// Source: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization",
    /// ICCV 2017.
    GradCam,
    /// Each number weighs as much as its own derivative, where that is positive: ReLU(Σₖ ReLU(∂y/∂Aₖ) ⊙ Aₖ). So it is
    /// sharp in early layers too.
    ///
    /// Source: Jiang et al., "LayerCAM: Exploring Hierarchical Class Activation Maps for Localization", IEEE
    /// Transactions on Image Processing 30, 2021.
    LayerCam,
}

impl Method {
    /// All methods.
    pub const ALL: [Method; 2] = [Method::GradCam, Method::LayerCam];

    /// What its authors call it.
    pub fn name(self) -> &'static str {
        match self {
            Method::GradCam => "Grad-CAM",
            Method::LayerCam => "LayerCAM",
        }
    }

    /// The map of an image, before it is scaled.
    ///
    /// # Shapes
    /// outputs and gradients `[channels, size]`, where size is height · width; the result `[size]`.
    pub fn map(self, outputs: &[f32], gradients: &[f32], size: usize) -> Vec<f32> {
        let mut map = vec![0.0; size];
        for (outputs, gradients) in outputs.chunks(size.max(1)).zip(gradients.chunks(size.max(1))) {
            let mean = gradients.iter().sum::<f32>() / size as f32;
            for (sum, (output, gradient)) in map.iter_mut().zip(outputs.iter().zip(gradients)) {
                *sum += output
                    * match self {
                        Method::GradCam => mean,
                        Method::LayerCam => gradient.max(0.0),
                    };
            }
        }
        map.iter_mut().for_each(|number| *number = number.max(0.0));
        map
    }
}

/// The image under its map: where a network looks for a class by what a layer gives and the derivatives of the class's
/// logit, `maps`, whose height and width are `from`.
pub fn heated(method: Method, image: &Image, maps: [&[f32]; 2], from: [usize; 2]) -> Tile {
    let Frame { height, width, .. } = image.frame();
    let map = method.map(maps[0], maps[1], from[0] * from[1]);
    pictures::heated(image, &over_image(&map, from, [height, width]))
}

/// A map in the size of the image, from 0 to 1, as pytorch-grad-cam gives it: scaled, enlarged, and scaled again. A map
/// that is the same everywhere becomes 0.
///
/// # Shapes
/// map `[from]`, the result `[to]`; both are height and width.
pub fn over_image(map: &[f32], from: [usize; 2], to: [usize; 2]) -> Vec<f32> {
    scaled(&enlarged(&scaled(map), from, to))
}

/// The least number becomes 0 and the greatest 1.
fn scaled(map: &[f32]) -> Vec<f32> {
    let least = map.iter().copied().fold(f32::INFINITY, f32::min);
    let greatest = map.iter().map(|number| number - least).fold(0.0, f32::max);
    map.iter().map(|number| (number - least) / (1e-7 + greatest)).collect()
}

/// Bilinear interpolation between the middles of pixels, as in OpenCV.
fn enlarged(map: &[f32], from: [usize; 2], to: [usize; 2]) -> Vec<f32> {
    // The two neighbours of each place along an axis, and the weight of the second one.
    let places = |axis: usize| -> Vec<(usize, usize, f32)> {
        let (from, to) = (from[axis], to[axis]);
        let place = |at: usize| {
            let middle = (at as f32 + 0.5) * from as f32 / to as f32 - 0.5;
            let middle = middle.clamp(0.0, (from - 1) as f32);
            let first = middle as usize;
            (first, (first + 1).min(from - 1), middle - first as f32)
        };
        (0..to).map(place).collect()
    };
    let (rows, columns) = (places(0), places(1));
    let mut result = Vec::with_capacity(to[0] * to[1]);
    for (above, below, down) in &rows {
        for (left, right, across) in &columns {
            let at = |row: usize, column: usize| map[row * from[1] + column];
            let along = |row: usize| at(row, *left) * (1.0 - across) + at(row, *right) * across;
            result.push(along(*above) * (1.0 - down) + along(*below) * down);
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_follow_their_papers() {
        // Two channels of two pixels.
        let outputs = [1.0, 2.0, 3.0, -4.0];
        let gradients = [0.5, 1.5, -1.0, 0.5];
        // Means 1 and −0.25.
        assert_eq!(Method::GradCam.map(&outputs, &gradients, 2), [0.25, 3.0]);
        assert_eq!(Method::LayerCam.map(&outputs, &gradients, 2), [0.5, 1.0]);
        // What speaks against the class is cut off.
        assert_eq!(Method::GradCam.map(&[1.0, -1.0], &[-1.0, -1.0], 2), [0.0, 1.0]);
    }

    #[test]
    fn maps_are_enlarged_between_the_middles_of_pixels() {
        let map = over_image(&[0.0, 4.0], [1, 2], [1, 4]);
        let near = |a: f32, b: f32| (a - b).abs() < 1e-5;
        assert!(map.iter().zip([0.0, 0.25, 0.75, 1.0]).all(|(a, b)| near(*a, b)), "{map:?}");
        assert_eq!(over_image(&[7.0; 4], [2, 2], [3, 3]), [0.0; 9]);
    }
}
