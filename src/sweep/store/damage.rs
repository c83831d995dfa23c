//! What is wrong with a stored file.

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

use crate::results::layout::{BATCHES, BEST, CONFUSION, LAST, PLAN, PREDICTIONS, SCORES};

/// A file that is not as it was written, or not of the moment of those beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: String,
}

impl Damage {
    /// What is wrong with the file at `path`.
    pub fn at(path: &Path, what: impl Display) -> Damage {
        Damage { path: path.to_owned(), what: what.to_string() }
    }
}

impl Damage {
    /// What to do about it.
    pub fn way_out(&self) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        match &*name {
            BEST | LAST => "remove the file and run the experiment again: the trial is trained again",
            PLAN | PREDICTIONS | CONFUSION | SCORES => {
                "remove outcome.toml in the same folder and run the experiment again: it is written again from \
                 the last checkpoint"
            }
            BATCHES => {
                "remove the folder of the trial and run the experiment again; only `wick repro` reads it"
            }
            _ => "run the experiment again, which writes it again",
        }
        .to_owned()
    }
}

impl Display for Damage {
    fn fmt(&self, formatter: &mut Formatter) -> fmt::Result {
        write!(formatter, "{} {}", self.path.display(), self.what)
    }
}

/// The ending of the names under which damaged files are kept when new ones take their place.
pub const DAMAGED: &str = ".damaged";
