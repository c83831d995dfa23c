//! What people look at: answers and pages, the ranking, the layer table, progress.

pub mod advice;
pub mod answers;
pub mod augmented;
pub mod charts;
pub mod compare;
pub mod confusion;
pub mod curves;
pub mod exports;
pub mod folder;
mod grid;
pub mod html;
pub mod layers;
pub mod machines;
pub mod naming;
pub mod printed;
pub mod progress;
pub mod ranking;
pub mod sheet;
pub mod statistics;
pub mod transfer;
