//! The results folder of an experiment: the names of what is in it, and its tables, each with its columns, its
//! writer and its reader in one file.

pub mod decisions;
pub mod folders;
pub mod hashes;
pub mod label_tables;
pub mod layout;
pub mod manifest;
pub mod metrics;
pub mod scores;
pub mod seal;
pub mod table;
pub mod timings;
pub mod trials;
