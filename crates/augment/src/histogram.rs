//! How many pixels have each value.

/// How often each value stands at every `step`-th place from `first` on.
pub(super) fn histogram(values: &[u8], first: usize, step: usize) -> [u32; 256] {
    // Counts of equal neighbours would wait for each other.
    let mut counts = [[0u32; 256]; 4];
    let mut count = |values: &[u8]| {
        let mut at = first;
        let mut turn = 0;
        while at < values.len() {
            counts[turn % 4][usize::from(values[at])] += 1;
            at += step;
            turn += 1;
        }
    };
    count(values);
    std::array::from_fn(|value| counts.iter().map(|counts| counts[value]).sum())
}
