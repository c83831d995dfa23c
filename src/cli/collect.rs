//! `wick collect`: the tables and the report of a folder that others have worked on; behind a job array,
//! also the next one, if pruning or a search has made further trials possible.

use crate::data::Cache;
use crate::progress::View;
use crate::sweep::advised::write_advice;
use crate::sweep::clock::Stopwatch;
use crate::sweep::slurm::submission::{Given, Submission};
use crate::sweep::standing::{runnable, standing};
use crate::sweep::tables;

use super::arguments::Collect;
use super::conclude::Conclusion;
use super::error::Result;
use super::file_system::wait_until_seen;
use super::frozen::FrozenExperiment;
use super::output::say;
use super::submit::{Submitter, program, tell_submitted};

/// Runs the command.
pub(super) fn collect(arguments: &Collect) -> Result {
    let stopwatch = Stopwatch::start();
    let images = Cache::new(std::thread::available_parallelism().map_or(1, usize::from));
    let load = || FrozenExperiment::open(&arguments.folder, arguments.submission, &images);
    let mut folder = load()?;
    let mut left = left(&folder, arguments.submission)?;
    if !left.is_empty() && wait_until_seen(folder.store.root()) {
        folder = load()?;
        left = self::left(&folder, arguments.submission)?;
    }
    let FrozenExperiment { frozen, root, experiment, store } = &folder;
    tables::write(experiment, store, &standing(experiment, store))?;
    // Of a plain sweep everything was submitted that was to be run.
    let is_chained = experiment.prune.is_some() || experiment.trials.iter().any(|it| it.round > 0);
    let is_free = left.is_empty() && !store.is_stopped(&frozen.run);
    if arguments.submission.is_some() && is_chained && is_free {
        let images = &images;
        let submitter = Submitter { experiment, frozen, images, store, program: program()? };
        if !runnable(experiment, store, &frozen.run).is_empty() {
            let submitted = submitter.submit()?;
            if submitted.trials > 0 {
                tell_submitted(&submitted, experiment);
                return Ok(());
            }
        }
    }
    write_advice(root, experiment, &images, store)?;
    if !left.is_empty() {
        let numbers: Vec<String> = left.iter().map(|row| row.trial.to_string()).collect();
        say(&format!(
            "trials {} are not finished (a time limit, scancel, a failed node): run the command again\n",
            numbers.join(", ")
        ));
    }
    let conclusion = Conclusion { images: &images, store, view: View::Lines, is_stopped: false };
    conclusion.tell(experiment, stopwatch)
}

/// The trials of a submission that were left before they came to an end; none without a submission.
fn left(folder: &FrozenExperiment, submission: Option<usize>) -> Result<Vec<Given>> {
    let FrozenExperiment { experiment, store, .. } = folder;
    match submission {
        Some(number) => {
            Ok(Submission::at(store.root(), number).left(&standing(experiment, store))?)
        }
        None => Ok(Vec::new()),
    }
}
