//! What the clock said of a trial.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::sweep::slots::Slot;

use super::rows;

/// A line of `timings.csv`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Counted from 1; 0 is everything beside the epochs: data, evaluation, files.
    pub epoch: usize,
    /// Wall time.
    pub seconds: f64,
    /// Training images over wall time.
    pub images_per_second: f64,
    /// Threads of the trial.
    pub threads: usize,
    /// Images that the trial augmented.
    pub augmented: u64,
    /// Images that another trial of the sweep had augmented.
    pub shared: u64,
    /// Time for the former, summed over threads.
    pub augment_seconds: f64,
    /// The device that the trial ran on.
    pub device: String,
    /// The slot there.
    pub slot: usize,
}

impl Timing {
    /// Nothing yet, for a trial in this slot with so many threads.
    pub(in crate::sweep) fn in_slot(slot: Slot, threads: usize) -> Timing {
        let Slot { device, number } = slot;
        Timing { threads, device: device.to_string(), slot: number, ..Timing::default() }
    }
}

/// The rows at `path`, in order, up to the first that is torn.
pub(super) fn read(path: &Path) -> Vec<Timing> {
    rows::read(&std::fs::read(path).unwrap_or_default())
}
