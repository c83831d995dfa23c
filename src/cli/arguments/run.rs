//! Arguments of commands that run trials.

use std::path::PathBuf;

use clap::Args;

use super::Written;

#[derive(Debug, Args)]
pub(in crate::cli) struct Run {
    #[command(flatten)]
    pub(in crate::cli) written: Written,
    #[command(flatten)]
    pub(in crate::cli) effort: Effort,
    /// Stop the sweep when a trial fails; sets run.on-failure = "stop"
    #[arg(long)]
    pub(in crate::cli) fail_fast: bool,
    /// Memory for all trials together, such as 8GB or 80%; sets run.memory-limit
    #[arg(long, value_name = "SIZE")]
    pub(in crate::cli) memory_limit: Option<String>,
    /// Run only trials that fit into this time by estimate, such as 2h, cheapest first; sets run.budget
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) budget: Option<String>,
    /// Train each trial alone, without sharing common epochs; sets run.stage-cache = "none"
    #[arg(long)]
    pub(in crate::cli) no_sharing: bool,
    /// Replace the tables and the report of another experiment in the folder; its trials stay
    #[arg(long)]
    pub(in crate::cli) replace: bool,
    /// Print only errors and the final ranking
    #[arg(long, short, conflicts_with = "json")]
    pub(in crate::cli) quiet: bool,
    /// Print events for scripts instead of the ranking: one JSON object per line on standard output
    #[arg(long)]
    pub(in crate::cli) json: bool,
    #[command(flatten)]
    pub(in crate::cli) launch: Launch,
}

/// How many trials run at once, and on what.
#[derive(Clone, Copy, Debug, Args)]
pub(in crate::cli) struct Effort {
    /// Trials at once [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) workers: Option<u16>,
    /// Threads of a trial [default: the number of cores divided by the trials at once]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) threads: Option<u16>,
    /// Memory for augmented images that trials share; other images are augmented again
    #[arg(long, value_name = "MB", default_value_t = AUGMENT_MEMORY, value_parser = megabytes)]
    pub(in crate::cli) augment_memory: usize,
}

/// Where trials run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Launcher {
    /// On this machine
    Local,
    /// On the nodes of a Slurm cluster, as a job array
    Slurm,
    /// On every machine where you start wick worker DIR
    Worker,
}

/// Where trials run, and how that is asked for.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Launching")]
pub(in crate::cli) struct Launch {
    /// Where trials run
    #[arg(long, value_enum, value_name = "WHERE", default_value_t = Launcher::Local)]
    pub(in crate::cli) launcher: Launcher,
    /// The partition for jobs of Slurm; sets launcher.slurm.partition
    #[arg(long, value_name = "NAME")]
    partition: Option<String>,
    /// Tasks at once; sets launcher.slurm.max-parallel
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    max_parallel: Option<u16>,
    /// The time limit of a task, such as 2h, or in sbatch's format; sets launcher.slurm.time
    #[arg(long, value_name = "TIME")]
    time: Option<String>,
    /// A further argument of sbatch; replaces launcher.slurm.sbatch-args; may be repeated
    #[arg(long = "sbatch-arg", value_name = "ARG", allow_hyphen_values = true)]
    sbatch_args: Vec<String>,
    /// Print the scripts without submitting them
    #[arg(long, conflicts_with = "wait")]
    pub(in crate::cli) dry_run: bool,
    /// Wait for the launched jobs or workers, then rank
    #[arg(long)]
    pub(in crate::cli) wait: bool,
}

impl Launch {
    /// The option that makes no sense with this launcher, if one was given.
    pub(in crate::cli) fn misplaced(&self) -> Option<&'static str> {
        let slurm = [
            ("--partition", self.partition.is_some()),
            ("--max-parallel", self.max_parallel.is_some()),
            ("--time", self.time.is_some()),
            ("--sbatch-arg", !self.sbatch_args.is_empty()),
            ("--dry-run", self.dry_run),
        ];
        let wait = [("--wait", self.wait)];
        let wrong = |options: &[(&'static str, bool)]| {
            options.iter().find(|(_, is_given)| *is_given).map(|(name, _)| *name)
        };
        match self.launcher {
            Launcher::Slurm => None,
            Launcher::Worker => wrong(&slurm),
            Launcher::Local => wrong(&slurm).or(wrong(&wait)),
        }
    }

    /// What these options set in the experiment.
    fn sets(&self) -> Vec<String> {
        let text = |text: &str| toml::Value::from(text).to_string();
        let mut sets = Vec::new();
        let mut set = |key: &str, value: String| sets.push(format!("launcher.slurm.{key}={value}"));
        if let Some(partition) = &self.partition {
            set("partition", text(partition));
        }
        if let Some(number) = self.max_parallel {
            set("max-parallel", number.to_string());
        }
        if let Some(time) = &self.time {
            set("time", text(time));
        }
        if !self.sbatch_args.is_empty() {
            set("sbatch-args", toml::Value::from(self.sbatch_args.clone()).to_string());
        }
        sets
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Worker {
    /// The results folder of an experiment
    #[arg(value_name = "DIR")]
    pub(in crate::cli) folder: PathBuf,
    #[command(flatten)]
    pub(in crate::cli) effort: Effort,
    /// Cores to use [default: all cores of this process]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) cores: Option<u16>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct TrialTask {
    /// The results folder of an experiment
    #[arg(value_name = "DIR")]
    pub(in crate::cli) folder: PathBuf,
    /// Numbers of trials, as in trials.csv; with --submission, the number of a task
    #[arg(value_name = "INDEX", required = true)]
    pub(in crate::cli) indices: Vec<usize>,
    /// The number of the submission that the task belongs to
    #[arg(long, value_name = "N")]
    pub(in crate::cli) submission: Option<usize>,
    #[command(flatten)]
    pub(in crate::cli) effort: Effort,
    /// Cores to use [default: all cores of this process]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) cores: Option<u16>,
    /// How often a job of Slurm queues again after the signal USR1
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(in crate::cli) max_requeues: u32,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Collect {
    /// The results folder of an experiment
    #[arg(value_name = "DIR")]
    pub(in crate::cli) folder: PathBuf,
    /// The number of the finished submission; the trials that can run now are submitted
    #[arg(long, value_name = "N")]
    pub(in crate::cli) submission: Option<usize>,
}

/// Megabytes for augmented images that trials share, unless something else is said.
pub(in crate::cli) const AUGMENT_MEMORY: usize = 1024;

fn megabytes(text: &str) -> Result<usize, String> {
    let most = 1 << 30;
    text.parse().ok().filter(|mb| *mb <= most).ok_or_else(|| format!("a number from 0 to {most}"))
}

impl Run {
    /// The experiment, with the options of this command that stand for keys of the file.
    pub(in crate::cli) fn written(&self) -> Written {
        let options = [
            ("run.on-failure", self.fail_fast.then_some("stop")),
            ("run.memory-limit", self.memory_limit.as_deref()),
            ("run.budget", self.budget.as_deref()),
            ("run.stage-cache", self.no_sharing.then_some("none")),
        ];
        let options = options.into_iter();
        let sets = options.filter_map(|(key, value)| Some(format!("{key}={}", value?)));
        self.written.clone().with(sets.chain(self.launch.sets()))
    }
}
