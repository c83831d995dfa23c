//! How trials will be run: `[run]`, checked. It belongs to the experiment, not to a plan: no number
//! depends on it.

use crate::config::path::KeyPath;
use crate::config::problem::Problem;
use crate::config::read::read;
use crate::config::run::{self as written, Limit, Slots};
use crate::config::tree::Node;

pub use crate::config::run::{CheckpointEvery, Memory, OnFailure};

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
    /// How much memory the features of frozen layers may take; none: they are computed every time.
    pub feature_cache: Memory,
    /// What trials run on; at least one.
    pub devices: Vec<String>,
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
            feature_cache: Memory::None,
            devices: vec!["cpu".to_owned()],
            slots_per_device: None,
            budget: None,
        }
    }
}

/// `[run]` of `root`.
pub(super) fn run(root: &Node) -> Result<RunPlan, Vec<Problem>> {
    let at = KeyPath::root().key("run");
    let Some(node) = root.get("run") else { return Ok(RunPlan::default()) };
    let written: written::Run = read(node, &at).map_err(|problem| vec![problem])?;
    let mut problems = Vec::new();
    if written.checkpoint_every == CheckpointEvery::Steps(0) {
        let at = at.key("checkpoint-every").key("steps");
        problems.push(Problem::value(at, "a checkpoint every 0 steps").label("at least 1"));
    }
    let devices = at.key("devices");
    if written.devices.is_empty() {
        let problem = Problem::value(devices.clone(), "trials need a device to run on");
        problems.push(problem.label("empty").help("devices = [\"cpu\"]"));
    }
    for (index, device) in written.devices.iter().enumerate() {
        let at = devices.index(index);
        let (kind, number) = device.split_once(':').unwrap_or((device, "0"));
        if !matches!(kind, "cpu" | "cuda" | "metal") || number.parse::<usize>().is_err() {
            problems.push(
                Problem::value(at, format!("\"{device}\" is not a device"))
                    .label("unknown")
                    .help("devices are \"cpu\", \"cuda:0\", \"cuda:1\", …, \"metal\""),
            );
        } else if kind != "cpu" {
            problems.push(
                Problem::value(at, format!("this build of wick cannot use {device}"))
                    .label("not built in")
                    .help("its kernels are for processors: devices = [\"cpu\"]"),
            );
        } else if written.devices[..index].contains(device) {
            let problem = Problem::value(at, format!("the device {device} stands twice"));
            problems.push(
                problem
                    .label("already in the list")
                    .help("slots-per-device says how many trials share a device"),
            );
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
        feature_cache: written.feature_cache,
        devices: written.devices,
        slots_per_device: match written.slots_per_device {
            Slots::Auto => None,
            Slots::Number(slots) => Some(slots),
        },
        budget: seconds(written.budget),
    })
}
