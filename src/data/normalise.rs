//! Normalisation per channel: (value / 255 − mean) / standard deviation.

use rayon::prelude::*;

use super::dataset::Dataset;
use super::error::Error;
use crate::basis::seed::derive;
use crate::plan::data::{Moments, Normalise};

/// What is subtracted from and divided by, for pixels scaled to [0, 1]; one number per channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalisation {
    /// Subtracted.
    pub mean: Vec<f32>,
    /// Divided by.
    pub std: Vec<f32>,
}

/// The sums of an image's values and of their squares, by channel. They are integers, so that the order of summation
/// does not matter.
///
/// # Shapes
/// `image`: [height, width, channels]; the result: [channels]
pub(super) fn sums(image: &[u8], channels: usize) -> Vec<[u64; 2]> {
    let mut sums = vec![[0_u64; 2]; channels];
    // 65,536 pixels of 255² fit 32 bits, in which the compiler can work on many at a time.
    for block in image.chunks((1 << 16) * channels) {
        let mut block_sums = [[0_u32; 2]; 3];
        for pixel in block.chunks_exact(channels) {
            for (sums, value) in block_sums.iter_mut().zip(pixel) {
                sums[0] += u32::from(*value);
                sums[1] += u32::from(*value) * u32::from(*value);
            }
        }
        for (sums, block) in sums.iter_mut().zip(block_sums) {
            sums[0] += u64::from(block[0]);
            sums[1] += u64::from(block[1]);
        }
    }
    sums
}

/// The normalisation of `plan`; with `dataset`, mean and (population) standard deviation of the
/// images `train`, and with `sample`, of so many of them, which `seed` draws.
///
/// Sums are exact integers, so the numbers do not depend on the order of images or threads. A
/// channel that has the same value everywhere has a deviation of 0; it is divided by 1 instead,
/// which leaves it at 0: it says nothing, and must not become infinite.
///
/// # Errors
/// If an image cannot be decoded.
pub fn normalisation(
    dataset: &Dataset,
    train: &[u32],
    plan: &Normalise,
    seed: u64,
) -> Result<Normalisation, Error> {
    let channels = dataset.channels();
    match plan {
        Normalise::None => {
            Ok(Normalisation { mean: vec![0.0; channels], std: vec![1.0; channels] })
        }
        Normalise::By(Moments { mean, std }) => {
            Ok(Normalisation { mean: mean.clone(), std: std.clone() })
        }
        Normalise::Dataset => {
            let sums = dataset.sums()?;
            let of = |image: &u32| &sums[*image as usize * channels..][..channels];
            Ok(of_sums(dataset, train, &train.iter().map(of).collect::<Vec<_>>()))
        }
        Normalise::Sample(images) => {
            let mut sample = train.to_vec();
            derive(seed, "images for normalisation", &[]).shuffle(&mut sample);
            sample.truncate(*images);
            let of = |image: &u32| Ok(sums(&dataset.image(*image)?, channels));
            let sums = sample.par_iter().map(of).collect::<Result<Vec<_>, Error>>()?;
            Ok(of_sums(dataset, &sample, &sums))
        }
    }
}

/// Mean and standard deviation of `images`, which have these sums.
fn of_sums(dataset: &Dataset, images: &[u32], sums: &[impl AsRef<[[u64; 2]]>]) -> Normalisation {
    let channels = dataset.channels();
    let pixels = |image: &u32| (dataset.frame(*image).bytes() / channels) as u128;
    let count: u128 = images.iter().map(pixels).sum();
    let moments = |channel: usize| {
        let (mut sum, mut squares) = (0_u128, 0_u128);
        for image in sums {
            let [of_values, of_squares] = image.as_ref()[channel];
            sum += u128::from(of_values);
            squares += u128::from(of_squares);
        }
        // n²·variance, which cannot be negative: integers do not round.
        let spread = count * squares - sum * sum;
        let scale = 255.0 * count.max(1) as f64;
        let std = if spread == 0 { 1.0 } else { (spread as f64).sqrt() / scale };
        (sum as f64 / scale, std)
    };
    let (mean, std) =
        (0..channels).map(moments).map(|(mean, std)| (mean as f32, std as f32)).unzip();
    Normalisation { mean, std }
}

