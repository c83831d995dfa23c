//! Axes: from numbers to pixels, and round numbers to write beside them.

/// A range of numbers along a range of pixels.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    least: f64,
    greatest: f64,
    is_log: bool,
    from: f64,
    to: f64,
}

impl Axis {
    /// A linear axis over `values`, with a little room at both ends.
    pub fn linear(values: impl IntoIterator<Item = f64>, from: f64, to: f64) -> Axis {
        let (least, greatest) = range(values);
        let span = greatest - least;
        let room = if span > 0.0 { 0.04 * span } else { least.abs().max(1e-3) * 0.1 };
        Axis { least: least - room, greatest: greatest + room, is_log: false, from, to }
    }

    /// A linear axis over exactly this range.
    pub fn exact(least: f64, greatest: f64, from: f64, to: f64) -> Axis {
        Axis { least, greatest, is_log: false, from, to }
    }

    /// An axis over `values` that are all positive and span more than a factor of twenty is
    /// logarithmic; else it is linear.
    pub fn by_span(values: &[f64], from: f64, to: f64) -> Axis {
        let (least, greatest) = range(values.iter().copied());
        if least <= 0.0 || greatest / least < 20.0 {
            return Axis::linear(values.iter().copied(), from, to);
        }
        let room = libm::pow(greatest / least, 0.05);
        Axis { least: least / room, greatest: greatest * room, is_log: true, from, to }
    }

    /// Whether `value` lies on the axis.
    pub fn contains(&self, value: f64) -> bool {
        (self.least..=self.greatest).contains(&value)
    }

    /// The pixel of `value`; what is outside of the axis lies at its end.
    pub fn at(&self, value: f64) -> f64 {
        let part = if self.is_log {
            libm::log(value.max(self.least) / self.least) / libm::log(self.greatest / self.least)
        } else {
            (value - self.least) / (self.greatest - self.least)
        };
        self.from + part.clamp(0.0, 1.0) * (self.to - self.from)
    }

    /// About `count` round numbers with how they are written.
    pub fn ticks(&self, count: usize) -> Vec<(f64, String)> {
        if self.is_log {
            let decades =
                libm::log10(self.least).ceil() as i32..=libm::log10(self.greatest).floor() as i32;
            let decades: Vec<f64> = decades.map(|power| 10f64.powi(power)).collect();
            let every = decades.len().div_ceil(count.max(1)).max(1);
            let few = decades.len() < 2;
            let steps = if few { &[1.0, 2.0, 5.0][..] } else { &[1.0][..] };
            let low = (libm::log10(self.least).floor()) as i32;
            let high = libm::log10(self.greatest).ceil() as i32;
            return (low..=high)
                .filter(|power| {
                    few || ((power - low).unsigned_abs() as usize).is_multiple_of(every)
                })
                .flat_map(|power| steps.iter().map(move |step| step * 10f64.powi(power)))
                .filter(|value| (self.least..=self.greatest).contains(value))
                .map(|value| (value, compact(value)))
                .collect();
        }
        let step = self.round_step(count.max(1));
        let decimals = (-libm::log10(step).floor()).max(0.0) as usize;
        let first = (self.least / step).ceil() as i64;
        let last = (self.greatest / step).floor() as i64;
        (first..=last)
            .take(50)
            .map(|index| {
                let value = index as f64 * step;
                let text = if step >= 1000.0 {
                    compact(value)
                } else {
                    format!("{value:.decimals$}").replace('-', "−")
                };
                (value, text)
            })
            .collect()
    }
}

impl Axis {
    /// 1, 2 or 5 times a power of ten: the one by which there are about `count` ticks; of two, the one with fewer.
    fn round_step(&self, count: usize) -> f64 {
        let step = (self.greatest - self.least) / count as f64;
        if !step.is_finite() || step <= 0.0 {
            return 1.0;
        }
        let power = libm::pow(10f64, libm::log10(step).floor());
        let ticks = |step: f64| (self.greatest / step).floor() - (self.least / step).ceil() + 1.0;
        let off = |step: &f64| (ticks(*step) - count as f64).abs();
        let steps = [10.0, 5.0, 2.0, 1.0].map(|times| times * power);
        steps.into_iter().min_by(|a, b| off(a).total_cmp(&off(b))).unwrap_or(power)
    }
}

fn range(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let (mut least, mut greatest) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values.into_iter().filter(|value| value.is_finite()) {
        least = least.min(value);
        greatest = greatest.max(value);
    }
    if least > greatest { (0.0, 1.0) } else { (least, greatest) }
}

/// A number in few letters: 1.2M, 34k, 0.001, 3e-5.
pub fn compact(value: f64) -> String {
    let trim = |value: f64, unit: &str| {
        let text = if value.abs() < 10.0 { format!("{value:.1}") } else { format!("{value:.0}") };
        let text = text.strip_suffix(".0").map_or(text.clone(), str::to_owned);
        format!("{text}{unit}")
    };
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 1e9 => trim(value / 1e9, "G"),
        size if size >= 1e6 => trim(value / 1e6, "M"),
        size if size >= 1e3 => trim(value / 1e3, "k"),
        size if size >= 1.0 => trim(value, ""),
        size if size >= 1e-3 => {
            let text = format!("{value:.4}");
            text.trim_end_matches('0').to_owned()
        }
        _ => format!("{value:.0e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_numbers_inside_the_axis() {
        let words = |axis: &Axis| -> Vec<String> {
            axis.ticks(4).into_iter().map(|(_, text)| text).collect()
        };
        assert_eq!(words(&Axis::exact(0.0, 1.0, 0.0, 1.0)), ["0.0", "0.5", "1.0"]);
        assert_eq!(words(&Axis::exact(83.0, 91.0, 0.0, 1.0)), ["84", "86", "88", "90"]);
        let log = Axis::by_span(&[2e3, 3e6], 0.0, 1.0);
        assert_eq!(words(&log), ["10k", "100k", "1M"]);
        assert!(log.ticks(4).iter().all(|(value, _)| (0.0..=1.0).contains(&log.at(*value))));
    }

    #[test]
    fn an_axis_of_one_number_or_none_still_has_a_middle() {
        let one = Axis::linear([5.0], 0.0, 100.0);
        assert!((one.at(5.0) - 50.0).abs() < 1e-9);
        let none = Axis::linear([f64::NAN], 0.0, 100.0);
        assert!(none.at(0.5).is_finite() && !none.ticks(3).is_empty());
    }

    #[test]
    fn numbers_are_written_in_few_letters() {
        let of = [0.0, 5.0, 1234.0, 61_100_840.0, 0.25, 3e-5, 120.0];
        let words = ["0", "5", "1.2k", "61M", "0.25", "3e-5", "120"];
        assert_eq!(of.map(compact), words);
    }
}
