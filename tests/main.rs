//! The integration tests, one binary.

mod bad_configs;
mod floors;
mod sweeps;
mod training;
