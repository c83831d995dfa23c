//! What Slurm is asked for and told, by its own commands.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::basis::instructions;

/// Why Slurm did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum SlurmError {
    /// Its commands are not there.
    #[error("there is no {0} on the PATH")]
    Missing(&'static str),
    /// It refused; the words are its own.
    #[error("{command} refused: {words}")]
    Refused {
        /// Which command.
        command: &'static str,
        /// What it wrote to standard error.
        words: String,
    },
    /// Its answer is not understood.
    #[error("unexpected answer of {command}: {answer:?}")]
    Answer {
        /// Which command.
        command: &'static str,
        /// What it wrote to standard output.
        answer: String,
    },
    /// It could not be run.
    #[error("failed to run {0}: {1}")]
    Failed(&'static str, io::Error),
}

impl SlurmError {
    /// Whether Slurm itself cannot be reached, so that the same may work later.
    pub fn is_passing(&self) -> bool {
        let signs = ["Unable to contact", "timed out", "try again", "Connection refused"];
        matches!(self, SlurmError::Refused { words, .. } if signs.iter().any(|s| words.contains(s)))
    }
}

/// A job, or a task of an array, as the queue has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// The job.
    pub job: u64,
    /// The task, in an array.
    pub task: Option<usize>,
    /// As `RUNNING`.
    pub state: String,
    /// Why it is not running.
    pub reason: String,
    /// Where it runs or ran.
    pub node: String,
}

/// States in which a job is over.
const OVER: [&str; 11] = [
    "BOOT_FAIL",
    "CANCELLED",
    "COMPLETED",
    "DEADLINE",
    "FAILED",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "PREEMPTED",
    "REVOKED",
    "TIMEOUT",
    "SPECIAL_EXIT",
];

impl Queued {
    /// Whether it may still do something.
    pub fn is_live(&self) -> bool {
        !OVER.contains(&self.state.as_str())
    }
}

/// A command of Slurm without what a job has in its environment: jobs that are submitted from a job
/// would take it for their own.
fn command(name: &'static str) -> Command {
    let mut command = Command::new(name);
    for (key, _) in std::env::vars_os() {
        let key_text = key.to_string_lossy();
        let is_of_job = key_text.starts_with("SLURM_")
            && !matches!(&*key_text, "SLURM_CONF" | "SLURM_JWT" | "SLURM_CLUSTERS");
        let is_of_run = key_text.starts_with("CANDLEWICK_") && key_text != instructions::VARIABLE;
        if is_of_job || is_of_run || key_text == "RAYON_NUM_THREADS" {
            command.env_remove(&key);
        }
    }
    command.stdin(Stdio::null());
    command
}

fn run(name: &'static str, command: &mut Command) -> Result<String, SlurmError> {
    let output: Output = command.output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => SlurmError::Missing(name),
        _ => SlurmError::Failed(name, error),
    })?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let words = if words.is_empty() { output.status.to_string() } else { words };
        return Err(SlurmError::Refused { command: name, words });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether jobs can be submitted from here at all.
pub fn is_here() -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join("sbatch").is_file())
}

/// The option of `sbatch` for so many tasks, so many at once.
pub fn array(tasks: usize, at_once: usize) -> String {
    format!("--array=0-{}%{}", tasks.saturating_sub(1), at_once.min(tasks))
}

/// The option of `sbatch` for a job that starts when these are over, however they ended.
pub fn after(jobs: &[u64]) -> String {
    let jobs: Vec<String> = jobs.iter().map(u64::to_string).collect();
    format!("--dependency=afterany:{}", jobs.join(":"))
}

/// Submits a script with arguments of `sbatch` before and of the script behind it: the number of the
/// job.
pub fn submit(
    options: &[String],
    script: &Path,
    argument: Option<usize>,
) -> Result<u64, SlurmError> {
    let mut sbatch = command("sbatch");
    sbatch.arg("--parsable").args(options).arg(script);
    sbatch.args(argument.map(|argument| argument.to_string()));
    let answer = run("sbatch", &mut sbatch)?;
    // With the name of the cluster behind a semicolon, if there are several.
    let number = answer.trim().split(';').next().and_then(|number| number.parse().ok());
    number.ok_or(SlurmError::Answer { command: "sbatch", answer })
}

