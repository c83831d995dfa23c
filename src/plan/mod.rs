//! What will run: everything resolved, checked and counted before a tensor exists.

pub mod architecture;
pub mod augment;
pub mod data;
pub mod fusion;
pub mod launcher;
mod layer;
pub mod memory;
pub mod model;
pub mod parameters;
pub mod prune;
pub mod resolve;
pub mod run;
mod summary;
pub mod sweep;
pub mod train;
pub mod transfer;
