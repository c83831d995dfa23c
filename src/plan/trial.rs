//! One of the trials of an experiment.

use std::sync::Arc;

use super::Plan;

/// A plan and its place in the sweep.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Counted from 1.
    pub number: usize,
    /// Identity of the plan.
    pub digest: String,
    /// Index of the combination without seed and fold: trials that differ only in these share it.
    pub setting: usize,
    /// The round of suggestions in which a search came up with it, from 0; 0 without a search.
    pub round: usize,
    /// The swept values as text, one for each axis of the experiment.
    pub settings: Arc<[String]>,
    /// What will run.
    pub plan: Plan,
}
