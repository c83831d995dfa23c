//! Poisson numbers of a fixed rate, by inversion of their cumulative distribution.

/// The counts of one rate and how probable they are.
pub(super) struct Poisson {
    /// The count of the first entry.
    first: u32,
    /// For each count the probability of it or a smaller one, in parts of 2^32; the last is 2^32 − 1.
    cumulative: Vec<u32>,
}

impl Poisson {
    /// For `rate` ≥ 0. Counts that are 10^11 times less probable than the most probable one are left
    /// out.
    pub(super) fn new(rate: f64) -> Poisson {
        const NEGLIGIBLE: f64 = 1e-11;
        // Probabilities in proportion to that of the mode, which never underflow as e^−rate would.
        let mode = rate.floor();
        let mut down = Vec::new();
        let (mut count, mut weight) = (mode, 1.0);
        while count > 0.0 && weight > NEGLIGIBLE {
            weight *= count / rate;
            count -= 1.0;
            down.push(weight);
        }
        let first = count as u32;
        let mut weights: Vec<f64> = down.into_iter().rev().collect();
        let (mut count, mut weight) = (mode, 1.0);
        while weight > NEGLIGIBLE {
            weights.push(weight);
            count += 1.0;
            weight *= rate / count;
        }
        let total: f64 = weights.iter().sum();
        let mut below = 0.0;
        let cumulative = weights
            .into_iter()
            .map(|weight| {
                below += weight;
                (below / total * 4_294_967_296.0) as u32
            })
            .collect();
        Poisson { first, cumulative }
    }

    /// The count for a uniform number.
    #[inline(always)]
    pub(super) fn of(&self, uniform: u32) -> u32 {
        let index = self.cumulative.partition_point(|below| *below <= uniform);
        self.first + index.min(self.cumulative.len() - 1) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlewick_basis::seed::derive;

    #[test]
    fn counts_have_the_mean_and_variance_of_their_rate() {
        for rate in [0.0, 1e-6, 0.3, 4.7, 10.0, 250.0, 10_000.0] {
            let poisson = Poisson::new(rate);
            let mut stream = derive(1, "poisson", &[]);
            let n = 20_000;
            let counts: Vec<f64> =
                (0..n).map(|_| f64::from(poisson.of((stream.next_u64() >> 32) as u32))).collect();
            let mean = counts.iter().sum::<f64>() / f64::from(n);
            let variance =
                counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / f64::from(n);
            let deviation = (rate / f64::from(n)).sqrt();
            assert!((mean - rate).abs() <= 4.0 * deviation, "{rate}: {mean}");
            assert!((variance - rate).abs() <= 0.06 * rate + 1e-3, "{rate}: {variance}");
        }
    }
}
