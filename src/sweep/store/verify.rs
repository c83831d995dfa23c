//! Whether everything in the folder of a trial is as it was written.

use std::fs;

use crate::basis::record::Status;
use crate::results::layout::{
    BATCHES, BEST, CONFUSION, EPOCHS, LAST, MACHINES, OUTCOME, PLAN, PREDICTIONS, SCORES,
};
use crate::results::timings;

use super::damage::{DAMAGED, Damage};
use super::rows::{self, Rows};
use super::{TrialStore, UNFINISHED, epochs};

/// What a folder of a trial may hold: the files that `verify` looks into, and those that say who works there.
const KNOWN: [&str; 14] = [
    PLAN,
    EPOCHS,
    BATCHES,
    LAST,
    BEST,
    OUTCOME,
    PREDICTIONS,
    CONFUSION,
    SCORES,
    timings::FILE,
    MACHINES,
    "lock",
    "holder",
    "mark",
];

/// What was found in the folder of a trial.
#[derive(Clone, Debug, Default)]
pub struct Verified {
    /// Files that were looked into.
    pub files: usize,
    /// What is damaged, missing, or of another moment than the rest.
    pub damaged: Vec<Damage>,
    /// What the program has not written, or never finished, or set aside.
    pub foreign: Vec<Damage>,
}

impl TrialStore {
    /// Looks into every file of the trial called `digest`.
    pub fn verify(&self, digest: &str) -> Verified {
        let mut found = Verified::default();
        if self.is_locked() {
            let what = "was not checked: a process works on the trial";
            found.foreign.push(Damage::at(self.folder(), what));
            return found;
        }
        let damaged = &mut found.damaged;
        match self.plan() {
            Err(error) => damaged.push(Damage::at(&self.file(PLAN), error.cause())),
            Ok(plan) if plan.clone().digest() != digest => {
                let what = "is the plan of another trial, or of another version of the program";
                damaged.push(Damage::at(&self.file(PLAN), what));
            }
            Ok(plan) => damaged.extend(self.resume(&plan).err()),
        }
        for name in ["last", "best"] {
            damaged.extend(self.checkpoint(name).err());
        }
        damaged.extend(self.damaged_outcome());
        let (records, is_whole) = epochs::records(&self.file(EPOCHS));
        let tables = [BATCHES, timings::FILE, MACHINES].map(|name| {
            let rows: Rows<Vec<String>> = rows::read(&self.file(name));
            (name, rows.rows.len(), rows.is_whole)
        });
        for (name, rows, is_whole) in tables.into_iter().chain([(EPOCHS, records.len(), is_whole)])
        {
            if !is_whole {
                let what = format!("is damaged or torn after {rows} intact rows");
                damaged.push(Damage::at(&self.file(name), what));
            }
        }
        let outcome = self.outcome_of(&records);
        if outcome.is_some_and(|outcome| outcome.status == Status::Completed) {
            damaged.extend(
                [BATCHES, PREDICTIONS, CONFUSION, SCORES]
                    .map(|name| self.vouch(name).err())
                    .into_iter()
                    .flatten(),
            );
        }
        damaged.sort_by(|a, b| a.path.cmp(&b.path));
        damaged.dedup_by(|a, b| a.path == b.path);
        let entries = fs::read_dir(self.folder()).into_iter().flatten().flatten();
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            if KNOWN.contains(&&*name) {
                found.files += 1;
            } else {
                found.foreign.push(Damage::at(&entry.path(), foreign(&name)));
            }
        }
        found.foreign.sort_by(|a, b| a.path.cmp(&b.path));
        found
    }
}

/// What a file is that the program does not read.
pub fn foreign(name: &str) -> &'static str {
    if name.ends_with(UNFINISHED) {
        "was never finished: `wick clean` removes it"
    } else if name.ends_with(DAMAGED) {
        "was set aside as damaged: `wick clean` removes it"
    } else {
        "does not belong to this program"
    }
}
