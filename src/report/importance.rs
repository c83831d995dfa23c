//! Which drawn axes matter.

use maud::html;

use crate::analysis::Answers;
use crate::analysis::importance::{Importance, Importances, Part, importances};
use crate::charts::Chart;
use crate::charts::forest::{Row, forest};

use super::section::{Section, capital};

/// The chart; none where importance is not told.
pub(super) fn chart(answers: &Answers) -> Option<Chart> {
    importances(answers)?.ok().map(|found| drawing(answers, found))
}

fn drawing(answers: &Answers, found: &Importances) -> Chart {
    let row = |it: &Importance| Row {
        label: answers.factors[it.factor].name.clone(),
        words: words(it.lost),
        mean: 100.0 * it.lost.mean,
        half_width: Some(100.0 * it.lost.half_width),
        is_strong: it.lost.is_sure(),
    };
    let rows: Vec<Row> = found.factors.iter().map(row).collect();
    let title = format!("Importance for {}", answers.measure.words());
    forest("importance", &title, &rows, "% of the variance between settings, lost without it")
}

fn words(part: Part) -> String {
    format!("{} %", part.in_words())
}

/// The section; none where nothing was drawn.
pub(super) fn section(answers: &Answers) -> Option<Section> {
    let body = match importances(answers)? {
        Err(untold) => html! { p class="note" { (capital(&untold.to_string())) "." } },
        Ok(found) => html! {
            div class="charts" { (drawing(answers, found).figure()) }
            p class="note" {
                "By how much worse a random forest predicts settings that it has not seen when one axis is shuffled among "
                "them; it explains " (words(found.explained)) " of their variance, of " (found.settings) " settings. "
                "Mean ± 1.96 standard deviations over bootstrap samples of the settings; grey is not surely above 0. "
                "Interactions count for each of their axes, so the sum may be more than the "
                "whole. It applies only to the sampled ranges, and a search samples more in good regions."
            }
        },
    };
    Some(Section { id: "importance", title: "Importance", body })
}
