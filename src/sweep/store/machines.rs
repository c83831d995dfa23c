//! `machines.csv` of a trial: where it ran, from which epoch on. It explains differences; nothing of it
//! is a result.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::sweep::platform::Platform;

use super::rows;

/// A machine on which a part of a trial ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Station {
    /// Epochs that were finished when the trial came there.
    pub epoch: usize,
    /// Threads of the trial.
    pub threads: usize,
    /// The machine, and the program there.
    pub machine: Platform,
}

/// A row of `machines.csv`: a [`Station`], flat.
#[derive(Serialize, Deserialize)]
pub(super) struct Row {
    epoch: usize,
    threads: usize,
    host: String,
    processor: String,
    instruction_set: String,
    architecture: String,
    os: String,
    version: String,
    binary: String,
}

impl From<Station> for Row {
    fn from(Station { epoch, threads, machine }: Station) -> Row {
        let Platform { host, processor, instruction_set, architecture, os, version, binary } =
            machine;
        Row { epoch, threads, host, processor, instruction_set, architecture, os, version, binary }
    }
}

impl From<Row> for Station {
    fn from(row: Row) -> Station {
        let Row { epoch, threads, host, processor, instruction_set, .. } = row;
        let Row { architecture, os, version, binary, .. } = row;
        let machine =
            Platform { host, processor, instruction_set, architecture, os, version, binary };
        Station { epoch, threads, machine }
    }
}

/// The rows at `path`, in order, up to the first that is torn.
pub(super) fn read(path: &Path) -> Vec<Station> {
    rows::read::<Row>(path).rows.into_iter().map(Station::from).collect()
}
