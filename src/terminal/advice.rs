//! Advice on a transfer, for a terminal: what was measured at each depth, the case, and why.

use std::fmt::Write;

use crate::measures::{Accuracy, Measures};
use crate::plan::transfer::Case;
use crate::transfer::advise::{Advice, Depth, Evidence};

use super::grid::grid;
use crate::basis::number::number;

/// The advice, as text for a terminal of `width` columns.
pub fn advice(evidence: &Evidence, advice: &Advice, width: usize) -> String {
    let images = evidence.pixels.linear.images();
    let mut text = format!(
        "{} training images of {} classes; measured on {}\n",
        number(evidence.images as u64),
        evidence.classes,
        number(images as u64)
    );
    let header = ["features of", "numbers", "linear head", "centroid", "LogME", "H-score", ""];
    let mut table = grid(header.map(str::to_owned).to_vec(), 1..6, width);
    table.add_row(row("the pixels", None, &evidence.pixels, ""));
    let better =
        |a: &&Depth, b: &&Depth| a.measures.linear.value().total_cmp(&b.measures.linear.value());
    if let Some(depth) = evidence.random.iter().max_by(better) {
        let name = format!("{}, random weights", depth.layer);
        table.add_row(row(&name, Some(depth), &depth.measures, "best at random"));
    }
    for (index, depth) in evidence.depths.iter().enumerate() {
        let mark = match (index == advice.cut, index == advice.peak) {
            (true, true) => "best, cut here",
            (true, false) => "cut here",
            (false, true) => "best",
            (false, false) => "",
        };
        table.add_row(row(&depth.layer, Some(depth), &depth.measures, mark));
    }
    text.push_str(&table.trim_fmt());
    text.push_str(
        "\nlinear head: accuracy of logistic regression, 5 stratified folds, ± standard error; centroid: leave-one-out\n\
         accuracy of the nearest class mean; LogME (You et al., 2021) and H-score (Bao et al., 2019, covariance shrunk)\n\n",
    );
    let _ = writeln!(
        text,
        "{}: {} ({}), {} with a score of {:.2} of 1 ({})",
        advice.case.name(),
        if advice.large { "large" } else { "small" },
        advice.size_confidence.name(),
        if advice.similar { "similar" } else { "different" },
        advice.similarity,
        advice.similarity_confidence.name()
    );
    for reason in &advice.reasons {
        let _ = writeln!(text, "- {reason}");
    }
    let _ = writeln!(text, "\n{}:\n", advice.recommendation);
    let _ = writeln!(text, "  [transfer]\n  case = \"{}\"", advice.case.name());
    if matches!(advice.case, Case::SmallSimilar | Case::SmallDifferent) {
        let _ = writeln!(text, "  cut = \"{}\"", evidence.depths[advice.cut].layer);
    }
    text
}

fn row(name: &str, depth: Option<&Depth>, measures: &Measures, mark: &str) -> Vec<String> {
    let percent = |accuracy: &Accuracy| format!("{:.1} %", 100.0 * accuracy.value());
    vec![
        name.to_owned(),
        depth.map_or(String::new(), |depth| number(depth.width as u64)),
        format!(
            "{:.1} ± {:.1} %",
            100.0 * measures.linear.value(),
            100.0 * measures.linear.standard_error()
        ),
        percent(&measures.nearest_centroid),
        format!("{:.3}", measures.logme),
        format!("{:.3}", measures.h_score.shrunk),
        mark.to_owned(),
    ]
}
