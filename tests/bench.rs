//! An experiment in a folder of its own, and the program run there.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use candlewick::basis::instructions::VARIABLE;
use tempfile::TempDir;

/// A command with no environment but the instruction set that the tests run with.
pub(super) fn bare(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    if let Some(set) = std::env::var_os(VARIABLE) {
        command.env(VARIABLE, set);
    }
    command
}

/// A folder with an experiment and whatever it needs.
pub(super) struct Bench {
    folder: TempDir,
}

impl Bench {
    /// A folder with this text in `experiment.toml`.
    pub(super) fn new(experiment: &str) -> Bench {
        let bench = Bench { folder: tempfile::tempdir().unwrap() };
        bench.write("experiment.toml", experiment);
        bench
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    /// Runs the program in the folder.
    pub(super) fn wick(&self, arguments: &[&str]) -> Output {
        bare(env!("CARGO_BIN_EXE_wick")).current_dir(self.path()).args(arguments).output().unwrap()
    }

    /// Runs the program, which has to succeed, and returns what it printed.
    pub(super) fn done(&self, arguments: &[&str]) -> String {
        let output = self.wick(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }
}
