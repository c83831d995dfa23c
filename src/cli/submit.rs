//! From trials that are missing to jobs of Slurm.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::config::frozen::Frozen;
use crate::data::Cache;
use crate::plan::sweep::Experiment;
use crate::sweep::cost::{costs, within};
use crate::sweep::slurm::client::{self, SlurmError};
use crate::sweep::slurm::pack::{Packing, pack};
use crate::sweep::slurm::script::Scripts;
use crate::sweep::slurm::status::JobStatus;
use crate::sweep::slurm::submission::{Array, Given, Jobs, Submission};
use crate::sweep::standing::runnable;
use crate::sweep::store::{Store, StoreError};

use super::error::{Error, Result};
use super::output::{print, say};

/// An experiment whose trials are to be submitted.
pub(super) struct Submitter<'a> {
    pub(super) experiment: &'a Experiment,
    pub(super) frozen: &'a Frozen,
    pub(super) images: &'a Cache,
    /// Its folder is named by an absolute path.
    pub(super) store: &'a Store,
    pub(super) program: PathBuf,
}

/// What was submitted.
pub(super) struct Submitted {
    /// Trials.
    pub(super) trials: usize,
    pub(super) tasks: usize,
    /// None if there was nothing to submit.
    pub(super) jobs: Jobs,
    /// Trials that could run now, and are in the queue already.
    pub(super) queued: usize,
}

