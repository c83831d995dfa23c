//! Filters that whiten patches of images (Page, 2018; Jordan, 2024): what they give for the patches of training
//! images is uncorrelated, and of variance 1 but for `eps`.
//!
//! Sums are added in the order of images and pixels and the eigenvectors are found by rotations, so that filters
//! are the same bits for any number of threads and on any processor.

use rayon::prelude::*;

use crate::plan::model::{ConvPlan, LayerKind, ModelPlan};

/// Of more training images than these, so many are looked at, as far from each other in their order as can be.
const IMAGES: usize = 5_000;

/// Which of the images `train` are looked at.
pub fn looked_at(train: &[u32]) -> Vec<u32> {
    let count = train.len().min(IMAGES);
    (0..count).map(|place| train[place * train.len() / count]).collect()
}

/// The name of the weights of the layer of `model` that whitens, and what it is; none if there is none.
pub fn whitens(model: &ModelPlan) -> Option<(String, &ConvPlan)> {
    model.layers.iter().find_map(|layer| match &layer.kind {
        LayerKind::Conv(conv) if conv.whitens.is_some() => {
            Some((format!("{}.weight", layer.name), conv))
        }
        _ => None,
    })
}

/// The mean products of the numbers of patches, over images as they come.
pub struct Patches {
    /// `[channels, height, width]` of an image.
    image: [usize; 3],
    kernel: [usize; 2],
    /// A row for each number of a patch.
    sums: Vec<f64>,
    count: usize,
}

impl Patches {
    /// No patches of `kernel` yet, of images of this shape.
    pub fn new(image: [usize; 3], kernel: [usize; 2]) -> Patches {
        let size = image[0] * kernel[0] * kernel[1];
        Patches { image, kernel, sums: vec![0.0; size * size], count: 0 }
    }

    /// Adds the patches of images, `[images, channels, height, width]`.
    pub fn add(&mut self, pixels: &[f32]) {
        let [channels, height, width] = self.image;
        let each: Vec<Vec<f64>> = pixels
            .par_chunks(channels * height * width)
            .map(|image| self.products(image))
            .collect();
        for products in &each {
            self.sums.iter_mut().zip(products).for_each(|(sum, product)| *sum += product);
        }
        let [down, across] = self.kernel;
        self.count += each.len() * (height + 1 - down) * (width + 1 - across);
    }

    /// The products of all pairs of numbers of a patch, added over the patches of an image.
    fn products(&self, image: &[f32]) -> Vec<f64> {
        let [_, height, width] = self.image;
        let [down, across] = self.kernel;
        let (rows, columns) = (height + 1 - down, width + 1 - across);
        let size = self.image[0] * down * across;
        // Where a number of the first patch stands in the image.
        let start = |number: usize| {
            let (channel, tap) = (number / (down * across), number % (down * across));
            (channel * height + tap / across) * width + tap % across
        };
        let mut products = vec![0.0; size * size];
        for first in 0..size {
            for second in first..size {
                let mut sum = 0.0f64;
                for row in 0..rows {
                    let of = |number| &image[start(number) + row * width..][..columns];
                    let pairs = of(first).iter().zip(of(second));
                    sum += pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
                }
                products[first * size + second] = sum;
                products[second * size + first] = sum;
            }
        }
        products
    }

    /// The filters, `[2 · size, channels, height, width]` for patches of `size` numbers: eigenvectors of the mean
    /// products with rising eigenvalues λ, each over √(λ + eps), then all of them with the other sign. Of a vector, the
    /// number that is the largest without its sign is positive.
    pub fn filters(mut self, eps: f64) -> Vec<f32> {
        let count = self.count.max(1) as f64;
        self.sums.iter_mut().for_each(|sum| *sum /= count);
        let size = self.image[0] * self.kernel[0] * self.kernel[1];
        let (values, vectors) = eigen(self.sums, size);
        let mut order: Vec<usize> = (0..size).collect();
        order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
        let mut filters = Vec::with_capacity(2 * size * size);
        for column in order {
            let vector: Vec<f64> = (0..size).map(|row| vectors[row * size + column]).collect();
            let largest =
                vector.iter().fold(0.0f64, |most, x| if x.abs() > most.abs() { *x } else { most });
            let factor = largest.signum() / (values[column].max(0.0) + eps).sqrt();
            filters.extend(vector.iter().map(|x| (x * factor) as f32));
        }
        let others: Vec<f32> = filters.iter().map(|x| -x).collect();
        filters.extend(others);
        filters
    }
}

