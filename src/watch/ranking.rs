//! The ranking so far, as the page has it.

use serde_json::{Value, json};

use crate::analysis::statistics::Estimate;
use crate::analysis::{Answers, Verdict};

/// Settings that are told.
const MOST: usize = 50;

/// The best settings of `answers`, of those that have a completed trial.
pub(super) fn ranking(answers: &Answers) -> Value {
    let measure = answers.measure;
    let words = |estimate: &Estimate| {
        let half =
            estimate.half_width.map_or(String::new(), |half| format!(" ± {}", measure.show(half)));
        format!("{}{half}{}", measure.show(estimate.mean), measure.unit())
    };
    let known = || answers.settings.iter().filter_map(|it| Some((it, it.estimate?)));
    let settings: Vec<Value> = known()
        .take(MOST)
        .map(|(setting, estimate)| {
            json!({
                "label": setting.label,
                "n": estimate.n,
                "of": setting.trials.len(),
                "words": words(&estimate),
                "mean": estimate.mean,
                "half": estimate.half_width,
                "test": setting.test.as_ref().filter(|_| !measure.is_test()).map(words),
                "behind": setting.behind.map(|behind| measure.show(behind.difference.mean.abs())),
                "verdict": match setting.verdict {
                    Verdict::Best => "best",
                    Verdict::Tied => "tied",
                    Verdict::Worse => "worse",
                    Verdict::Unknown => "",
                },
            })
        })
        .collect();
    json!({ "settings": settings, "known": known().count(), "all": answers.settings.len() })
}
