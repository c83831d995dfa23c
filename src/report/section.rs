//! A section of the page, and the words that sections have in common.

use maud::Markup;

use crate::analysis::statistics::Estimate;
use crate::analysis::{Answers, Setting};
use crate::charts::COLOURS;

/// A part of the page.
pub(super) struct Section {
    /// Its place in the page.
    pub(super) id: &'static str,
    /// Its heading.
    pub(super) title: &'static str,
    pub(super) body: Markup,
}

/// Digits behind the point of a number and of half the width of its interval, at most `most`: as many as give the width
/// two digits. More would say what nobody knows.
pub(super) fn digits(half: f64, most: usize) -> usize {
    match half > 0.0 {
        true => (1.0 - libm::log10(half).floor()).clamp(0.0, most as f64) as usize,
        false => most,
    }
}

/// A number with half the width of its interval, if there is one, in the units of the measure.
fn with_half(answers: &Answers, mean: f64, half: Option<f64>) -> String {
    let measure = answers.measure;
    let Some(half) = half else { return measure.show(mean) };
    let (factor, most) = if measure.is_loss() { (1.0, 4) } else { (100.0, 2) };
    let digits = digits(factor * half, most);
    format!("{:.digits$} ± {:.digits$}", factor * mean, factor * half)
}

/// A mean with half the width of its interval, and its unit.
pub(super) fn estimate(answers: &Answers, estimate: &Estimate) -> String {
    format!("{}{}", with_half(answers, estimate.mean, estimate.half_width), answers.measure.unit())
}

/// How far a setting is behind another one, with half the width of its interval.
pub(super) fn behind(answers: &Answers, difference: &Estimate) -> String {
    with_half(answers, difference.mean.abs(), difference.half_width)
}

/// The same with its unit.
pub(super) fn difference(answers: &Answers, difference: &Estimate) -> String {
    format!("{}{}", behind(answers, difference), answers.measure.unit_of_difference())
}

/// A p-value in words.
pub(super) fn p_value(p: f64) -> String {
    if p < 0.001 { "p < 0.001".to_owned() } else { format!("p = {p:.3}") }
}

/// The colour of the setting with this rank.
pub(super) fn colour(rank: usize) -> String {
    if rank < COLOURS { format!("s{rank}") } else { "rest".to_owned() }
}

/// What a setting is called in a chart: its values if they are short, else its rank.
pub(super) fn called(settings: &[&Setting], rank: usize) -> String {
    const LETTERS: usize = 17;
    let words = |setting: &Setting| -> String {
        let named = setting.names.iter().filter(|name| !name.is_empty());
        named.map(String::as_str).collect::<Vec<_>>().join(" · ")
    };
    let fits =
        settings.iter().all(|setting| (1..=LETTERS).contains(&words(setting).chars().count()));
    if fits { words(settings[rank]) } else { format!("#{}", rank + 1) }
}

/// Words that begin with a capital letter.
pub(super) fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::digits;

    #[test]
    fn an_interval_has_two_digits() {
        let found = [12.7, 2.5, 0.86, 0.004, 0.0].map(|half| digits(half, 2));
        assert_eq!(found, [0, 1, 2, 2, 2]);
    }
}
