//! Arguments of commands that look at an experiment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};

use crate::config::layering::Request;
use crate::sweep::advice::BUDGET;

#[derive(Debug, Args)]
pub(in crate::cli) struct New {
    /// A folder with one folder of images per class, or with such folders in train, val and test
    #[arg(value_name = "FOLDER")]
    pub(in crate::cli) folder: PathBuf,
    /// The file to write [default: the folder's name with .toml, in the current folder]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) out: Option<PathBuf>,
}

/// The experiment and what is laid over it.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct Written {
    /// The experiment file
    file: PathBuf,
    /// Set a value of the file, by its dotted path; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Apply the table [profile.NAME] of the file
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// The folder for all results
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub(in crate::cli) results: PathBuf,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("goal").required(true).args(["out", "export"])))]
pub(in crate::cli) struct Augment {
    #[command(flatten)]
    pub(in crate::cli) written: Written,
    /// Write a contact sheet: originals on the left, augmented variants with their parameters
    #[arg(long, value_name = "PNG")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// Write augmented images into one folder per class, with a table of labels and boxes
    #[arg(long, value_name = "FOLDER")]
    pub(in crate::cli) export: Option<PathBuf>,
    /// The number of images, spread over the classes [default: 6 on a sheet, all in an export]
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(in crate::cli) images: Option<usize>,
    /// Variants per image: those of the first M epochs [default: 5 on a sheet, 1 in an export]
    #[arg(long, value_name = "M", value_parser = positive)]
    pub(in crate::cli) variants: Option<usize>,
    /// Draw boxes
    #[arg(long, conflicts_with = "export")]
    pub(in crate::cli) boxes: bool,
    /// Show one transform across its range: its name in the chain, or its TOML
    #[arg(long, value_name = "TRANSFORM", conflicts_with = "export")]
    pub(in crate::cli) transform: Option<String>,
    /// The trial whose chain is used [default: 1]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) trial: Option<usize>,
}

fn positive(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=1_000_000).contains(number));
    number.ok_or_else(|| "a whole number from 1 to 1,000,000".to_owned())
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Advise {
    #[command(flatten)]
    pub(in crate::cli) written: Written,
    /// Write the advised strategy as an experiment
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) write: Option<PathBuf>,
    /// The work limit, as a fraction of the work of the four cases with five seeds
    #[arg(long, value_name = "SHARE", default_value_t = BUDGET, value_parser = share)]
    pub(in crate::cli) budget: f64,
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=100.0).contains(share));
    share.ok_or_else(|| "a part from 0 to 100, such as 0.25".to_owned())
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Check {
    #[command(flatten)]
    pub(in crate::cli) written: Written,
    /// The trial whose network is shown
    #[arg(long, value_name = "N")]
    pub(in crate::cli) trial: Option<usize>,
    /// Also read all images of the trial: parts by class, bad images, copies across parts and classes
    #[arg(long)]
    pub(in crate::cli) data: bool,
}

impl Written {
    /// Sets more values of the file.
    pub(super) fn with(mut self, sets: impl IntoIterator<Item = String>) -> Written {
        self.sets.extend(sets);
        self
    }

    /// The layers to load.
    pub(in crate::cli) fn request(&self) -> Request {
        Request { profile: self.profile.clone(), ..request(&self.file, &self.sets) }
    }
}

/// The layers of the experiment `file` with `sets`, without a profile.
pub(in crate::cli) fn request(file: &Path, sets: &[String]) -> Request {
    let text = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    Request {
        file: file.to_owned(),
        profile: None,
        environment: std::env::vars_os().filter_map(text).collect(),
        sets: sets.to_vec(),
    }
}
