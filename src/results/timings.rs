//! `timings.csv`: what the clock said of each epoch of each trial. A trial has such a table of its own too,
//! without number and digest.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::basis::device::Device;

use super::table::{Damage, Table, TableError, bytes};

/// The table's name.
pub const FILE: &str = "timings.csv";

/// The columns.
pub const COLUMNS: [&str; 11] = [
    "trial",
    "digest",
    "epoch",
    "seconds",
    "images_per_second",
    "threads",
    "augmented",
    "shared",
    "augment_seconds",
    "device",
    "slot",
];

/// What the clock said of one time that an epoch was computed.
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
    /// Nothing yet, for a trial of so many threads in this slot of the device.
    pub fn on(device: Device, slot: usize, threads: usize) -> Timing {
        Timing { threads, device: device.to_string(), slot, ..Timing::default() }
    }
}

/// The table as CSV: each timing with the number and the digest of its trial.
pub fn csv<'a>(rows: impl Iterator<Item = (usize, &'a str, Timing)>) -> Vec<u8> {
    let rows = rows.map(|(trial, digest, timing)| {
        vec![
            trial.to_string(),
            digest.to_owned(),
            timing.epoch.to_string(),
            format!("{:.6}", timing.seconds),
            format!("{:.1}", timing.images_per_second),
            timing.threads.to_string(),
            timing.augmented.to_string(),
            timing.shared.to_string(),
            format!("{:.6}", timing.augment_seconds),
            timing.device,
            timing.slot.to_string(),
        ]
    });
    bytes(COLUMNS.into_iter(), rows)
}

/// Calls `row` with the trial, the epoch and the seconds of each row of the table in the results folder
/// `root`. Nothing else is read, so tables of seconds alone will do.
///
/// # Errors
/// If damage is refused and there is some, or `row` says what is wrong.
pub fn read(
    root: &Path,
    damage: Damage,
    mut row: impl FnMut(usize, usize, f64) -> Result<(), String>,
) -> Result<(), TableError> {
    let table = Table::open(root, FILE, damage)?;
    let [trial, epoch, seconds] =
        [table.place("trial")?, table.place("epoch")?, table.place("seconds")?];
    table.each(|cells| match cells.number(seconds)? {
        Some(seconds) => row(cells.whole(trial)?, cells.whole(epoch)?, seconds),
        None => Ok(()),
    })
}
