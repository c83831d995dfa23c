//! Where trials will be run: `[launcher]`, checked. It belongs to the experiment, not to a plan: no
//! number depends on it.

use crate::config::launcher as written;
use crate::config::run::{Limit, Memory, Seconds, Slots};
use crate::document::{KeyPath, Node, Problem, read};

pub use crate::config::launcher::WallTime;

/// Jobs of Slurm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlurmPlan {
    /// The partition; none: the cluster's default.
    pub partition: Option<String>,
    /// How long a task may take; none: the partition's default.
    pub time: Option<WallTime>,
    /// Cores of a task.
    pub cpus_per_task: usize,
    /// Memory of a task in MiB, as Slurm counts it; none: the partition's default.
    pub mem: Option<u64>,
    /// Tasks at once.
    pub max_parallel: usize,
    /// Trials of a task; none: by their cost.
    pub trials_per_task: Option<usize>,
    /// Seconds before the end of `time` at which a task is told.
    pub signal: Option<u64>,
    /// How often a task queues again at the end of its time.
    pub max_requeues: u32,
    /// Further arguments of `sbatch`.
    pub sbatch_args: Vec<String>,
}

impl Default for SlurmPlan {
    fn default() -> SlurmPlan {
        SlurmPlan {
            partition: None,
            time: None,
            cpus_per_task: 1,
            mem: None,
            max_parallel: 256,
            trials_per_task: None,
            signal: None,
            max_requeues: 0,
            sbatch_args: Vec::new(),
        }
    }
}

/// Arguments of `sbatch` that are not the user's to give, each with its short form and why.
const TAKEN: [(&str, &str, &str); 8] = [
    ("--array", "-a", "wick makes the array from the missing trials"),
    ("--dependency", "-d", "wick sets the dependencies"),
    ("--wait", "-W", "wick run --wait follows the jobs"),
    ("--wrap", "--wrap", "the script is written by wick"),
    ("--parsable", "--parsable", "wick sets it"),
    ("--test-only", "--test-only", "wick run --dry-run shows what would be submitted"),
    ("--output", "-o", "logs are in the results folder"),
    ("--chdir", "-D", "paths of the experiment are relative to the working folder"),
];

/// `[launcher.slurm]` of `root`.
pub(super) fn launcher(root: &Node) -> Result<SlurmPlan, Vec<Problem>> {
    let at = KeyPath::root().key("launcher");
    let Some(node) = root.get("launcher") else { return Ok(SlurmPlan::default()) };
    let written: written::Launcher = read(node, &at)?;
    let (at, slurm) = (at.key("slurm"), written.slurm);
    let mut problems = Vec::new();
    let mut refuse = |problem: Problem| problems.push(problem);
    for (key, value) in
        [("cpus-per-task", slurm.cpus_per_task), ("max-parallel", slurm.max_parallel)]
    {
        if value == 0 {
            refuse(Problem::value(at.key(key), format!("{key} is 0")).label("at least 1"));
        }
    }
    let is_word = |c: char| c.is_alphanumeric() || "-_.,+".contains(c);
    if slurm.partition.is_empty() || !slurm.partition.chars().all(is_word) {
        let message = format!("\"{}\" is not the name of a partition", slurm.partition);
        let problem = Problem::value(at.key("partition"), message).label("no such name");
        refuse(
            problem.help("`sinfo -s` lists the partitions; \"none\" uses the cluster's default"),
        );
    }
    let mem = match slurm.mem {
        Memory::None => None,
        Memory::Bytes(bytes) => Some(bytes.div_ceil(1 << 20)),
        Memory::Part(_) => {
            let problem = Problem::value(
                at.key("mem"),
                "mem cannot be a fraction, because the machine is not known",
            );
            refuse(
                problem
                    .label("not an amount")
                    .help("\"8GB\", or \"none\" for the cluster's default"),
            );
            None
        }
    };
    let time = match slurm.time {
        Limit::None => None,
        Limit::At(time) => Some(time),
    };
    let signal = match slurm.signal {
        Limit::None => None,
        Limit::At(Seconds(seconds)) => Some(seconds.ceil() as u64),
    };
    if let Some(seconds) = signal.filter(|seconds| *seconds > 65_535) {
        let message = format!("Slurm's signals come at most 65535 s before the end, not {seconds}");
        refuse(Problem::value(at.key("signal"), message).label("too long"));
    }
    if let (Some(time), Some(signal)) = (time, signal)
        && signal >= 60 * time.minutes
    {
        let message = format!("a task of {time} would get the signal {signal} s before its end");
        let problem = Problem::value(at.key("signal"), message).label("before it begins");
        refuse(problem.help("use a shorter signal, such as \"30s\", or a longer time"));
    }
    for (index, argument) in slurm.sbatch_args.iter().enumerate() {
        let at = at.key("sbatch-args").index(index);
        let name = argument.split(['=', ' ']).next().unwrap_or_default();
        if !argument.starts_with('-') || argument.contains(['\n', '\r']) {
            let problem =
                Problem::value(at, format!("\"{argument}\" is not an argument of sbatch"));
            refuse(problem.label("not an option").help("\"--account=vision\""));
        } else if let Some((long, _, why)) = TAKEN.iter().find(|(long, short, _)| {
            // A short option may have its value right behind it.
            name == *long || (!name.starts_with("--") && name.starts_with(short))
        }) {
            let problem = Problem::value(at, format!("{long} is not allowed: {why}"));
            refuse(problem.label("taken"));
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(SlurmPlan {
        partition: Some(slurm.partition).filter(|name| name != "none"),
        time,
        cpus_per_task: slurm.cpus_per_task,
        mem,
        max_parallel: slurm.max_parallel,
        trials_per_task: match slurm.trials_per_task {
            Slots::Auto => None,
            Slots::Number(trials) => Some(trials),
        },
        signal,
        max_requeues: slurm.max_requeues,
        sbatch_args: slurm.sbatch_args,
    })
}
