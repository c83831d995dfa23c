//! The integration tests, one binary.

mod architectures;
mod augment;
mod bad_configs;
mod bench;
mod bench_step;
mod check;
mod data_copies;
mod data_fit;
mod data_images;
mod data_read;
mod data_sampling;
mod data_sources;
mod devices;
mod export;
mod exports;
#[cfg(unix)]
mod fire;
mod floors;
mod folder;
mod guide;
mod held;
#[cfg(unix)]
mod launching;
mod look;
mod multi_label;
mod mutations;
mod new;
#[cfg(unix)]
mod output;
mod predict;
mod presets;
mod recipes;
mod reference;
mod report;
mod report_sections;
mod schema;
mod stages;
mod sweeps;
mod synthetic;
mod trained;
mod training;
mod transfer;
mod trust;
mod unchanged;
#[cfg(unix)]
mod watch;
