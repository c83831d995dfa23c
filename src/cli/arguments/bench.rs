//! Arguments of the commands that measure.

use std::path::PathBuf;

use clap::Args;

use crate::basis::device::Device;

#[derive(Debug, Args)]
pub(in crate::cli) struct BenchStep {
    /// The preset
    pub(in crate::cli) network: String,
    /// Images in a batch
    #[arg(long, value_name = "B", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) batch: u16,
    /// Steps to measure, after a first step that is not measured
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) steps: u16,
    /// Print a line after each step until the process is killed, instead of measuring
    #[arg(long, conflicts_with = "steps")]
    pub(in crate::cli) endless: bool,
    /// Threads
    #[arg(long, value_name = "T", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) threads: u16,
    /// Height and width of images
    #[arg(long, value_name = "PIXELS", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) image_size: u16,
    /// The device: cpu; cuda:0, cuda:1, …, or metal, if the program was built for it
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub(in crate::cli) device: Device,
    /// Measure evaluation instead of training
    #[arg(long)]
    pub(in crate::cli) forward: bool,
    /// Train as with run.gradient-checkpointing = true
    #[arg(long, conflicts_with = "forward")]
    pub(in crate::cli) gradient_checkpointing: bool,
    /// Set a value of the preset, by its dotted path; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(in crate::cli) sets: Vec<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct BenchAugment {
    /// The chain, as in augment.train of an experiment file
    pub(in crate::cli) chain: String,
    /// Height and width of the image
    #[arg(long, value_name = "PIXELS", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) image_size: u16,
    /// How long to measure
    #[arg(long, value_name = "SECONDS", default_value_t = 0.5)]
    pub(in crate::cli) seconds: f64,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct BenchDecode {
    /// Image files
    #[arg(required = true)]
    pub(in crate::cli) files: Vec<PathBuf>,
    /// Height and width of the resized images
    #[arg(long, value_name = "PIXELS", default_value_t = 224, value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) image_size: u16,
    /// Threads
    #[arg(long, value_name = "T", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) threads: u16,
}
