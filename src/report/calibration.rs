//! Whether the best setting is as often right as it says.

use maud::html;

use crate::analysis::predictions::{BINS, Predictions};
use crate::basis::number::number;
use crate::charts::Chart;
use crate::charts::reliability::reliability;

use super::section::Section;

/// The chart; none without probabilities.
pub(super) fn chart(predictions: &Predictions) -> Option<Chart> {
    let total: u64 = predictions.bins.iter().map(|bin| bin.count).sum();
    let bins: Vec<[f64; 3]> = predictions
        .bins
        .iter()
        .filter(|bin| bin.count > 0)
        .map(|bin| {
            let count = bin.count as f64;
            [bin.confidence / count, bin.right as f64 / count, count / total as f64]
        })
        .collect();
    let title = "Confidence against accuracy in ten bins; bars are parts of all predictions";
    (!bins.is_empty()).then(|| reliability("calibration", title, &bins))
}

/// The section; none without probabilities.
pub(super) fn section(predictions: &Predictions) -> Option<Section> {
    let chart = chart(predictions)?;
    let error = predictions.calibration_error()?;
    let sum = |of: fn(&crate::analysis::predictions::Bin) -> f64| -> f64 {
        predictions.bins.iter().map(of).sum()
    };
    let is_over = sum(|bin| bin.confidence) > sum(|bin| bin.right as f64);
    let percent = |part: f64| format!("{:.1}", 100.0 * part);
    let bins = predictions.bins.iter().enumerate().filter(|(_, bin)| bin.count > 0);
    let body = html! {
        div class="split" {
            (chart.figure())
            div {
                p {
                    "On the diagonal, confidence equals accuracy. The expected calibration error is "
                    strong { (format!("{:.1} points", 100.0 * error)) }
                    ": on the whole, the best setting is "
                    @if is_over { "more confident than right." } @else { "more often right than confident." }
                }
                div class="scroll" { table class="data wide" {
                    thead { tr {
                        @for name in ["confidence, %", "predictions", "mean, %", "accuracy, %", "accuracy − mean"] { th class="number" { (name) } }
                    } }
                    tbody {
                        @for (place, bin) in bins {
                            @let count = bin.count as f64;
                            @let (mean, right) = (bin.confidence / count, bin.right as f64 / count);
                            tr {
                                td class="number" { (100 * place / BINS) "–" (100 * (place + 1) / BINS) }
                                td class="number" { (number(bin.count)) }
                                td class="number" { (percent(mean)) }
                                td class="number" { (percent(right)) }
                                td class="number" { (format!("{:+.1}", 100.0 * (right - mean)).replace('-', "−")) }
                            }
                        }
                    }
                } }
            }
        }
    };
    Some(Section { id: "calibration", title: "Calibration", body })
}
