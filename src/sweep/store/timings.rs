//! What the clock said of a trial.

use serde::{Deserialize, Serialize};

use crate::sweep::slots::Slot;

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
    #[serde(default)]
    pub augmented: u64,
    /// Images that another trial of the sweep had augmented.
    #[serde(default)]
    pub shared: u64,
    /// Time for the former, summed over threads.
    #[serde(default)]
    pub augment_seconds: f64,
    /// The device that the trial ran on; empty in rows of an earlier version.
    #[serde(default)]
    pub device: String,
    /// The slot there.
    #[serde(default)]
    pub slot: usize,
}

impl Timing {
    /// Nothing yet, for a trial in this slot with so many threads.
    pub(in crate::sweep) fn in_slot(slot: Slot, threads: usize) -> Timing {
        let Slot { device, number } = slot;
        Timing { threads, device: device.to_string(), slot: number, ..Timing::default() }
    }
}
