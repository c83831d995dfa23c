//! What is said of several labels, for a terminal: a row for each.

use super::grid::grid;
use crate::basis::number::number;
use crate::basis::printable;
use crate::measures::LabelCounts;

/// What is said of a label.
pub struct LabelRow {
    /// Its name.
    pub class: String,
    /// How often it is rightly and wrongly said, and wrongly and rightly not said, at the probability ½.
    pub counts: LabelCounts,
    /// None where no image has it.
    pub average_precision: Option<f64>,
    /// The least probability with which it is said, if one was chosen.
    pub threshold: Option<f64>,
}

/// The rows as a table for a terminal of `width` columns.
pub fn table(rows: &[LabelRow], width: usize) -> String {
    let header = [
        "",
        "images",
        "right",
        "added",
        "missed",
        "precision",
        "recall",
        "F1",
        "average precision",
        "threshold",
    ];
    let mut table = grid(header.map(str::to_owned).to_vec(), 1..header.len(), width);
    let shown = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.4}"));
    for LabelRow { class, counts, average_precision, threshold } in rows {
        let [right, added, missed, _] = counts.numbers().map(number);
        let mut cells = vec![
            printable::name(class).into_owned(),
            number(counts.images()),
            right,
            added,
            missed,
        ];
        let scores = [Some(counts.precision()), counts.recall(), counts.f1()];
        cells.extend(scores.into_iter().chain([*average_precision, *threshold]).map(shown));
        table.add_row(cells);
    }
    table.trim_fmt()
        + "\nof each label at the probability ½: true positives, false positives, false negatives; and the \
           threshold of wick predict\n"
}
