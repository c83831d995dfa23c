//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::layering::Request;

/// Declarative, reproducible experiments with convolutional networks.
#[derive(Debug, Parser)]
#[command(name = "wick", version, about, max_term_width = 100)]
#[command(after_help = "\
Exit codes: 0 all done, 2 the file or the command line is wrong, 3 some trial failed (the rest ran),
130 interrupted (run again to resume), 1 anything else.")]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run what is missing, resume what is unfinished, skip what is done; then rank
    #[command(after_help = "\
Examples:
  wick run experiments/quickstart.toml
  wick run experiments/quickstart.toml --set train.epochs=1 --workers 1
  wick run experiments/plain-cnn.toml --set data.source.folder=signs")]
    Run(Run),
    /// Check an experiment: errors, layers with shapes and costs, trials, what is done already
    #[command(after_help = "\
Example:
  wick check experiments/quickstart.toml")]
    Check(Check),
    /// List the built-in networks, or print one as TOML, to copy and change
    #[command(after_help = "\
Examples:
  wick presets
  wick presets resnet18 > experiments/my-resnet.toml")]
    Presets(Presets),
    /// Measure training steps of a preset on random images, for comparisons of speed
    #[command(hide = true)]
    BenchStep(BenchStep),
}

#[derive(Debug, Args)]
pub(super) struct Presets {
    /// The preset to print
    pub(super) name: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct BenchStep {
    /// The preset
    pub(super) network: String,
    /// Images in a batch
    #[arg(long, value_name = "B", default_value_t = 64)]
    pub(super) batch: usize,
    /// Steps to measure, after one that is not
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(super) steps: usize,
    /// Threads
    #[arg(long, value_name = "T", default_value_t = 1)]
    pub(super) threads: usize,
    /// Height and width of images
    #[arg(long, value_name = "PIXELS", default_value_t = 32)]
    pub(super) image_size: usize,
    /// Measure evaluation instead of training
    #[arg(long)]
    pub(super) forward: bool,
    /// Set a value of the preset, by its dotted path; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(super) sets: Vec<String>,
}

/// The experiment and what is laid over it.
#[derive(Debug, Args)]
pub(super) struct Written {
    /// The experiment file
    file: PathBuf,
    /// Set a value of the file, by its dotted path; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Lay the table [profile.NAME] of the file over it
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// The folder that results are under
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub(super) results: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Run {
    #[command(flatten)]
    pub(super) written: Written,
    /// Trials at once [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) workers: Option<u16>,
    /// Threads of a trial [default: the cores that are left over]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) threads: Option<u16>,
}

#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    pub(super) written: Written,
    /// The trial whose network is shown
    #[arg(long, value_name = "N")]
    pub(super) trial: Option<usize>,
}

impl Written {
    /// The layers to load.
    pub(super) fn request(&self) -> Request {
        Request {
            file: self.file.clone(),
            profile: self.profile.clone(),
            environment: std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
            sets: self.sets.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Arguments::command().debug_assert();
    }
}
