//! What the predictions of each setting are worth, beside the score that ranks them.

use maud::{Markup, html};

use crate::analysis::scores::{self, SettingScores, words};
use crate::analysis::statistics::Estimate;
use crate::analysis::{Answers, Setting};
use crate::basis::naming::short;

use super::section::{Section, colour, digits};

/// Rows of the table; the JSON has all.
const ROWS: usize = 100;

/// The section; none if no trial has left scores of its predictions.
pub(super) fn section(answers: &Answers) -> Option<Section> {
    let ranked: Vec<(usize, &Setting, SettingScores)> = answers
        .settings
        .iter()
        .enumerate()
        .filter_map(|(rank, setting)| Some((rank, setting, scores::of_setting(answers, setting)?)))
        .collect();
    if ranked.is_empty() {
        return None;
    }
    let body = html! {
        div class=(if ranked.len() > 30 { "scroll tall" } else { "scroll" }) {
            table class="data sortable wide" {
                thead { tr {
                    th class="number" { "#" }
                    @for name in &answers.axes { th title=(name) { (short(name, &answers.axes)) } }
                    th { "set" }
                    @for (_, name) in scores::shown(answers) { th class="number" { (words(name)) } }
                } }
                tbody {
                    @for (rank, setting, found) in ranked.iter().take(ROWS) {
                        tr {
                            td class="number" data-value=(rank) { span class=(format!("key {}", colour(*rank))) { (rank + 1) } }
                            @for (value, name) in setting.values.iter().zip(&setting.names) {
                                td title=(value) { @if name.is_empty() { "–" } @else { (name) } }
                            }
                            td { (found.set) }
                            @for (place, _) in scores::shown(answers) { (cell(found.estimates[place])) }
                        }
                    }
                }
            }
        }
        @if ranked.len() > ROWS {
            p class="note" { "The best " (ROWS) " of " (ranked.len()) " settings; " code { "wick report --format csv --table scores" } " has all." }
        }
        p class="note" {
            "Of the predictions of each trial's best weights: mean ± half of the 95 % interval over completed trials. "
            "Recall is the mean over classes, which is the balanced accuracy; the loss is the log loss. "
            "ROC AUC and average precision are means over classes of each against the rest. "
            "For loss, calibration error and Brier score, less is better."
        }
    };
    Some(Section { id: "scores", title: "Scores of predictions", body })
}

fn cell(found: Option<Estimate>) -> Markup {
    html! {
        td class="number" data-value=(found.map_or(String::new(), |found| found.mean.to_string())) {
            @match found {
                Some(Estimate { mean, half_width: Some(half), .. }) => {
                    @let digits = digits(half, 4);
                    (format!("{mean:.digits$} ± {half:.digits$}"))
                },
                Some(Estimate { mean, .. }) => { (format!("{mean:.3}")) },
                None => "–",
            }
        }
    }
}
