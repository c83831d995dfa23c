//! Fields of random numbers, one for every value of an image.

use std::sync::LazyLock;

use candlewick_basis::seed::Stream;

/// Numbers of a block.
pub(super) const BLOCK: usize = 256;

/// Uniform 16-bit numbers that are a function of a key and their place.
pub(super) struct Field {
    stream: Stream,
}

impl Field {
    pub(super) fn new(key: u64) -> Field {
        Field { stream: Stream::keyed(key) }
    }

    /// The numbers of the `index`-th block.
    #[inline(always)]
    pub(super) fn block(&self, index: usize) -> [u16; BLOCK] {
        let mut words = [0; BLOCK];
        let (quarters, _) = words.as_chunks_mut::<{ BLOCK / 4 }>();
        let [first, second, third, fourth] = quarters else { return words };
        for place in 0..BLOCK / 4 {
            let bits = self.stream.at((index * (BLOCK / 4) + place) as u64);
            first[place] = bits as u16;
            second[place] = (bits >> 16) as u16;
            third[place] = (bits >> 32) as u16;
            fourth[place] = (bits >> 48) as u16;
        }
        words
    }
}

/// The standard normal distribution by inversion: of each of 2^16 equally probable slices, the value
/// in its middle. The largest is 4.3, which is enough for what ends up in bytes, and a look-up is
/// several times faster than a ziggurat.
pub(super) struct Normal {
    /// The positive half, ascending.
    half: Box<[f32; 1 << 15]>,
}

impl Normal {
    /// The one table.
    pub(super) fn table() -> &'static Normal {
        static TABLE: LazyLock<Normal> = LazyLock::new(Normal::integrated);
        &TABLE
    }

    /// Adds up the density in small steps and notes where it passes the middle of each slice.
    fn integrated() -> Normal {
        const STEP: f64 = 1e-5;
        let mut half = Box::new([0.0; 1 << 15]);
        let (mut z, mut below) = (0.0_f64, 0.0);
        for (slice, value) in half.iter_mut().enumerate() {
            let middle = (slice as f64 + 0.5) / f64::from(1 << 16);
            while below < middle {
                let centre = z + STEP / 2.0;
                below += libm::exp(-0.5 * centre * centre) * STEP / std::f64::consts::TAU.sqrt();
                z += STEP;
            }
            *value = z as f32;
        }
        Normal { half }
    }

    /// A normal number of a uniform one.
    #[inline(always)]
    pub(super) fn of(&self, word: u16) -> f32 {
        let value = self.half[usize::from(word >> 1)];
        f32::from_bits(value.to_bits() | u32::from(word & 1) << 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_numbers_have_the_moments_and_quantiles_of_their_distribution() {
        let table = Normal::table();
        let all: Vec<f64> = (0..=u16::MAX).map(|word| f64::from(table.of(word))).collect();
        let moment = |power: i32| all.iter().map(|z| z.powi(power)).sum::<f64>() / 65536.0;
        assert!(moment(1).abs() < 1e-9);
        assert!((moment(2) - 1.0).abs() < 1e-3, "{}", moment(2));
        assert!((moment(4) - 3.0).abs() < 2e-2, "{}", moment(4));
        let within = |z: f64| all.iter().filter(|x| x.abs() <= z).count() as f64 / 65536.0;
        for (z, part) in [(0.5, 0.382_925), (1.0, 0.682_689), (2.0, 0.954_500), (3.0, 0.997_300)] {
            assert!((within(z) - part).abs() < 5e-5, "{z}: {}", within(z));
        }
    }

    #[test]
    fn fields_differ_by_key_and_are_spread_evenly() {
        let (one, two) = (Field::new(1), Field::new(2));
        assert_ne!(one.block(0), two.block(0));
        assert_ne!(one.block(0), one.block(1));
        let mean: f64 = (0..64).flat_map(|i| one.block(i)).map(f64::from).sum::<f64>();
        assert!((mean / (64.0 * 256.0) - 32767.5).abs() < 600.0);
    }
}
