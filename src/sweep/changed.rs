//! Whether the images are still those that the trials of a results folder were run on.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use crate::data::Cache;
use crate::plan::data::DataPlan;
use crate::plan::sweep::{Experiment, Trial};
use crate::results::layout;
use crate::train::card::Card;

use super::store::{ImagesError, Store};

/// Images that are no more what they were.
#[derive(Debug, thiserror::Error)]
pub enum Changed {
    /// Files have changed since trials were run on them.
    #[error("{words}")]
    Files {
        /// Which, and what to do about it.
        words: String,
    },
    /// They cannot be compared.
    #[error(transparent)]
    Images(#[from] ImagesError),
}

/// Compares the files of all images of `experiment` with what they were when trials were run on them. Where no trial
/// stands on them yet, they may be others. `keeps` what was learned, for the next time.
///
/// # Errors
/// If they are others: old numbers are not those of new images.
pub fn unchanged(
    experiment: &Experiment,
    store: &Store,
    images: &Cache,
    keeps: bool,
) -> Result<(), Changed> {
    // Of a million trials most share their images.
    let mut paths = HashMap::new();
    let mut sets: BTreeMap<PathBuf, (&DataPlan, Vec<&Trial>)> = BTreeMap::new();
    for trial in &experiment.trials {
        let plan = &trial.plan.data;
        let path = paths.entry(Arc::as_ptr(plan)).or_insert_with(|| store.path_of_images(plan));
        match sets.get_mut(path) {
            Some((_, trials)) => trials.push(trial),
            None => _ = sets.insert(path.clone(), (plan, vec![trial])),
        }
    }
    for (plan, trials) in sets.into_values() {
        let changes = match store.changed_images(plan, keeps)? {
            Some(changes) if !changes.is_empty() => changes,
            None if keeps => {
                recall(plan, &trials, store, images)?;
                continue;
            }
            _ => continue,
        };
        let stands = |trial: &&&Trial| {
            let (store, records) = store.locate(trial);
            // Who collects the tables says what cannot be read.
            let records = records.unwrap_or_default();
            !records.is_empty() || store.outcome().is_some()
        };
        let standing = trials.iter().filter(stands).count();
        if standing == 0 {
            if keeps {
                store.forget_images(plan);
            }
            continue;
        }
        let trials = if standing == 1 { "a trial was" } else { "trials were" };
        let words = format!(
            "the images have changed since {trials} run on them; the results are in {}\n  {}\n  = help: restore \
             the images, or run on the new ones with another `name` or --results folder",
            store.root().display(),
            changes.lines().join("\n  ")
        );
        return Err(Changed::Files { words });
    }
    Ok(())
}

/// What was known of the images of `plan` is gone: if a trial stands on them, its checkpoint says which they were.
fn recall(
    plan: &DataPlan,
    trials: &[&Trial],
    store: &Store,
    images: &Cache,
) -> Result<(), Changed> {
    if !layout::trials(store.root()).exists() {
        return Ok(());
    }
    let said = |trial: &&Trial| {
        let store = store.trial(trial);
        let checkpoint =
            ["best", "last"].into_iter().find_map(|it| store.checkpoint(it).ok()?)?;
        Some((trial.number, Card::of(&checkpoint).ok()?.images))
    };
    let Some((number, then)) = trials.iter().find_map(said) else { return Ok(()) };
    let dataset = images.get(plan).map_err(ImagesError::Data)?;
    if dataset.fingerprint().map_err(ImagesError::Data)? != then {
        let words = format!(
            "the images are not those of trial {number}; its results are in {}\n  = help: restore the images, or \
             run on the new ones with another `name` or --results folder",
            store.root().display()
        );
        return Err(Changed::Files { words });
    }
    store.check_images(plan, &dataset)?;
    Ok(())
}
