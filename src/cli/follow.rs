//! `--wait`: how trials get on that run elsewhere, told by their folder and by Slurm's queue.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;

use crate::basis::number::count;
use crate::basis::record::Status;
use crate::basis::regular;
use crate::config::frozen::Frozen;
use crate::data::Cache;
use crate::document::Node;
use crate::plan::sweep::Experiment;
use crate::progress::View;
use crate::results::layout::FROZEN;
use crate::sweep::slurm::status::JobStatus;
use crate::sweep::slurm::submission::Submission;
use crate::sweep::standing::standing;
use crate::sweep::store::Store;
use crate::sweep::survey::expand_in;

use super::error::Result;
use super::output::say;

/// How following came to its end.
pub(super) enum Followed {
    /// Nothing more is to come.
    Over,
    /// It was told to stop; the trials go on.
    Stopped,
}

/// From one look to the next, at first and at last.
const OFTEN: Duration = Duration::from_millis(300);
const SELDOM: Duration = Duration::from_secs(30);

/// Says how the trials get on, until the jobs of `run` are over, or, without Slurm, until all trials
/// have ended. `experiment` grows where a search does.
pub(super) fn follow(
    root: &Node,
    experiment: &mut Experiment,
    store: &Store,
    images: &Cache,
    run: &str,
    is_slurm: bool,
    view: View,
) -> Result<Followed> {
    let is_stopped = Arc::new(AtomicBool::new(false));
    let flag = is_stopped.clone();
    ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed))
        .context("failed to listen for Ctrl-C")?;
    let mut said = String::new();
    let mut pause = OFTEN;
    let mut runs = Runs::new(store, run);
    loop {
        let before = runs.submissions();
        let mut parts = Vec::new();
        let mut is_over = false;
        if is_slurm {
            match JobStatus::of(before.clone()) {
                Ok(status) => {
                    is_over = !status.is_live();
                    parts.extend(status.lines());
                    if is_over {
                        // The last job may just have submitted others.
                        is_over = runs.submissions().len() == before.len();
                        warn_of_no_trace(&status, is_over, store);
                    }
                }
                Err(error) => parts.push(format!("the queue does not answer: {error}")),
            }
        }
        if experiment.unsuggested > 0
            && let Ok(further) = expand_in(store, root, images)
        {
            *experiment = further;
        }
        let (line, is_settled) = progress(experiment, store);
        parts.insert(0, line);
        is_over |= !is_slurm && is_settled && experiment.unsuggested == 0;
        let words = parts.join("\n  ");
        if words != said {
            if view.is_for_people() {
                say(&format!("{words}\n"));
            }
            said = words;
            pause = OFTEN;
        }
        if is_over {
            return Ok(Followed::Over);
        }
        let steps = pause.as_millis() / 100;
        for _ in 0..steps {
            if is_stopped.load(Ordering::Relaxed) {
                let ids: Vec<String> =
                    before.iter().flat_map(|it| it.jobs().ids()).map(|id| id.to_string()).collect();
                let end = match ids.is_empty() {
                    true => String::new(),
                    false => format!("; scancel {} ends the jobs", ids.join(" ")),
                };
                say(&format!("the trials continue: the same command follows them again{end}\n"));
                return Ok(Followed::Stopped);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        pause = pause.mul_f64(1.3).min(SELDOM);
    }
}

fn warn_of_no_trace(status: &JobStatus, is_over: bool, store: &Store) {
    for job in status.without_trace().into_iter().filter(|_| is_over) {
        say(&format!("{}\n", no_trace(job, store)));
    }
}

/// What it probably means that a job has left no log.
pub(super) fn no_trace(job: u64, store: &Store) -> String {
    format!(
        "job {job} ran on a node but left no log in {}: do the nodes see this folder under this path? --results \
         chooses another folder",
        store.root().join("slurm").display()
    )
}

/// The submissions that are followed: those of this run, and of others that were in the queue when it
/// began. Each job that collects may make a further one.
struct Runs<'a> {
    store: &'a Store,
    runs: BTreeSet<String>,
    /// The run of each submission, by its number.
    known: BTreeMap<usize, String>,
}

impl<'a> Runs<'a> {
    fn new(store: &'a Store, run: &str) -> Runs<'a> {
        let mut runs =
            Runs { store, runs: BTreeSet::from([run.to_owned()]), known: BTreeMap::new() };
        for submission in Submission::all(store.root()) {
            let is_live = JobStatus::of(vec![submission.clone()]).is_ok_and(|it| it.is_live());
            if is_live {
                let run = runs.run_of(&submission);
                runs.runs.insert(run);
            }
        }
        runs
    }

    fn run_of(&mut self, submission: &Submission) -> String {
        let read = || {
            let text = regular::read_to_string(&submission.file(FROZEN)).ok()?;
            Some(Frozen::from_text(&text).ok()?.run)
        };
        let run = self.known.entry(submission.number).or_insert_with(|| read().unwrap_or_default());
        run.clone()
    }

    fn submissions(&mut self) -> Vec<Submission> {
        let mut all = Submission::all(self.store.root());
        all.retain(|submission| {
            let run = self.run_of(submission);
            self.runs.contains(&run)
        });
        all
    }
}

/// How far the trials are, and whether all have ended.
fn progress(experiment: &Experiment, store: &Store) -> (String, bool) {
    let standing = standing(experiment, store);
    let working = standing.known.iter().filter(|it| it.outcome.is_none() && it.store.is_locked());
    let mut words = Vec::new();
    for status in [Status::Completed, Status::Pruned, Status::Failed] {
        match standing.count(status) {
            0 => {}
            count => words.push(format!("{count} {}", status.name())),
        }
    }
    let working = working.count();
    words.push(format!("{working} at work"));
    let unfinished = standing.count(Status::Unfinished);
    words.push(format!("{} to go", unfinished.saturating_sub(working)));
    (format!("{}: {}", count(standing.known.len(), "trial"), words.join(", ")), unfinished == 0)
}
