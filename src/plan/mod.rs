//! What will run: everything resolved, checked and counted before a tensor exists.

pub mod data;
