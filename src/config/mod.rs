//! What was written: the experiment file with everything laid over and under it, and errors that
//! say where.

pub mod data;
pub mod layering;
pub mod model;
pub mod path;
pub mod problem;
pub mod read;
pub mod suggest;
pub mod sweep;
pub mod train;
pub mod tree;
