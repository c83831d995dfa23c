//! candlewick: declarative, reproducible experiments with convolutional networks, on candle.
//!
//! A TOML file says what to compare; `wick run FILE` works out every trial, trains them side by side
//! and leaves CSV tables, checkpoints and a ranking that anyone can reproduce. The modules are the
//! storeys of a house, lowest first; each uses only those above it in this list.

pub use candlewick_basis as basis;

pub use candlewick_augment as augment;
pub use candlewick_looks as looks;
pub use candlewick_measures as measures;
pub use candlewick_weights as weights;
pub mod charts;
pub mod document;

pub mod config;

pub mod plan;

pub use candlewick_kernels as kernels;

pub mod data;
pub mod results;

pub mod model;

pub mod look;
pub mod transfer;

pub mod train;

pub mod sweep;

pub mod analysis;
pub mod progress;

pub mod export;
pub mod report;
pub mod terminal;

pub mod watch;

pub mod cli;
