//! Progress of a run: bars on a terminal, lines in a pipe, events for scripts, or nothing.

mod bars;
mod eta;
mod fit;
mod json;
mod lines;
mod situation;
mod sparkline;
#[cfg(test)]
mod synthetic;
mod view;

pub use view::{Progress, View};
