//! `scores.csv`: what the predictions of a trial's best weights come to, in the folder of the trial; `wick evaluate
//! --scores` writes the same.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::basis::record::Scores;
use crate::basis::regular;
use crate::measures::{LabelScores, PredictionScores};

/// How many scores there are.
const COUNT: usize = Scores::NAMES.len() + PredictionScores::NAMES.len() + LabelScores::OWN.len();

/// The scores that predictions of several labels share with those of one label, by their names.
const SHARED: [&str; 2] = ["roc_auc", "average_precision"];

/// Scores on a set of images.
#[derive(Clone, Debug, PartialEq)]
pub struct SetScores {
    /// On which images: `test`, or `validation` where there are no test images.
    pub set: String,
    /// In the order of [`names`]; none where one is not defined.
    pub values: [Option<f64>; COUNT],
}

/// A row: one score; its value is empty where it is not defined.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// On which images.
    pub set: String,
    /// Its name.
    pub score: String,
    /// Its value.
    pub value: Option<f64>,
}

/// The names of all scores: those that each epoch has, those of predictions alone, and those of predictions of several
/// labels alone.
pub fn names() -> impl Iterator<Item = &'static str> {
    Scores::NAMES.into_iter().chain(PredictionScores::NAMES).chain(LabelScores::OWN)
}

/// Whether predictions of several labels for an image, or those of one, have the score `name`.
pub fn is_of(name: &str, several: bool) -> bool {
    match several {
        true => !PredictionScores::NAMES.contains(&name) || SHARED.contains(&name),
        false => !LabelScores::OWN.contains(&name),
    }
}

impl SetScores {
    /// Whether they are those of predictions of several labels for an image.
    pub fn are_of_several_labels(&self) -> bool {
        names().zip(self.values).any(|(name, value)| !is_of(name, false) && value.is_some())
    }
}

/// The rows of the scores of predictions on `set`.
pub fn rows(set: &str, known: Option<&Scores>, more: &PredictionScores) -> Vec<Row> {
    let known = known.map_or([None; Scores::NAMES.len()], |scores| scores.values().map(Some));
    let values = known.into_iter().chain(more.values());
    let row =
        |(score, value): (&str, _)| Row { set: set.to_owned(), score: score.to_owned(), value };
    names().zip(values).map(row).collect()
}

/// The rows of the scores of predictions of several labels on `set`.
pub fn label_rows(set: &str, known: Option<&Scores>, more: &LabelScores) -> Vec<Row> {
    let known = known.map_or([None; Scores::NAMES.len()], |scores| scores.values().map(Some));
    let values = known.into_iter().chain([more.roc_auc, more.average_precision]).chain(more.own());
    let row =
        |(score, value): (&str, _)| Row { set: set.to_owned(), score: score.to_owned(), value };
    names().filter(|name| is_of(name, true)).zip(values).map(row).collect()
}

/// The scores in the file at `path`; none if it is not there or has none. A row that is no score is left out.
pub fn read(path: &Path) -> Option<SetScores> {
    let mut reader = csv::Reader::from_reader(regular::open(path).ok()?);
    let mut found: Option<SetScores> = None;
    for Row { set, score, value } in reader.deserialize().map_while(Result::ok) {
        let Some(place) = names().position(|name| name == score) else { continue };
        let found = found.get_or_insert(SetScores { set, values: [None; COUNT] });
        found.values[place] = value.filter(|value| value.is_finite());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::table::csv_bytes;

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scores.csv");
        assert_eq!(read(&path), None);
        let known = Scores::from([0.5, 0.75, 1.0, 0.7, 0.1 + 0.2, 0.6]);
        let more = PredictionScores { roc_auc: Some(1.0 / 3.0), ..PredictionScores::default() };
        std::fs::write(&path, csv_bytes(rows("test", Some(&known), &more))).unwrap();
        let back = read(&path).unwrap();
        assert_eq!(back.set, "test");
        assert_eq!(back.values[4], Some(0.1 + 0.2));
        assert_eq!(back.values[6..12], more.values());
        assert!(!back.are_of_several_labels());
        let more = LabelScores { hamming_loss: Some(0.1), ..LabelScores::default() };
        let more = LabelScores { average_precision: Some(0.7), ..more };
        std::fs::write(&path, csv_bytes(label_rows("test", Some(&known), &more))).unwrap();
        let back = read(&path).unwrap();
        assert_eq!((back.values[9], back.values[12]), (Some(0.7), Some(0.1)));
        assert!(back.are_of_several_labels());
    }

    #[test]
    fn a_torn_or_foreign_file_gives_the_scores_before_the_damage() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scores.csv");
        let text = "set,score,value\ntest,beauty,1\ntest,loss,0.5\ntest,accuracy,NaN\ntest,f1,x\ntest,recall,1\n";
        std::fs::write(&path, text).unwrap();
        let found = read(&path).unwrap();
        assert_eq!(found.values[0], Some(0.5));
        assert!(found.values[1..].iter().all(Option::is_none));
    }
}
