//! The start of a run: the results folder is there, and holds the experiment.

use anyhow::Context;

use crate::config::frozen::Frozen;
use crate::data::Cache;
use crate::document::Node;
use crate::plan::sweep::Experiment;
use crate::progress::View;
use crate::sweep::changed::unchanged;
use crate::sweep::memory::needs;
use crate::sweep::notes::notes;
use crate::sweep::store::Store;

use super::arguments::Written;
use super::check::{MEASURED, held, what_was_listed};
use super::error::{Error, Result};
use super::output::say;

/// Says that the folder is that of another experiment.
fn other_experiment(store: &Store, differences: &[&str], name: &str) -> Error {
    let folder = store.root().display();
    Error::wrong(format!(
        "{folder} contains the results of another experiment, with {} and no common trial: its tables and its \
         report would be replaced\n  = help: use another name (--set name={name}-2) or another folder (--results \
         DIR); --replace replaces the tables and keeps the trials of the other experiment",
        differences.join(" and ")
    ))
}

/// Makes the folder, and writes the experiment there: for people, and frozen for the run `run`. A folder that
/// holds another experiment is refused, unless this one `replaces` it, and so are images that have changed since
/// trials were run on them.
pub(super) fn begin(
    written: &Written,
    root: &Node,
    experiment: &Experiment,
    store: &Store,
    images: &Cache,
    run: &str,
    view: View,
    replaces: bool,
) -> Result<Frozen> {
    if !replaces
        && let Some(differences) = store.other_experiment(&written.request(), root, experiment)
    {
        return Err(other_experiment(store, &differences, &experiment.name));
    }
    unchanged(experiment, store, images, true).map_err(Error::wrong)?;
    store.prepare()?;
    if view.is_for_people() {
        if let Some(first) = experiment.trials.first() {
            say(&what_was_listed(first, images, MEASURED)?);
        }
        notes(root, experiment, images).iter().for_each(|note| say(&format!("{note}\n")));
        let needs = needs(experiment, images, 0);
        if needs.images < needs.decoded {
            say(&format!("{}\n", held(&needs, experiment, &written.results)));
        }
    }
    let (left, all) = store.left_behind(experiment);
    if left > 0 && view.is_for_people() {
        say(&format!(
            "note: {left} of the {all} trials in the tables do not belong to the experiment any more; they stay \
             in the folder, and return to the tables if the earlier experiment runs again\n"
        ));
    }
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
