//! What will run: everything resolved, checked and counted before a tensor exists.

pub mod architecture;
pub mod augment;
pub mod data;
pub mod distill;
pub mod fusion;
pub mod launcher;
mod layer;
pub mod memory;
pub mod model;
pub mod network;
pub mod parameters;
#[expect(clippy::module_inception, reason = "the file is named after the noun it holds")]
mod plan;
pub mod prune;
pub mod resolve;
pub mod run;
mod section;
pub mod segments;
pub mod stage;
pub mod strategy;
pub mod survey;
pub mod sweep;
mod task;
pub mod train;
pub mod transfer;
mod trial;
mod weights;
pub mod work;

pub use self::plan::Plan;
