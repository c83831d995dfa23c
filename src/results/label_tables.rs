//! The columns of what a trial leaves of its predictions where an image may have several labels.

/// The first columns of `predictions.csv`; the probability of each class follows, in a column with its name.
pub const LABEL_COLUMNS: [&str; 4] = ["image", "set", "labels", "predicted"];

/// The columns of `confusion.csv` behind that of the class: how often it was rightly and wrongly said, and wrongly and
/// rightly not said, at the probability ½.
pub const LABEL_COUNTS: [&str; 4] =
    ["true_positives", "false_positives", "false_negatives", "true_negatives"];
