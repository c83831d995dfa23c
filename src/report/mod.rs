//! What people look at: CSV tables, the ranking, the layer table, progress.

pub mod advice;
pub mod confusion;
pub mod environment;
pub mod folder;
mod grid;
pub mod layers;
pub mod progress;
pub mod ranking;
pub mod sheet;
pub mod tables;
pub mod transfer;