/// What is to be submitted.
struct Batch {
    given: Vec<Given>,
    tasks: usize,
    scripts: [(&'static str, String); 2],
    submission: Submission,
    /// Of each array the first task, how many, and the options of `sbatch`.
    arrays: Vec<(usize, usize, String)>,
}

impl Submitter<'_> {
    /// Submits all trials that may run now and are not in the queue.
    pub(super) fn submit(&self) -> Result<Submitted> {
        let results = self.store.root();
        let Some(_lock) = Submission::lock(results)? else {
            let message = "another wick run is submitting jobs for this results folder";
            return Err(Error::trouble(message));
        };
        let in_queue = JobStatus::of_all(results).map_err(refused)?.in_queue()?;
        let mut missing = runnable(self.experiment, self.store, &self.frozen.run);
        let all = missing.len();
        let digest = |index: usize| &self.experiment.trials[index].digest;
        missing.retain(|(index, _)| !in_queue.contains_key(digest(*index)));
        let queued = all - missing.len();
        let Some(batch) = self.batch(&missing) else {
            return Ok(Submitted { trials: 0, tasks: 0, jobs: Jobs::default(), queued });
        };
        let scripts = batch.scripts.each_ref().map(|(name, text)| (*name, text.as_str()));
        batch.submission.write(&self.frozen.to_text(), &batch.given, scripts)?;
        match self.send(&batch) {
            Ok(jobs) => {
                let (trials, tasks) = (batch.given.len(), batch.tasks);
                Ok(Submitted { trials, tasks, jobs, queued })
            }
            Err(Sending::Slurm(error)) => {
                let begun = batch.submission.jobs().ids();
                if !begun.is_empty() {
                    // Half of a submission would run without anybody to collect it.
                    let _ = client::cancel(&begun);
                }
                batch.submission.remove()?;
                Err(refused(error))
            }
            Err(Sending::Store(error)) => Err(error.into()),
        }
    }

    /// Prints what would be submitted.
    pub(super) fn rehearse(&self) {
        let missing = runnable(self.experiment, self.store, &self.frozen.run);
        let Some(batch) = self.batch(&missing) else {
            say("no trial is missing: nothing would be submitted\n");
            return;
        };
        let path = |name: &str| batch.submission.file(name).display().to_string();
        for (first, _, option) in &batch.arrays {
            print(&format!("# sbatch --parsable {option} {} {first}\n", path("tasks.sh")));
        }
        print(&batch.scripts[0].1);
        let behind = "--dependency=afterany:JOB";
        print(&format!("\n# sbatch --parsable {behind} {}\n", path("collect.sh")));
        print(&batch.scripts[1].1);
        print("\n");
        for task in 0..batch.tasks {
            let numbers = batch.given.iter().filter(|row| row.task == task);
            let numbers: Vec<String> = numbers.map(|row| row.trial.to_string()).collect();
            let word = if numbers.len() == 1 { "trial" } else { "trials" };
            print(&format!("# task {task}: {word} {}\n", numbers.join(", ")));
        }
    }

    /// None if there is nothing to do.
    fn batch(&self, missing: &[(usize, usize)]) -> Option<Batch> {
        let plan = &self.experiment.slurm;
        let cores = client::cores(plan.partition.as_deref());
        let slots = cores.map_or(plan.max_parallel, |cores| cores / plan.cpus_per_task);
        let slots = slots.clamp(1, plan.max_parallel);
        let costs = costs(self.experiment, self.store, self.images, plan.cpus_per_task);
        let mut missing = missing.to_vec();
        if let Some(budget) = self.experiment.run.budget {
            let indices: Vec<usize> = missing.iter().map(|(index, _)| *index).collect();
            let fit = within(budget, slots, &indices, &costs);
            if fit.len() < indices.len() {
                let (fit, all) = (fit.len(), indices.len());
                say(&format!("{fit} of {all} trials fit the budget, by estimate\n"));
            }
            missing.retain(|(index, _)| fit.contains(index));
        }
        if missing.is_empty() {
            return None;
        }
        let seconds: Vec<f64> = missing
            .iter()
            .map(|(index, until)| {
                let trained = self.store.trial(&self.experiment.trials[*index]).epochs().len();
                costs[*index].epoch * until.saturating_sub(trained) as f64
            })
            .collect();
        let packing = Packing {
            slots,
            trials_per_task: plan.trials_per_task,
            limit: plan.time.map(|time| 60.0 * time.minutes as f64),
        };
        let packs = pack(&seconds, packing);
        let given = packs
            .iter()
            .enumerate()
            .flat_map(|(task, places)| places.iter().map(move |place| (task, place)));
        let given = given
            .map(|(task, place)| {
                let (index, until) = missing[*place];
                let digest = self.experiment.trials[index].digest.clone();
                Given { task, trial: index + 1, digest, until }
            })
            .collect();
        let results = self.store.root();
        let number = Submission::next(results);
        let scripts = Scripts {
            plan,
            name: &self.experiment.name,
            program: &self.program,
            folder: &self.frozen.folder,
            results,
            submission: number,
        };
        let most = client::max_array_size();
        let arrays = (0..packs.len()).step_by(most).map(|first| {
            let tasks = most.min(packs.len() - first);
            (first, tasks, client::array(tasks, plan.max_parallel))
        });
        Some(Batch {
            given,
            tasks: packs.len(),
            scripts: [("tasks.sh", scripts.tasks()), ("collect.sh", scripts.collect())],
            submission: Submission::at(results, number),
            arrays: arrays.collect(),
        })
    }

    /// Gives the scripts to Slurm, and writes down each number that it answers.
    fn send(&self, batch: &Batch) -> Result<Jobs, Sending> {
        let note = |jobs: &Jobs| batch.submission.note(jobs).map_err(Sending::Store);
        let (tasks, collect) =
            (batch.submission.file("tasks.sh"), batch.submission.file("collect.sh"));
        let mut jobs = Jobs::default();
        let is_capped = batch.tasks > self.experiment.slurm.max_parallel;
        for (first, count, option) in &batch.arrays {
            let mut options = vec![option.clone()];
            // No more tasks run at once than asked for, in however many arrays they are.
            let before = jobs.arrays.last().filter(|_| is_capped);
            options.extend(before.map(|array: &Array| client::after(&[array.job])));
            let job = client::submit(&options, &tasks, Some(*first)).map_err(Sending::Slurm)?;
            jobs.arrays.push(Array { job, first: *first, tasks: *count });
            note(&jobs)?;
        }
        let before: Vec<u64> = jobs.arrays.iter().map(|array| array.job).collect();
        let job =
            client::submit(&[client::after(&before)], &collect, None).map_err(Sending::Slurm)?;
        jobs.collect = Some(job);
        note(&jobs)?;
        Ok(jobs)
    }
}

/// Why Slurm does not take the jobs.
fn refused(error: SlurmError) -> Error {
    match &error {
        SlurmError::Missing(_) => Error::trouble(format!(
            "{error}\n  = help: submit on a machine with Slurm's commands, such as a login node, or run with \
             --launcher local"
        )),
        SlurmError::Refused { words, .. } if words.contains("partition") => {
            let names = client::partitions();
            match names.is_empty() {
                true => Error::wrong(&error),
                false => {
                    let names = names.join(", ");
                    Error::wrong(format!("{error}\n  = help: the partitions are {names}"))
                }
            }
        }
        SlurmError::Refused { .. } if !error.is_passing() => Error::wrong(&error),
        error => Error::trouble(error),
    }
}

/// Why something could not be submitted.
enum Sending {
    Slurm(SlurmError),
    Store(StoreError),
}

/// The program's own file.
pub(super) fn program() -> Result<PathBuf> {
    Ok(std::env::current_exe().context("failed to find the program's own file")?)
}

/// `path` from the root on, without looking at links: nodes know shared folders by the same names.
pub(super) fn absolute(path: &Path) -> Result<PathBuf> {
    Ok(std::path::absolute(path).with_context(|| format!("failed to find {}", path.display()))?)
}

/// Says what was submitted.
pub(super) fn tell_submitted(submitted: &Submitted, experiment: &Experiment) {
    let Submitted { trials, tasks, jobs, .. } = submitted;
    let plural = |count: usize, one: &str| match count {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    };
    let arrays: Vec<String> = jobs.arrays.iter().map(|array| array.job.to_string()).collect();
    let at_once = experiment.slurm.max_parallel.min(*tasks);
    print(&format!(
        "{}: {} in {}, at most {at_once} at once: {} {}; job {} collects\n",
        experiment.name,
        plural(*trials, "trial"),
        plural(*tasks, "task"),
        if arrays.len() == 1 { "job" } else { "jobs" },
        arrays.join(", "),
        jobs.collect.map_or(String::new(), |job| job.to_string()),
    ));
}
