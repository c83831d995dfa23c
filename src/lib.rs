//! candlewick: declarative, reproducible experiments with convolutional networks, on candle.
//!
//! A TOML file says what to compare; `wick run FILE` works out every trial, trains them side by side
//! and leaves CSV tables, checkpoints and a ranking that anyone can reproduce. The modules are the
//! storeys of a house, lowest first; each uses only those above it in this list.

pub mod basis;

pub mod augment;

pub mod config;

pub mod plan;

pub mod data;
pub mod kernels;
pub mod weights;

pub mod model;

pub mod transfer;

pub mod train;

pub mod export;
pub mod sweep;

pub mod report;

pub mod cli;

// As in the program: what depends on where blocks of memory start is tested too.
#[cfg(test)]
#[global_allocator]
static ALLOCATOR: basis::memory::Allocator = basis::memory::Allocator;
