//! From trials to outcomes: what is stored, what is still to be done, and who does it.

pub mod advice;
pub mod advised;
mod board;
pub mod changed;
pub mod clock;
pub mod cost;
pub mod counts;
pub mod earlier;
pub mod environment;
mod fault;
pub mod memory;
pub mod mount;
pub mod notes;
pub mod platform;
mod predictions;
pub mod recorder;
pub mod repro;
pub mod runner;
pub mod slots;
pub mod slurm;
pub mod standing;
pub mod store;
pub mod survey;
pub mod tables;
pub mod trial;
pub mod verify;
pub mod work;
