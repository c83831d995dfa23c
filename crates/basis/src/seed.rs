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
        let radius = (-2.0 * libm::log(1.0 - self.uniform())).sqrt();
        radius * libm::cos(std::f64::consts::TAU * self.uniform())
    }

    /// Two standard normal numbers by Marsaglia's polar method, in less time than twice
    /// [`normal`](Self::normal).
    pub fn normal_pair(&mut self) -> [f64; 2] {
        loop {
            let [x, y] = [(); 2].map(|()| 2.0 * self.uniform() - 1.0);
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                let scale = (-2.0 * libm::log(square) / square).sqrt();
                return [x * scale, y * scale];
            }
        }
    }

    /// From the distribution Beta(`alpha`, `alpha`), `alpha` > 0: the part of one of two gamma numbers in
    /// their sum.
    pub fn beta(&mut self, alpha: f64) -> f64 {
        let [own, other] = [(); 2].map(|()| self.log_gamma(alpha));
        // As a logistic function of the logarithms, which do not underflow where alpha is small.
        1.0 / (1.0 + libm::exp(other - own))
    }

    /// The logarithm of a number from the gamma distribution of this shape: Marsaglia and Tsang, "A simple
    /// method for generating gamma variables" (ACM TOMS 26(3), 2000), for a shape of 1 more, which a power of
    /// a uniform number takes back.
    fn log_gamma(&mut self, shape: f64) -> f64 {
        let d = shape + 1.0 - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let root = 1.0 + c * x;
            let v = root * root * root;
            let bound = 1.0 - self.uniform();
            if v > 0.0 && libm::log(bound) < 0.5 * x * x + d - d * v + d * libm::log(v) {
                return libm::log(d * v) + libm::log(1.0 - self.uniform()) / shape;
            }
        }
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

    #[test]
    fn pairs_of_normal_numbers_have_the_moments_of_the_distribution() {
        let mut stream = derive(3, "pairs", &[]);
        let numbers: Vec<f64> = (0..50_000).flat_map(|_| stream.normal_pair()).collect();
        let moment = |k: i32| numbers.iter().map(|x| x.powi(k)).sum::<f64>() / numbers.len() as f64;
        // Five standard errors of each.
        for (k, expected, error) in
            [(1, 0.0, 0.016), (2, 1.0, 0.023), (3, 0.0, 0.062), (4, 3.0, 0.16)]
        {
            assert!((moment(k) - expected).abs() < error, "moment {k}: {}", moment(k));
        }
    }

    #[test]
    fn beta_has_the_mean_and_variance_of_the_distribution_for_any_alpha() {
        for (index, alpha) in [0.001, 0.2, 1.0, 4.0].into_iter().enumerate() {
            let mut stream = derive(3, "beta", &[index as u64]);
            let numbers: Vec<f64> = (0..40_000).map(|_| stream.beta(alpha)).collect();
            assert!(numbers.iter().all(|x| (0.0..=1.0).contains(x)), "{alpha}");
            let mean = numbers.iter().sum::<f64>() / 4e4;
            let variance = numbers.iter().map(|x| (x - 0.5).powi(2)).sum::<f64>() / 4e4;
            let expected = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            // Five standard errors of a mean of numbers that are at most 1/2, and 1/4, from theirs.
            assert!((mean - 0.5).abs() < 0.0125, "{alpha}: {mean}");
            assert!((variance - expected).abs() < 0.0063, "{alpha}: {variance}, {expected}");
        }
    }
}
