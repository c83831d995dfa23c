//! What is worth a word before trials are run: nothing that is wrong, but what is hardly meant.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use crate::basis::number::number;
use crate::data;
use crate::document::{Content, KeyPath, Node, Place};
use crate::plan::sweep::Experiment;

use super::counts::Counts;

/// The notes on `experiment`, which `root` describes, each a sentence.
pub fn notes(root: &Node, experiment: &Experiment, images: &data::Cache) -> Vec<String> {
    let at = KeyPath::root().key("data").key("batch-size");
    // Who writes no size of batches takes what there is.
    let default = root.at(&at).and_then(|node| match (&node.place, &node.content) {
        (Place::File(file, _), Content::Integer(size)) if file.is_built_in() => {
            usize::try_from(*size).ok()
        }
        _ => None,
    });
    let mut known = BTreeSet::new();
    let mut seen = HashSet::new();
    let mut notes = Vec::new();
    for trial in &experiment.trials {
        let size = trial.plan.train.batch_size;
        if Some(size) == default
            || known.contains(&size)
            || !seen.insert((size, Arc::as_ptr(&trial.plan.data)))
        {
            continue;
        }
        let taught = Counts::of(&trial.plan.data, images).train;
        if size > taught && taught > 0 {
            known.insert(size);
            notes.push(format!(
                "data.batch-size = {} is more than the {} images that a trial learns from: an epoch is one step",
                number(size as u64),
                number(taught as u64)
            ));
        }
    }
    notes
}
