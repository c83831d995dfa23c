//! Files of weights as others write them, as nobody should write them, and names.
//!
//! `tests/goldens/weights.py` wrote the files.

mod built;
mod damage;
mod files;
mod hostile_pickles;
mod matching;

use super::{Archive, WeightsError};

/// The golden file `name`.
macro_rules! golden {
    ($name:literal) => {
        include_bytes!(concat!("../../../../tests/goldens/weights/", $name)).as_slice()
    };
}
use golden;

fn open(bytes: impl Into<Vec<u8>>) -> Result<Archive, WeightsError> {
    Archive::from_bytes("file", bytes.into())
}

/// What is said about `bytes`, which must not open.
fn refusal(bytes: impl Into<Vec<u8>>) -> String {
    open(bytes).expect_err("it opens").to_string()
}

/// Opens and reads everything; the first thing that is wrong.
fn read_all(bytes: impl Into<Vec<u8>>) -> Result<(), WeightsError> {
    let archive = open(bytes)?;
    archive.entries().iter().try_for_each(|entry| archive.read(&entry.name).map(drop))
}

/// `0, 1, 2 …`
fn count(numbers: usize) -> Vec<f32> {
    (0..numbers).map(|i| i as f32).collect()
}

/// What the script's `ramp` gives.
fn ramp(numbers: usize) -> Vec<f32> {
    (0..numbers).map(|i| i as f32 / 2.0 - 3.0).collect()
}
