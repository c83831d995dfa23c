//! A series of numbers as one line of blocks.

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// `values` from their least (▁) to their greatest (█), at most `width` columns wide: of longer series
/// each column is the mean of neighbours. A series without change lies in the middle; a column
/// without a finite number is a dot.
pub(super) fn sparkline(values: &[f64], width: usize) -> String {
    let columns = width.min(values.len());
    let means: Vec<Option<f64>> = (0..columns)
        .map(|column| {
            let from = column * values.len() / columns;
            let to = (column + 1) * values.len() / columns;
            mean(&values[from..to])
        })
        .collect();
    let least = means.iter().flatten().copied().fold(f64::INFINITY, f64::min);
    let greatest = means.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
    let block = |value: f64| {
        // Halves, because the distance of two finite numbers may be infinite.
        let span = greatest / 2.0 - least / 2.0;
        if span > 0.0 {
            let part = (value / 2.0 - least / 2.0) / span;
            BLOCKS[(part * (BLOCKS.len() - 1) as f64).round() as usize]
        } else {
            BLOCKS[BLOCKS.len() / 2 - 1]
        }
    };
    means.into_iter().map(|mean| mean.map_or('·', block)).collect()
}

/// The mean of the finite ones.
fn mean(values: &[f64]) -> Option<f64> {
    let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    // Divided first, so that the sum stays finite.
    (!finite.is_empty()).then(|| finite.iter().map(|value| value / finite.len() as f64).sum())
}

#[cfg(test)]
mod tests {
    use super::sparkline;

    #[test]
    fn a_series_is_drawn_from_its_least_to_its_greatest() {
        let nan = f64::NAN;
        for (values, width, expected) in [
            (&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0][..], 8, "▁▂▃▄▅▆▇█"),
            (&[-2.0, 12.0, 5.0], 9, "▁█▅"),
            (&[], 8, ""),
            (&[0.7], 8, "▄"),
            (&[0.7, 0.7, 0.7], 8, "▄▄▄"),
            (&[nan], 8, "·"),
            (&[0.0, nan, 1.0], 8, "▁·█"),
            (&[0.0, f64::INFINITY, 1.0], 8, "▁·█"),
            (&[f64::MIN, f64::MAX], 8, "▁█"),
            (&[1.0, 2.0], 0, ""),
        ] {
            assert_eq!(sparkline(values, width), expected, "{values:?} in {width} columns");
        }
    }

    #[test]
    fn a_long_series_is_drawn_in_means_of_neighbours() {
        assert_eq!(sparkline(&[0.0, 2.0, 1.0, 3.0, 8.0, 8.0], 3), "▁▂█");
        assert_eq!(sparkline(&[0.0, 0.0, 4.0, f64::NAN, 4.0], 2), "▁█");
        let rising: Vec<f64> = (0..1000).map(f64::from).collect();
        assert_eq!(sparkline(&rising, 8), "▁▂▃▄▅▆▇█");
    }
}
