//! The start of a run: the results folder is there, and holds the experiment.

use anyhow::Context;

use crate::config::frozen::Frozen;
use crate::document::Node;
use crate::plan::sweep::Experiment;
use crate::progress::View;
use crate::sweep::store::Store;

use super::arguments::Written;
use super::error::Result;
use super::exit::say;

/// Makes the folder, and writes the experiment there: for people, and frozen for the run `run`.
pub(super) fn begin(
    written: &Written,
    root: &Node,
    experiment: &Experiment,
    store: &Store,
    run: &str,
    view: View,
) -> Result<Frozen> {
    store.prepare()?;
    if view.is_for_people()
        && let Some((before, now)) = store.epochs_changed(experiment)
    {
        say(&format!(
            "train.epochs was {before} and is {now}: the schedule depends on it from the first step, so \
             trials start again\n"
        ));
    }
    let folder = std::env::current_dir().context("failed to find the working folder")?;
    let frozen = Frozen::of(&written.request(), &folder, run)?;
    store.write_experiment(root, &frozen.to_text())?;
    Ok(frozen)
}
