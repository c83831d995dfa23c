//! The scripts that are submitted.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::plan::launcher::SlurmPlan;

/// What scripts are made from. Paths are absolute: nodes have no working folder.
#[derive(Clone, Debug)]
pub struct Scripts<'a> {
    /// How Slurm is asked.
    pub plan: &'a SlurmPlan,
    /// Name of the experiment.
    pub name: &'a str,
    /// The program.
    pub program: &'a Path,
    /// The working folder: relative paths lead on from here.
    pub folder: &'a Path,
    /// The results folder of the experiment.
    pub results: &'a Path,
    /// Which submission this is.
    pub submission: usize,
}

impl Scripts<'_> {
    /// The folder of the submission.
    fn home(&self) -> PathBuf {
        self.results.join("slurm").join(self.submission.to_string())
    }

    /// The script of the array. Its argument is the task that stands first in the array, as one array
    /// may not be enough for all of them.
    pub fn tasks(&self) -> String {
        let mut text = self.head(self.name, "%A_%a.log");
        if let Some(signal) = self.plan.signal {
            let _ = writeln!(text, "#SBATCH --signal=B:USR1@{signal}");
        }
        text.push_str(&self.further());
        text.push_str(&self.preamble());
        // With exec, signals for the script reach the program.
        let _ = writeln!(
            text,
            "exec {} trial {} \"$((${{1:-0}} + SLURM_ARRAY_TASK_ID))\" --submission {} \\\n  \
             --cores \"${{SLURM_CPUS_PER_TASK:-{}}}\" --max-requeues {}",
            quoted(self.program),
            quoted(self.results),
            self.submission,
            self.plan.cpus_per_task,
            self.plan.max_requeues,
        );
        text
    }

    /// The script of the job that follows the arrays.
    pub fn collect(&self) -> String {
        let mut text = self.head(&format!("{}-collect", self.name), "collect-%j.log");
        text.push_str(&self.further());
        text.push_str(&self.preamble());
        let _ = writeln!(
            text,
            "exec {} collect {} --submission {}",
            quoted(self.program),
            quoted(self.results),
            self.submission
        );
        text
    }

    fn head(&self, job: &str, log: &str) -> String {
        let SlurmPlan { partition, time, cpus_per_task, mem, .. } = self.plan;
        let mut text = format!(
            "#!/bin/sh\n# Written by wick {}.\n#SBATCH --job-name={}\n#SBATCH --output={}\n",
            env!("CARGO_PKG_VERSION"),
            option(job),
            // Slurm puts other things in the place of %x.
            option(&format!("{}/{log}", self.home().display().to_string().replace('%', "%%"))),
        );
        // A log goes on when its task starts again; sites may have requeueing off.
        text.push_str("#SBATCH --open-mode=append\n#SBATCH --requeue\n");
        let _ = writeln!(text, "#SBATCH --cpus-per-task={cpus_per_task}");
        if let Some(partition) = partition {
            let _ = writeln!(text, "#SBATCH --partition={}", option(partition));
        }
        if let Some(time) = time {
            let _ = writeln!(text, "#SBATCH --time={time}");
        }
        if let Some(mem) = mem {
            let _ = writeln!(text, "#SBATCH --mem={mem}M");
        }
        text
    }

    /// The user's own arguments come last: of two that say the same the later one holds.
    fn further(&self) -> String {
        self.plan.sbatch_args.iter().map(|argument| format!("#SBATCH {argument}\n")).collect()
    }

    fn preamble(&self) -> String {
        let folder = quoted(self.folder);
        format!(
            "\n# Without control groups a task sees all cores of its node.\n\
             export RAYON_NUM_THREADS=\"${{SLURM_CPUS_PER_TASK:-{}}}\"\n\
             cd {folder} || echo \"$(hostname): there is no folder {}: relative paths do not work\" >&2\n\
             [ -d {results} ] || {{ echo \"$(hostname): there is no folder {}: the results must be on a file system that all nodes see\" >&2; exit 1; }}\n",
            self.plan.cpus_per_task,
            inside(&self.folder.display().to_string()),
            inside(&self.results.display().to_string()),
            results = quoted(self.results),
        )
    }
}

/// A word as a shell takes it.
pub fn quoted(word: &Path) -> String {
    let word = word.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word,
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// Text between a shell's double quotes.
fn inside(text: &str) -> String {
    let escaped = |c: char| if "\\\"$`".contains(c) { format!("\\{c}") } else { c.to_string() };
    text.chars().map(escaped).collect()
}

/// A value as `sbatch` reads it from a script.
fn option(value: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+%,:".contains(c);
    match value.chars().all(is_plain) {
        true => value.to_owned(),
        false => format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_paths_are_called_a_shell_takes_them_as_they_are() {
        for name in ["plain", "with space", "it's", "$HOME `id` \"q\"", "-dash", "ü"] {
            let script =
                format!("printf %s {}; printf %s \"{}\"", quoted(Path::new(name)), inside(name));
            let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{name}{name}"));
        }
    }
}