/// A normalisation as a table of the 256 values that a byte can have, one table per channel.
#[derive(Clone, Debug)]
pub struct Table {
    channels: Vec<[f32; 256]>,
}

impl Normalisation {
    /// The table, with the arithmetic (single precision, this order) of torchvision's `ToTensor`
    /// and `Normalize`.
    pub fn table(&self) -> Table {
        let of = |(mean, std): (&f32, &f32)| {
            std::array::from_fn(|value| (value as f32 / 255.0 - mean) / std)
        };
        Table { channels: self.mean.iter().zip(&self.std).map(of).collect() }
    }
}

impl Table {
    /// Equal for equal tables.
    pub fn identity(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for value in self.channels.iter().flatten() {
            hasher.update(&value.to_le_bytes());
        }
        hasher.finalize()
    }

    /// Writes the normalised `image` channel by channel.
    ///
    /// # Shapes
    /// `image`: [height, width, channels]; `out`: [channels, height, width]
    pub fn write(&self, image: &[u8], out: &mut [f32]) {
        debug_assert_eq!(image.len(), out.len());
        match self.channels.as_slice() {
            [gray] => {
                for (out, value) in out.iter_mut().zip(image) {
                    *out = gray[usize::from(*value)];
                }
            }
            [red, green, blue] => {
                let area = out.len() / 3;
                let (reds, rest) = out.split_at_mut(area);
                let (greens, blues) = rest.split_at_mut(area);
                let planes = reds.iter_mut().zip(greens).zip(blues);
                for (((r, g), b), pixel) in planes.zip(image.chunks_exact(3)) {
                    *r = red[usize::from(pixel[0])];
                    *g = green[usize::from(pixel[1])];
                    *b = blue[usize::from(pixel[2])];
                }
            }
            tables => {
                let area = out.len() / tables.len().max(1);
                for (channel, plane) in out.chunks_exact_mut(area.max(1)).enumerate() {
                    for (out, pixel) in plane.iter_mut().zip(image.chunks_exact(tables.len())) {
                        *out = tables[channel][usize::from(pixel[channel])];
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dataset::Part;
    use super::*;

    #[test]
    fn statistics_are_those_of_the_training_images_alone() {
        let dataset = Dataset::of_labels(&[0, 1, 0, 1], &[Part::Undeclared; 4]);
        // Values 1 and 3: mean 2, population deviation 1.
        let Normalisation { mean, std } =
            normalisation(&dataset, &[1, 3], &Normalise::Dataset, 0).unwrap();
        assert_eq!((mean[0], std[0]), ((2.0_f64 / 255.0) as f32, (1.0_f64 / 255.0) as f32));
    }

    #[test]
    fn a_constant_channel_is_divided_by_one() {
        let dataset = Dataset::of_labels(&[0, 1, 0], &[Part::Undeclared; 3]);
        let normalisation = normalisation(&dataset, &[2], &Normalise::Dataset, 0).unwrap();
        assert_eq!(normalisation.std, [1.0]);
        let mut out = [9.0];
        normalisation.table().write(&[2], &mut out);
        assert_eq!(out, [0.0]);
    }

    #[test]
    fn normalised_bytes_are_those_of_albumentations() {
        let (mean, std) = (vec![0.485, 0.456, 0.406], vec![0.229, 0.224, 0.225]);
        let table = Normalisation { mean, std }.table();
        let golden = include_str!("../../tests/goldens/normalise.csv");
        for (value, row) in (0..=255u8).zip(golden.lines().skip(1)) {
            let mut out = [0.0; 3];
            table.write(&[value; 3], &mut out);
            for (found, expected) in out.into_iter().zip(row.split(',')) {
                let expected: f32 = expected.parse().unwrap();
                assert!((found - expected).abs() <= 1e-6, "{value}: {found}, not {expected}");
            }
        }
        assert_eq!(golden.lines().count(), 257);
    }

    #[test]
    fn pixels_become_planes() {
        let mean = vec![0.0, 0.5, 1.0];
        let std = vec![1.0, 0.5, 2.0];
        let table = Normalisation { mean, std }.table();
        let mut out = [0.0; 6];
        table.write(&[255, 255, 255, 0, 0, 0], &mut out);
        assert_eq!(out, [1.0, 0.0, 1.0, -1.0, 0.0, -0.5]);
    }
}
