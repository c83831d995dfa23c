//! Training: the loop, optimisers, schedules and metrics. It speaks in events, prints nothing and
//! opens no file.

mod ahead;
mod average;
pub mod card;
pub mod checkpoint;
mod inputs;
pub mod learner;
pub mod metrics;
pub mod optimizer;
pub mod said;
pub mod schedule;
mod shrink;
pub mod steps;
pub mod stopping;
pub mod teacher;
pub mod trainer;
