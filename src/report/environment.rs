//! `environment.toml`: what the results were computed with, to explain a difference.

use serde::Serialize;

use crate::kernels::instruction_set;
use crate::sweep::runner::Share;
use crate::sweep::store::{Store, StoreError, write_whole};

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Environment {
    version: &'static str,
    binary: String,
    os: &'static str,
    architecture: &'static str,
    instruction_set: String,
    cores: usize,
    workers: usize,
    threads: usize,
}

/// Writes the file.
pub fn write(store: &Store, share: Share, cores: usize) -> Result<(), StoreError> {
    let binary = std::env::current_exe()
        .and_then(std::fs::read)
        .map_or("unknown".to_owned(), |bytes| blake3::hash(&bytes).to_hex()[..16].to_owned());
    let environment = Environment {
        version: env!("CARGO_PKG_VERSION"),
        binary,
        os: std::env::consts::OS,
        architecture: std::env::consts::ARCH,
        instruction_set: instruction_set(),
        cores,
        workers: share.workers,
        threads: share.threads,
    };
    let text = toml::to_string(&environment).expect("an environment is plain data");
    write_whole(&store.root().join("environment.toml"), text.as_bytes())
}
