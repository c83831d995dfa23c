//! The one door for randomness.
//!
//! Every random number in the program comes from [`derive`]: a stream that is named by the
//! experiment's seed, a purpose and a few counters ("dropout", layer, step). Streams do not depend
//! on each other, on the order in which they are asked for, on threads or on clocks, so two trials
//! that share a seed see the same split, the same shuffles and the same dropout masks.
//!
//! The generator is SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
//! generators", OOPSLA 2014). It is counter-based: the n-th number is a function of the key and n
//! alone, so a stream can be read at any place ([`Stream::at`]) and a mask need not be stored.

/// The odd constant that SplitMix64 adds for each number.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// A stream of random numbers. Cheap to copy; a copy goes on from the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    key: u64,
    count: u64,
}

/// The stream for `purpose` under `seed`, told apart from its siblings by `counters`.
pub fn derive(seed: u64, purpose: &str, counters: &[u64]) -> Stream {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.update(&(purpose.len() as u64).to_le_bytes());
    hasher.update(purpose.as_bytes());
    for counter in counters {
        hasher.update(&counter.to_le_bytes());
    }
    let digest = hasher.finalize();
    let mut key = [0; 8];
    key.copy_from_slice(&digest.as_bytes()[..8]);
    Stream { key: u64::from_le_bytes(key), count: 0 }
}

/// The finaliser of SplitMix64 (variant 13 of Stafford's mixers).
#[inline(always)]
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Stream {
    /// The stream of a key that [`next_u64`](Self::next_u64) has drawn from another one: a place of
    /// its own for something that needs many numbers.
    pub fn keyed(key: u64) -> Stream {
        Stream { key, count: 0 }
    }

    /// The `index`-th number of this stream, whatever was drawn before.
    #[inline(always)]
    pub fn at(&self, index: u64) -> u64 {
        mix(self.key.wrapping_add(GAMMA.wrapping_mul(index.wrapping_add(1))))
    }

    /// The next 64 random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        let bits = self.at(self.count);
        self.count += 1;
        bits
    }

    /// Uniform in [0, 1), on a grid of 2^-53.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Standard normal, by Box and Muller's transform of two uniform numbers.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Uniform in 0..`bound` without bias (Lemire's multiplication with rejection).
    ///
    /// # Panics
    /// If `bound` is 0: there is nothing to choose from.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "cannot draw a number below 0");
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let wide = u128::from(self.next_u64()) * u128::from(bound);
            if wide as u64 >= threshold {
                return (wide >> 64) as u64;
            }
        }
    }

    /// Fisher and Yates's shuffle.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

/// The distributions of `rand_distr` draw from streams.
impl rand_core::TryRng for Stream {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok((self.next_u64() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(self.next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next_u64().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_gives_the_same_numbers_and_another_name_gives_others() {
        let draw = |seed, purpose, counters: &[u64]| derive(seed, purpose, counters).next_u64();
        assert_eq!(draw(1, "shuffle", &[2, 3]), draw(1, "shuffle", &[2, 3]));
        let others = [
            draw(2, "shuffle", &[2, 3]),
            draw(1, "dropout", &[2, 3]),
            draw(1, "shuffle", &[3, 2]),
            draw(1, "shuffle", &[2]),
        ];
        assert!(!others.contains(&draw(1, "shuffle", &[2, 3])));
    }

    #[test]
    fn numbers_are_those_of_the_published_generator() {
        // The first outputs of SplitMix64 with state 0, as printed in many test suites.
        let mut stream = Stream { key: 0, count: 0 };
        assert_eq!(stream.next_u64(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(stream.next_u64(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn a_stream_can_be_read_at_any_place() {
        let mut stream = derive(7, "place", &[]);
        let jumped = stream.at(5);
        for _ in 0..5 {
            stream.next_u64();
        }
        assert_eq!(stream.next_u64(), jumped);
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut stream = derive(1, "moments", &[]);
        let n = 100_000;
        let uniform: f64 = (0..n).map(|_| stream.uniform()).sum::<f64>() / n as f64;
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..n {
            let x = stream.normal();
            sum += x;
            squares += x * x;
        }
        assert!((uniform - 0.5).abs() < 0.005);
        assert!((sum / n as f64).abs() < 0.01);
        assert!((squares / n as f64 - 1.0).abs() < 0.02);
    }

    #[test]
    fn a_shuffle_is_a_permutation_and_every_place_is_reached() {
        let mut reached = [[false; 5]; 5];
        for round in 0..200 {
            let mut items = [0, 1, 2, 3, 4];
            derive(1, "shuffle", &[round]).shuffle(&mut items);
            let mut sorted = items;
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3, 4]);
            for (place, item) in items.iter().enumerate() {
                reached[place][*item] = true;
            }
        }
        assert!(reached.iter().flatten().all(|seen| *seen));
    }
}
