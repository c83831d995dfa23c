//! How far a trial has got: what its row in the table, its folder and its lock say together.

use crate::basis::record::{Outcome, Status};
use crate::results::trials::Row;
use crate::sweep::store::is_final;

/// How a trial stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It trained to its end.
    Completed,
    /// It was stopped, since it fell behind.
    Pruned,
    /// It failed.
    Failed,
    /// A process works on it.
    Running,
    /// It has begun, and nobody works on it.
    Interrupted,
    /// It has not begun.
    ToRun,
}

impl State {
    /// All of them, in the order in which they are told.
    pub const ALL: [State; 6] = [
        State::Completed,
        State::Pruned,
        State::Failed,
        State::Running,
        State::Interrupted,
        State::ToRun,
    ];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            State::Completed => Status::Completed.name(),
            State::Pruned => Status::Pruned.name(),
            State::Failed => Status::Failed.name(),
            State::Running => "running",
            State::Interrupted => "interrupted",
            State::ToRun => "to run",
        }
    }

    /// Whether nothing more is to come, unless it is run again.
    pub fn has_ended(self) -> bool {
        matches!(self, State::Completed | State::Pruned | State::Failed)
    }

    /// That of the trial of `row`, and the reason for it, if there is one. `is_locked`: a process works on it. `outcome`
    /// is what its folder says of its end, `planned` how many epochs it is to be trained for, and `epochs` how many are
    /// finished.
    pub fn of(
        row: &Row,
        is_locked: bool,
        outcome: Option<&Outcome>,
        planned: Option<usize>,
        epochs: usize,
    ) -> (State, String) {
        let ends = |outcome: &&Outcome| {
            let is_final = planned.is_none_or(|epochs| is_final(outcome, epochs));
            outcome.status == Status::Failed || is_final
        };
        match outcome.filter(ends) {
            _ if is_locked => (State::Running, String::new()),
            _ if row.status == Status::Pruned.name() => (State::Pruned, row.reason.clone()),
            _ if row.is_completed() => (State::Completed, row.reason.clone()),
            Some(outcome) if outcome.status == Status::Failed => {
                (State::Failed, outcome.reason.clone())
            }
            Some(outcome) => (State::Completed, outcome.reason.clone()),
            None if epochs == 0 => (State::ToRun, String::new()),
            None => (State::Interrupted, String::new()),
        }
    }
}
