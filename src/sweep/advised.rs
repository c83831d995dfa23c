//! `advice.csv`: what `wick advise` says of each kind of data in a sweep over the cases of transfer, for
//! its report to hold against what the trials came to.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::transfer::Transfer;
use crate::data::Cache;
use crate::document::{KeyPath, Node, read};
use crate::plan::sweep::{Experiment, Trial};
use crate::plan::transfer::{BORDER, Case};
use crate::results::hashes::verified;
use crate::results::layout::ADVICE;
use crate::results::table::{TableError, csv_bytes};

use super::store::{Store, StoreError};
use super::survey::advice;

/// The axis that makes a sweep a comparison of cases.
pub const AXIS: &str = "transfer.case";

/// A row: advice on the images of a trial and of all that differ from it by case, seed and fold alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Advised {
    /// The number of the trial whose images were measured.
    pub trial: usize,
    /// Training images.
    pub images: usize,
    /// The case, as the file writes it.
    pub case: String,
    /// The layer behind which to cut for a new head on frozen features.
    pub cut: String,
    /// "small" or "large".
    pub size: String,
    /// "open", "likely" or "clear".
    pub size_confidence: String,
    /// "similar" or "different".
    pub kind: String,
    /// 0 (nothing in common with what the network knows) to 1.
    pub similarity: f64,
    /// "open", "likely" or "clear".
    pub similarity_confidence: String,
}

/// Advice on each kind of data in the sweep of `root`; none if it is not one over cases. What cannot be
/// measured is left out: its trials say why.
fn advised(root: &Node, experiment: &Experiment, images: &Cache) -> Vec<Advised> {
    let Some(axis) = experiment.axes.iter().position(|axis| axis == AXIS) else {
        return Vec::new();
    };
    let at = KeyPath::root().key("transfer");
    let written = root.get("transfer").and_then(|node| read::<Transfer>(node, &at).ok());
    let border = written.and_then(|transfer| transfer.border).unwrap_or(BORDER);
    let others = |trial: &Trial| {
        let mut values = trial.settings.to_vec();
        values.remove(axis);
        values
    };
    // These two keep all of the pretrained network.
    let whole = [Case::SmallSimilar, Case::LargeSimilar];
    let mut seen = Vec::new();
    let mut rows = Vec::new();
    for case in whole {
        for trial in experiment.trials.iter().filter(|it| it.settings[axis] == case.name()) {
            if seen.contains(&others(trial)) {
                continue;
            }
            seen.push(others(trial));
            let Ok((evidence, advice)) = advice(&trial.plan, border, images) else { continue };
            rows.push(Advised {
                trial: trial.number,
                images: evidence.images,
                case: advice.case.name().to_owned(),
                cut: evidence.depths[advice.cut].layer.clone(),
                size: if advice.large { "large" } else { "small" }.to_owned(),
                size_confidence: advice.size_confidence.name().to_owned(),
                kind: if advice.similar { "similar" } else { "different" }.to_owned(),
                similarity: advice.similarity,
                similarity_confidence: advice.similarity_confidence.name().to_owned(),
            });
        }
    }
    rows.sort_by_key(|row| row.trial);
    rows
}

/// Writes the table of [`advised`] into the results folder; none if there is nothing to say.
pub fn write_advice(
    root: &Node,
    experiment: &Experiment,
    images: &Cache,
    store: &Store,
) -> Result<(), StoreError> {
    let rows = advised(root, experiment, images);
    if rows.is_empty() {
        return Ok(());
    }
    store.write_hashed(&[(ADVICE, &csv_bytes(rows))])
}

/// The rows of the results folder `root`; none if there is no such table.
///
/// # Errors
/// If it is not as it was written.
pub fn read_advice(root: &Path) -> Result<Vec<Advised>, TableError> {
    let bytes = verified(root, ADVICE)?.unwrap_or_default();
    Ok(csv::Reader::from_reader(&bytes[..]).deserialize().map_while(Result::ok).collect())
}
