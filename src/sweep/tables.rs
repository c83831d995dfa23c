//! The tables of the results folder, rebuilt from the trials' own records, in plan order, so that they depend
//! on nothing else.

use rayon::prelude::*;

use crate::plan::sweep::Experiment;
use crate::results::timings::Timing;
use crate::results::trials::Trials;
use crate::results::{decisions, metrics, timings, trials};

use super::standing::{Known, Standing};
use super::store::{Store, StoreError};

/// Writes the tables.
///
/// # Errors
/// If a file cannot be written, or if one of a trial cannot be read: the tables would be without it.
pub fn write(
    experiment: &Experiment,
    store: &Store,
    standing: &Standing,
) -> Result<(), StoreError> {
    let Standing { known, decisions } = standing;
    if let Some(error) = known.iter().find_map(|known| known.unreadable.as_ref()) {
        return Err(error.again());
    }
    let row = |known: &Known| trials::Row::of(known.trial, known.outcome.as_ref());
    let trials = Trials { axes: experiment.axes.clone(), rows: known.iter().map(row).collect() };
    let epochs = known.iter().flat_map(|Known { trial, records, .. }| {
        let row = |record| metrics::Row::of(trial.number, &trial.digest, record);
        records.iter().map(row)
    });
    let timed: Vec<Vec<Timing>> = known.par_iter().map(|known| known.store.timings()).collect();
    let timed = known.iter().zip(timed).flat_map(|(Known { trial, .. }, timings)| {
        timings.into_iter().map(|timing| (trial.number, trial.digest.as_str(), timing))
    });
    let mut tables = vec![
        (trials::FILE, trials.csv()),
        (metrics::FILE, metrics::csv(epochs)),
        (timings::FILE, timings::csv(timed)),
    ];
    if experiment.prune.is_some() {
        tables.push((decisions::FILE, decisions::csv(decisions)));
    }
    let tables: Vec<(&str, &[u8])> =
        tables.iter().map(|(name, bytes)| (*name, &bytes[..])).collect();
    store.write_hashed(&tables)
}
