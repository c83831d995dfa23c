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

/// A mean with half the width of its interval, and its unit.
pub(super) fn estimate(answers: &Answers, estimate: &Estimate) -> String {
    let measure = answers.measure;
    let mean = measure.show(estimate.mean);
    match estimate.half_width {
        Some(half) => format!("{mean} ± {}{}", measure.show(half), measure.unit()),
        None => format!("{mean}{}", measure.unit()),
    }
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
