//! `wick worker` and `wick trial`: work on a results folder that others work on too.

use std::collections::BTreeSet;

use crate::basis::record::Status;
use crate::data::Cache;
use crate::plan::sweep::Experiment;
use crate::progress::View;
use crate::sweep::advised::write_advice;
use crate::sweep::clock::Stopwatch;
use crate::sweep::slurm::submission::Submission;
use crate::sweep::standing::standing;
use crate::sweep::store::{Store, host};
use crate::sweep::tables;
use crate::sweep::work::Scope;

use super::arguments::{Effort, TrialTask, Worker};
use super::conclude::Conclusion;
use super::error::{Error, Result};
use super::exit::Exit;
use super::file_system::warn_of_local_locks;
use super::frozen::FrozenExperiment;
use super::output::say;
use super::supervise::{Supervised, supervise, supervised};
use super::work::Task;

/// Runs `wick worker`.
pub(super) fn worker(arguments: &Worker) -> Result {
    let Some(supervised) = supervised() else { return supervise(0) };
    let stopwatch = Stopwatch::start();
    let cores = cores(arguments.cores);
    let images = Cache::new(cores);
    let mut folder = FrozenExperiment::open(&arguments.folder, None, &images)?;
    warn_of_local_locks(folder.store.root());
    let is_stopped =
        work(&mut folder, Scope::Shared, arguments.effort, cores, &images, supervised)?;
    let FrozenExperiment { root, experiment, store, .. } = &folder;
    let standing = standing(experiment, store);
    let left = standing.count(Status::Unfinished);
    if is_stopped || left > 0 {
        say(&format!("{left} trials are not finished: start a worker again to continue\n"));
        return if is_stopped { Err(Exit::Interrupted.into()) } else { Ok(()) };
    }
    // The worker that ends last has all rows; what another one has written before has fewer.
    tables::write(experiment, store, &standing)?;
    write_advice(root, experiment, &images, store)?;
    let view = View::Lines;
    Conclusion { images: &images, store, view, is_stopped }.tell(experiment, stopwatch)
}

/// Runs `wick trial`.
pub(super) fn trial(arguments: &TrialTask) -> Result {
    let Some(supervised) = supervised() else { return supervise(arguments.max_requeues) };
    let cores = cores(arguments.cores);
    let images = Cache::new(cores);
    let mut folder = FrozenExperiment::open(&arguments.folder, arguments.submission, &images)?;
    let experiment = &folder.experiment;
    let indices = match arguments.submission {
        None => numbered(&arguments.indices, experiment)?,
        Some(number) => {
            let submission = Submission::at(folder.store.root(), number);
            given(&arguments.indices, &submission, experiment)?
        }
    };
    say(&format!("trials {} on {}\n", list(&indices), host()));
    warn_of_local_locks(folder.store.root());
    if folder.store.is_stopped(&folder.frozen.run) {
        let text = "a trial of this run has failed, and run.on-failure is \"stop\"\n";
        return Err(Error::new(Exit::Interrupted, text));
    }
    let scope = Scope::Trials(indices.clone());
    let is_stopped = work(&mut folder, scope, arguments.effort, cores, &images, supervised)?;
    ended(&folder.experiment, &folder.store, &indices, is_stopped)
}

fn cores(asked: Option<u16>) -> usize {
    let all = || std::thread::available_parallelism().map_or(1, usize::from);
    asked.map_or_else(all, usize::from)
}

/// Works until there is nothing left; whether it was stopped.
fn work(
    folder: &mut FrozenExperiment,
    scope: Scope,
    effort: Effort,
    cores: usize,
    images: &Cache,
    supervised: Supervised,
) -> Result<bool> {
    let FrozenExperiment { frozen, root, experiment, store } = folder;
    let (view, run) = (View::new(false, false), &frozen.run);
    let task = Task { scope, effort, view, cores, images, store, run, supervised };
    Ok(task.work(root, experiment)?.1)
}

/// The trials with these numbers, by index.
fn numbered(numbers: &[usize], experiment: &Experiment) -> Result<BTreeSet<usize>> {
    let last = experiment.trials.len();
    let index = |number: &usize| match *number {
        number if (1..=last).contains(&number) => Ok(number - 1),
        number => Err(Error::wrong(format!(
            "there is no trial {number}: trials are numbered from 1 to {last}"
        ))),
    };
    numbers.iter().map(index).collect()
}

/// The trials of these tasks, by index.
fn given(
    tasks: &[usize],
    submission: &Submission,
    experiment: &Experiment,
) -> Result<BTreeSet<usize>> {
    let mut indices = BTreeSet::new();
    let all = submission.given()?;
    for task in tasks {
        let mut of_task = all.iter().filter(|row| row.task == *task).peekable();
        if of_task.peek().is_none() {
            let last = all.last().map_or(0, |row| row.task);
            let message = format!("there is no task {task}: tasks are numbered from 0 to {last}");
            return Err(Error::wrong(message));
        }
        for row in of_task {
            let index = row.trial.wrapping_sub(1);
            if experiment.trials.get(index).is_none_or(|trial| trial.digest != row.digest) {
                return Err(Error::wrong(format!(
                    "trial {} is not {} here: this is another version of wick, or files of the experiment differ \
                     from those on the machine that submitted it",
                    row.trial, row.digest
                )));
            }
            indices.insert(index);
        }
    }
    Ok(indices)
}

fn list(indices: &BTreeSet<usize>) -> String {
    let numbers: Vec<String> = indices.iter().map(|index| (index + 1).to_string()).collect();
    numbers.join(", ")
}

/// Says how the trials were left.
fn ended(
    experiment: &Experiment,
    store: &Store,
    indices: &BTreeSet<usize>,
    is_stopped: bool,
) -> Result {
    let standing = standing(experiment, store);
    let count = |status| {
        let own = indices.iter().filter_map(|index| standing.known.get(*index));
        own.filter(|known| known.status() == status).count()
    };
    let (unfinished, failed) = (count(Status::Unfinished), count(Status::Failed));
    let (completed, pruned) = (count(Status::Completed), count(Status::Pruned));
    say(&format!(
        "{completed} completed, {pruned} pruned, {failed} failed, {unfinished} unfinished\n"
    ));
    match (is_stopped && unfinished > 0, failed) {
        (true, _) => Err(Exit::Interrupted.into()),
        (false, 0) => Ok(()),
        (false, _) => Err(Exit::Failed.into()),
    }
}
