//! An experiment in a folder of its own, and the program run there.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

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
        Command::new(env!("CARGO_BIN_EXE_wick"))
            .current_dir(self.path())
            .env_clear()
            .args(arguments)
            .output()
            .unwrap()
    }

    /// Runs the program, which has to succeed, and returns what it printed.
    pub(super) fn done(&self, arguments: &[&str]) -> String {
        let output = self.wick(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }
}
