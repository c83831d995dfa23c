//! The integration tests, one binary.

mod bad_configs;
mod floors;
mod reference;
mod sweeps;
mod training;
