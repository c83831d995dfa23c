//! How trials will be run: `[run]`, checked. It belongs to the experiment, not to a plan: no number
//! depends on it.

use crate::config::run::{self as written, Limit, Slots};
use crate::document::{Content, KeyPath, Node, Problem, read};

use crate::basis::device::{Device, Kind, NoDevice};

pub use crate::config::run::{CheckpointEvery, DataCache, Memory, OnFailure};

/// How trials are run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunPlan {
    /// What becomes of the sweep when a trial fails.
    pub on_failure: OnFailure,
    /// How often a trial stores where to go on.
    pub checkpoint_every: CheckpointEvery,
    /// Seconds that a trial may take, over all attempts.
    pub time_limit: Option<f64>,
    /// How much memory all trials together may take.
    pub memory_limit: Memory,
    /// How much memory decoded images may take; a part is one of `memory_limit`.
    pub data_memory: Memory,
    /// Where those are kept that memory has no room for.
    pub data_cache: DataCache,
    /// How much memory the features of frozen layers may take; none: they are computed every time.
    pub feature_cache: Memory,
    /// How many bytes the epochs may take on disk that trials have in common; none: each trial is trained alone.
    pub stage_cache: Option<u64>,
    /// Whether training keeps only some values for the way back, and computes the others again.
    pub gradient_checkpointing: bool,
    /// What trials run on; at least one, none of them twice.
    pub devices: Vec<Device>,
    /// Trials at once on each device; none: as the cores allow.
    pub slots_per_device: Option<usize>,
    /// Seconds that the trials of one run may take, by estimate.
    pub budget: Option<f64>,
}

impl Default for RunPlan {
    fn default() -> RunPlan {
        RunPlan {
            on_failure: OnFailure::Skip,
            checkpoint_every: CheckpointEvery::Epoch,
            time_limit: None,
            memory_limit: Memory::None,
            data_memory: Memory::None,
            data_cache: DataCache::None,
            feature_cache: Memory::None,
            stage_cache: None,
            gradient_checkpointing: false,
            devices: vec![Device::Cpu],
            slots_per_device: None,
            budget: None,
        }
    }
}

/// `[run]` of `root`.
pub fn run(root: &Node) -> Result<RunPlan, Vec<Problem>> {
    let at = KeyPath::root().key("run");
    let Some(node) = root.get("run") else { return Ok(RunPlan::default()) };
    let written: written::Run = read(node, &at)?;
    let mut problems = Vec::new();
    if written.checkpoint_every == CheckpointEvery::Steps(0) {
        let at = at.key("checkpoint-every").key("steps");
        problems.push(Problem::value(at, "a checkpoint every 0 steps").label("at least 1"));
    }
    let devices = at.key("devices");
    if written.devices.is_empty() {
        let problem = Problem::value(devices.clone(), "devices must not be empty");
        problems.push(problem.label("empty").help("devices = [\"cpu\"]"));
    }
    let mut found = Vec::new();
    for (index, text) in written.devices.iter().enumerate() {
        match device(text, devices.index(index), &found) {
            Ok(device) => found.push(device),
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let seconds = |limit: Limit<written::Seconds>| match limit {
        Limit::None => None,
        Limit::At(written::Seconds(seconds)) => Some(seconds),
    };
    Ok(RunPlan {
        on_failure: written.on_failure,
        checkpoint_every: written.checkpoint_every,
        time_limit: seconds(written.time_limit),
        memory_limit: written.memory_limit,
        data_memory: written.data_memory,
        data_cache: written.data_cache,
        feature_cache: written.feature_cache,
        stage_cache: match written.stage_cache {
            Limit::None => None,
            Limit::At(written::DiskSize(bytes)) => Some(bytes),
        },
        gradient_checkpointing: written.gradient_checkpointing,
        devices: found,
        slots_per_device: match written.slots_per_device {
            Slots::Auto => None,
            Slots::Number(slots) => Some(slots),
        },
        budget: seconds(written.budget),
    })
}

/// The kind of the devices in `[run]`, which are all of one; `run` says what is wrong with others.
pub(super) fn kind(root: &Node) -> Kind {
    let first = KeyPath::root().key("run").key("devices").index(0);
    match root.at(&first).map(|node| &node.content) {
        Some(Content::String(text)) => text.parse().map_or(Kind::Cpu, Device::kind),
        _ => Kind::Cpu,
    }
}

/// The device `text`, which stands behind `others`.
fn device(text: &str, at: KeyPath, others: &[Device]) -> Result<Device, Problem> {
    let device: Device = text.parse().map_err(|error: NoDevice| {
        let problem = Problem::value(at.clone(), format!("\"{text}\" is not a device"));
        problem.label("unknown").help(error.to_string())
    })?;
    if let Some(feature) = device.feature().filter(|_| !device.is_built_in()) {
        let problem = Problem::value(at, format!("this build of wick cannot use {device}"));
        return Err(problem.label("not built in").help(format!(
            "build it with cargo install --path . --features {feature}, or use devices = [\"cpu\"]"
        )));
    }
    beside(device, others, at).map(|()| device)
}

/// Whether `device` may stand behind `others`.
fn beside(device: Device, others: &[Device], at: KeyPath) -> Result<(), Problem> {
    if let Some(other) = others.iter().find(|other| other.kind() != device.kind()) {
        let problem =
            Problem::value(at, format!("{device} and {other} are different kinds of devices"));
        return Err(problem.label("rounds differently").help(
            "use one kind of device per run, so that its trials are comparable; on another kind, trials have \
             other digests",
        ));
    }
    if others.contains(&device) {
        let problem = Problem::value(at, format!("the device {device} is listed twice"));
        return Err(problem
            .label("already in the list")
            .help("slots-per-device sets the number of trials per device"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_of_one_kind_may_stand_side_by_side_and_each_once() {
        for (device, others, fits) in [
            (Device::Cuda(1), vec![Device::Cuda(0)], true),
            (Device::Cuda(0), vec![], true),
            (Device::Cuda(0), vec![Device::Cuda(1), Device::Cuda(0)], false),
            (Device::Cuda(0), vec![Device::Cpu], false),
            (Device::Cpu, vec![Device::Metal], false),
        ] {
            let found = beside(device, &others, KeyPath::root()).is_ok();
            assert_eq!(found, fits, "{device} behind {others:?}");
        }
    }
}
