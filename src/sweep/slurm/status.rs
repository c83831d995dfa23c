//! The status of submitted jobs: what the queue says of them, and whether they have left a log.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::client::{Queued, SlurmError, queue};
use super::submission::Submission;
use crate::sweep::store::StoreError;

/// Submissions, and the status of their jobs in the queue.
pub struct JobStatus {
    /// The first one first.
    pub submissions: Vec<Submission>,
    queue: Vec<Queued>,
}

/// The digests of trials that are in the queue, each with its job.
pub type InQueue = BTreeMap<String, u64>;

impl JobStatus {
    /// Asks for all jobs of `submissions`.
    pub fn of(submissions: Vec<Submission>) -> Result<JobStatus, SlurmError> {
        let ids: Vec<u64> = submissions.iter().flat_map(|it| it.jobs().ids()).collect();
        Ok(JobStatus { queue: queue(&ids)?, submissions })
    }

    /// Asks for all jobs that were ever submitted for the results folder `results`.
    pub fn of_all(results: &Path) -> Result<JobStatus, SlurmError> {
        JobStatus::of(Submission::all(results))
    }

    fn live(&self, job: u64) -> impl Iterator<Item = &Queued> {
        self.queue.iter().filter(move |queued| queued.job == job && queued.is_live())
    }

    /// Whether a job of them may still do something.
    pub fn is_live(&self) -> bool {
        self.queue.iter().any(Queued::is_live)
    }

    /// The trials of tasks that may still do something.
    pub fn in_queue(&self) -> Result<InQueue, StoreError> {
        let mut trials = InQueue::new();
        for submission in &self.submissions {
            let jobs = submission.jobs();
            let live = jobs.arrays.iter().flat_map(|array| {
                self.live(array.job).filter_map(|it| Some((array.first + it.task?, array.job)))
            });
            let live: BTreeMap<usize, u64> = live.collect();
            if live.is_empty() {
                continue;
            }
            for row in submission.given()? {
                if let Some(job) = live.get(&row.task) {
                    trials.insert(row.digest, *job);
                }
            }
        }
        Ok(trials)
    }

    /// A line for each job that may still do something, and for the last ones.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (place, submission) in self.submissions.iter().enumerate() {
            let jobs = submission.jobs();
            let is_last = place + 1 == self.submissions.len();
            for array in &jobs.arrays {
                if is_last || self.live(array.job).next().is_some() {
                    let tasks = if array.tasks == 1 { "task" } else { "tasks" };
                    let states = self.states(array.job);
                    lines.push(format!("job {}: {} {tasks}: {states}", array.job, array.tasks));
                }
            }
            if let Some(job) = jobs.collect
                && (is_last || self.live(job).next().is_some())
            {
                lines.push(format!("job {job}: collects: {}", self.states(job)));
            }
        }
        lines
    }

    /// As "2 running on n1, n2; 3 pending (Resources)".
    fn states(&self, job: u64) -> String {
        let mut states: BTreeMap<&str, (usize, BTreeSet<&str>)> = BTreeMap::new();
        for queued in self.queue.iter().filter(|queued| queued.job == job) {
            let (count, notes) = states.entry(&queued.state).or_default();
            *count += 1;
            notes.insert(if queued.node.is_empty() { &queued.reason } else { &queued.node });
        }
        if states.is_empty() {
            return "over".to_owned();
        }
        let words = states.iter().map(|(state, (count, notes))| {
            let notes: Vec<&str> = notes.iter().copied().filter(|note| !note.is_empty()).collect();
            let word = state.to_lowercase().replace('_', " ");
            match (notes.is_empty(), *state) {
                (true, _) => format!("{count} {word}"),
                (false, "PENDING") => format!("{count} {word} ({})", notes.join(", ")),
                (false, _) => format!("{count} {word} on {}", notes.join(", ")),
            }
        });
        words.collect::<Vec<_>>().join("; ")
    }

    /// Jobs that are over and of which no task has left a log: their nodes see another folder.
    pub fn without_trace(&self) -> Vec<u64> {
        let arrays = self.submissions.iter().flat_map(|submission| {
            let arrays = submission.jobs().arrays;
            arrays.into_iter().map(move |array| (submission, array))
        });
        arrays
            .filter(|(submission, array)| {
                // One that was cancelled in the queue has never been on a node.
                let was_on_a_node = |it: &&Queued| it.job == array.job && !it.node.is_empty();
                self.live(array.job).next().is_none()
                    && self.queue.iter().any(|it| was_on_a_node(&it))
                    && !submission.has_log(array)
            })
            .map(|(_, array)| array.job)
            .collect()
    }
}