/// Eigenvalues and, in columns, eigenvectors of a symmetric matrix, by Jacobi's rotations.
fn eigen(mut matrix: Vec<f64>, size: usize) -> (Vec<f64>, Vec<f64>) {
    let mut vectors: Vec<f64> =
        (0..size * size).map(|at| f64::from(u8::from(at / size == at % size))).collect();
    let scale = matrix.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    // It converges quadratically: ten sweeps are many.
    for _ in 0..50 {
        let mut is_done = true;
        for p in 0..size {
            for q in p + 1..size {
                let off = matrix[p * size + q];
                if off.abs() <= scale * 1e-18 {
                    continue;
                }
                is_done = false;
                let theta = (matrix[q * size + q] - matrix[p * size + p]) / (2.0 * off);
                let t = 1f64.copysign(theta) / (theta.abs() + (theta * theta + 1.0).sqrt());
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                let turn = |a: f64, b: f64| (c * a - s * b, s * a + c * b);
                for k in 0..size {
                    let (a, b) = (k * size + p, k * size + q);
                    (matrix[a], matrix[b]) = turn(matrix[a], matrix[b]);
                    (vectors[a], vectors[b]) = turn(vectors[a], vectors[b]);
                }
                for k in 0..size {
                    let (a, b) = (p * size + k, q * size + k);
                    (matrix[a], matrix[b]) = turn(matrix[a], matrix[b]);
                }
            }
        }
        if is_done {
            break;
        }
    }
    ((0..size).map(|at| matrix[at * size + at]).collect(), vectors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::basis::seed::derive;

    #[test]
    fn what_filters_give_is_uncorrelated_and_of_variance_one() {
        const IMAGE: [usize; 3] = [3, 9, 7];
        let mut stream = derive(1, "images", &[]);
        let mut images: Vec<f32> = (0..40 * 189).map(|_| stream.normal() as f32).collect();
        // Pixels beside each other are alike, and channels are.
        for at in 63..images.len() {
            images[at] += 0.7 * images[at - 1] + 0.2 * images[at - 63];
        }
        let mut patches = Patches::new(IMAGE, [2, 3]);
        images.chunks(13 * 189).for_each(|some| patches.add(some));
        let filters = patches.filters(0.0);
        assert_eq!(filters.len(), 36 * 18);
        let (mut products, mut count) = (vec![0.0f64; 18 * 18], 0.0f64);
        for image in images.chunks(189) {
            for (y, x) in (0..8).flat_map(|y| (0..5).map(move |x| (y, x))) {
                let given: Vec<f64> = filters[..18 * 18]
                    .chunks(18)
                    .map(|filter| {
                        let at =
                            |tap: usize| image[tap / 6 * 63 + (y + tap % 6 / 3) * 7 + x + tap % 3];
                        (0..18).map(|tap| f64::from(filter[tap]) * f64::from(at(tap))).sum()
                    })
                    .collect();
                for (place, product) in products.iter_mut().enumerate() {
                    *product += given[place / 18] * given[place % 18];
                }
                count += 1.0;
            }
        }
        for (place, product) in products.iter().enumerate() {
            let expected = if place / 18 == place % 18 { 1.0 } else { 0.0 };
            assert!((product / count - expected).abs() < 1e-4, "{place}: {}", product / count);
        }
        assert!(filters[..324].iter().zip(&filters[324..]).all(|(a, b)| *a == -b));
    }

    #[test]
    fn images_from_all_over_are_looked_at() {
        // Classes often stand one behind the other.
        let all: Vec<u32> = (0..12_000).collect();
        let seen = looked_at(&all);
        assert_eq!((seen.len(), seen[0], seen[1], seen[4_999]), (5_000, 0, 2, 11_997));
        assert_eq!(looked_at(&all[..7]), all[..7]);
        assert!(looked_at(&[]).is_empty());
    }

    #[test]
    fn images_of_one_colour_have_filters_too() {
        let mut patches = Patches::new([1, 4, 4], [2, 2]);
        patches.add(&[0.0; 32]);
        assert!(patches.filters(5e-4).iter().all(|x| x.is_finite()));
    }
}
