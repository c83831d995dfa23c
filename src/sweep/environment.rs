//! `environment.toml`: what the results were computed with, to explain a difference.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::plan::run::RunPlan;
use crate::results::hashes::verified;
use crate::results::layout::ENVIRONMENT;

use super::platform::Platform;
use super::slots::Allocation;
use super::store::{Store, StoreError};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Environment {
    version: String,
    binary: String,
    os: String,
    architecture: String,
    instruction_set: String,
    cores: usize,
    workers: usize,
    threads: usize,
    #[serde(default)]
    devices: Vec<String>,
}

impl Environment {
    fn here(allocation: &Allocation, cores: usize) -> Environment {
        let Platform { version, binary, os, architecture, instruction_set, .. } =
            Platform::here().clone();
        Environment {
            version,
            binary,
            os,
            architecture,
            instruction_set,
            cores,
            workers: allocation.workers(),
            threads: allocation.threads,
            devices: devices(allocation),
        }
    }
}

/// Each device that has a slot, once.
fn devices(allocation: &Allocation) -> Vec<String> {
    let mut devices: Vec<String> = Vec::new();
    for slot in &allocation.slots {
        let device = slot.device.to_string();
        if !devices.contains(&device) {
            devices.push(device);
        }
    }
    devices
}

/// Writes the file.
pub fn write(store: &Store, allocation: &Allocation, cores: usize) -> Result<(), StoreError> {
    let environment = Environment::here(allocation, cores);
    let text = toml::to_string(&environment).expect("an environment is plain data");
    store.write_hashed(&[(ENVIRONMENT, text.as_bytes())])
}

/// In what this program and machine differ from those of the last run in the results folder `root`,
/// as far as it can change a number.
pub fn differences(root: &Path) -> Vec<String> {
    let path = root.join(ENVIRONMENT);
    let bytes = verified(root, ENVIRONMENT).ok().flatten();
    let then = bytes.and_then(|bytes| toml::from_slice::<Environment>(&bytes).ok());
    let Some(then) = then else {
        return vec![format!("{} is missing or damaged", path.display())];
    };
    let now = Environment::here(&Allocation::new(1, 1, &RunPlan::default(), None, None), 1);
    [
        ("version", then.version, now.version),
        ("binary", then.binary, now.binary),
        ("system", then.os, now.os),
        ("architecture", then.architecture, now.architecture),
    ]
    .into_iter()
    .filter(|(_, then, now)| then != now)
    .map(|(what, then, now)| format!("the {what} was {then} and is {now}"))
    .collect()
}
