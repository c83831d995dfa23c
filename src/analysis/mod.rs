//! What a results folder answers, in numbers: read from its tables, shown by others.

mod answers;
pub mod cases;
pub mod cost;
pub mod curves;
pub mod effects;
mod factor;
mod folder;
pub mod importance;
pub mod label_predictions;
pub mod machines;
mod measure;
pub mod predictions;
pub mod scores;
mod sets;
mod setting;
mod state;
pub mod statistics;
mod tables;
mod trust;

pub use answers::Answers;
pub use factor::{Factor, Kind, Level};
pub use folder::{Folder, Superfluous};
pub use measure::Measure;
pub use setting::{Setting, Verdict};
pub use state::State;
pub use tables::Trial;
