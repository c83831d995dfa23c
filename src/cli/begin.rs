//! The start of a run: the results folder is there, and holds the experiment.

use anyhow::Context;

use crate::config::frozen::Frozen;
use crate::document::Node;
use crate::plan::sweep::Experiment;
use crate::progress::View;
use crate::results::layout::FROZEN;
use crate::sweep::store::{Store, write_whole};

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
    store.write_experiment(root)?;
    let folder = std::env::current_dir().context("failed to find the working folder")?;
    let frozen = Frozen::of(&written.request(), &folder, run)?;
    write_whole(&store.root().join(FROZEN), frozen.to_text().as_bytes())?;
    Ok(frozen)
}