/// Ends jobs.
pub fn cancel(jobs: &[u64]) -> Result<(), SlurmError> {
    run("scancel", command("scancel").args(jobs.iter().map(u64::to_string))).map(|_| ())
}

/// Tasks that an array may have: indices are below `MaxArraySize`.
pub fn max_array_size() -> usize {
    let answer = run("scontrol", command("scontrol").args(["show", "config"])).unwrap_or_default();
    let line = answer.lines().find_map(|line| line.trim().strip_prefix("MaxArraySize"));
    let size = line.and_then(|rest| rest.trim().strip_prefix('=')?.trim().parse().ok());
    // Slurm's own default, where it cannot be asked.
    size.unwrap_or(1001).max(1)
}

/// Cores of `partition`, or of the default one; none if nobody says.
pub fn cores(partition: Option<&str>) -> Option<usize> {
    let answer = run("sinfo", command("sinfo").args(["--noheader", "--format=%P %C"])).ok()?;
    answer.lines().find_map(|line| {
        let (name, cores) = line.trim().split_once(' ')?;
        let is_it = match partition {
            Some(partition) => name.trim_end_matches('*') == partition,
            None => name.ends_with('*'),
        };
        // Allocated, idle, other, total.
        // Those of nodes that are down for now may be back when the tasks start.
        let [_, _, _, total] = cores.trim().split('/').collect::<Vec<_>>()[..] else { return None };
        is_it.then(|| total.parse().ok())?
    })
}

/// The names of all partitions.
pub fn partitions() -> Vec<String> {
    let answer = run("sinfo", command("sinfo").args(["--noheader", "--format=%R"]));
    let names: BTreeSet<String> =
        answer.unwrap_or_default().lines().map(|line| line.trim().to_owned()).collect();
    names.into_iter().filter(|name| !name.is_empty()).collect()
}

/// The jobs with these numbers that the queue still knows, each task of an array by itself.
pub fn queue(jobs: &[u64]) -> Result<Vec<Queued>, SlurmError> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let list: Vec<String> = jobs.iter().map(u64::to_string).collect();
    let mut squeue = command("squeue");
    squeue.args(["--noheader", "--array", "--states=all", "--format=%F|%K|%T|%r|%N"]);
    match run("squeue", squeue.arg(format!("--jobs={}", list.join(",")))) {
        Ok(answer) => Ok(answer.lines().filter_map(queued).collect()),
        // It forgets jobs some minutes after their end.
        Err(SlurmError::Refused { words, .. }) if words.contains("Invalid job id") => {
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}

fn queued(line: &str) -> Option<Queued> {
    let [job, task, state, reason, node] = line.trim().split('|').collect::<Vec<_>>()[..] else {
        return None;
    };
    let word = |word: &str| word.trim_matches(['(', ')']).to_owned();
    Some(Queued {
        job: job.parse().ok()?,
        task: task.parse().ok(),
        state: state.to_owned(),
        reason: Some(word(reason)).filter(|reason| reason != "None").unwrap_or_default(),
        node: word(node),
    })
}

/// Puts the job that this process is back into the queue, from where it starts again. It names the
/// task by its place in the array: the number of one task is that of the whole array too.
pub fn requeue_this() -> Result<(), SlurmError> {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let job = match std::env::var("SLURM_ARRAY_JOB_ID") {
        Ok(job) => format!("{job}_{}", variable("SLURM_ARRAY_TASK_ID")),
        Err(_) => variable("SLURM_JOB_ID"),
    };
    run("scontrol", command("scontrol").args(["requeue", &job])).map(|_| ())
}

/// How often this job has been started before.
pub fn restarts() -> u32 {
    std::env::var("SLURM_RESTART_COUNT").ok().and_then(|count| count.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_queue_are_read() {
        let task = queued("17|3|RUNNING|None|n2").unwrap();
        assert_eq!((task.job, task.task, task.node.as_str()), (17, Some(3), "n2"));
        assert!(task.is_live() && task.reason.is_empty());
        let job = queued("18|N/A|PENDING|Dependency|\n").unwrap();
        assert_eq!((job.task, job.reason.as_str(), job.node.as_str()), (None, "Dependency", ""));
        assert!(!queued("17|4|TIMEOUT|TimeLimit|n1").unwrap().is_live());
        assert!(queued("17|5|COMPLETING|None|n1").unwrap().is_live());
        assert_eq!(queued("slurm_load_jobs error"), None);
    }
}
