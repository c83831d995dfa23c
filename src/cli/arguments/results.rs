//! Arguments of commands that look at results.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::analysis::Measure;
use crate::charts::PlotFormat;
use crate::export::results::Ending;
use crate::terminal::printed::{Format, Table};

#[derive(Debug, Args)]
pub(in crate::cli) struct Status {
    /// The results folder of an experiment
    #[arg(value_name = "DIR")]
    pub(in crate::cli) folder: PathBuf,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Watch {
    /// The results folder of an experiment; one that is not there yet is waited for
    #[arg(value_name = "DIR")]
    pub(in crate::cli) folder: PathBuf,
    /// Where the page can be asked for; port 0 is any that is free. Beside 127.0.0.1, other machines can ask too
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8642", value_parser = address)]
    pub(in crate::cli) address: SocketAddr,
}

/// An address to listen on.
fn address(text: &str) -> Result<SocketAddr, String> {
    let local = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    let expected =
        "expected the IP address of this machine and a port, such as 127.0.0.1:8642 or [::1]:0";
    local.as_deref().unwrap_or(text).parse().map_err(|_| expected.to_owned())
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Report {
    /// The results folder of an experiment
    #[arg(value_name = "DIR")]
    pub(in crate::cli) folder: PathBuf,
    /// What settings are compared by: train_, val_ or test_ and a score [default: the metric that
    /// chose the best epochs]
    #[arg(long, value_name = "METRIC")]
    pub(in crate::cli) metric: Option<Measure>,
    /// How tables are written to standard output
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Terminal)]
    pub(in crate::cli) format: Format,
    /// One table alone [default: all; as CSV the ranking]
    #[arg(long, value_enum, value_name = "TABLE")]
    pub(in crate::cli) table: Option<Table>,
    /// Where the page is written [default: report.html in DIR, with the terminal's format]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) html: Option<PathBuf>,
    /// Write every chart as a file into a folder
    #[arg(long, value_name = "FOLDER")]
    pub(in crate::cli) plots: Option<PathBuf>,
    /// How charts are written
    #[arg(long, value_enum, value_name = "FORMAT", requires = "plots", default_value_t = PlotFormat::Svg)]
    pub(in crate::cli) plot_format: PlotFormat,
    /// Pixels per inch of PNG charts, which are as wide as a column of print [default: 300]
    #[arg(long, value_name = "N", requires = "plots", value_parser = clap::value_parser!(u16).range(72..=1200))]
    pub(in crate::cli) dpi: Option<u16>,
    /// Write every trial as a run of TensorBoard into a folder: scalars, and settings for its HParams tab
    #[arg(long, value_name = "FOLDER")]
    pub(in crate::cli) tensorboard: Option<PathBuf>,
    /// Write every trial as a run of MLflow into a folder as its file store lays them out
    #[arg(long, value_name = "FOLDER")]
    pub(in crate::cli) mlflow: Option<PathBuf>,
    /// Write every number of every epoch as a row of a table, .csv or .parquet
    #[arg(long, value_name = "FILE", value_parser = long_table)]
    pub(in crate::cli) long: Option<(PathBuf, Ending)>,
}

/// A file for the long form, by its ending.
fn long_table(text: &str) -> Result<(PathBuf, Ending), String> {
    let path = PathBuf::from(text);
    let ending = Ending::of(&path)?;
    Ok((path, ending))
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Curves {
    /// The results folder of an experiment
    #[arg(value_name = "DIR")]
    pub(in crate::cli) folder: PathBuf,
    /// What is drawn: train_loss, train_accuracy, val_loss or val_accuracy [default: loss and
    /// accuracy on validation images, or on training images where there are no others]
    #[arg(long, value_name = "METRIC")]
    pub(in crate::cli) metric: Option<Measure>,
    /// How many of the best settings are drawn
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=26))]
    pub(in crate::cli) settings: u16,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Compare {
    /// The results folders of experiments
    #[arg(value_name = "DIR", required = true)]
    pub(in crate::cli) folders: Vec<PathBuf>,
    /// Compare by the value of this setting, a dotted path, instead of by experiment
    #[arg(long, value_name = "KEY")]
    pub(in crate::cli) by: Option<String>,
    /// What is compared: train_, val_ or test_ and a score [default: the metric that chose the best
    /// epochs of the first experiment]
    #[arg(long, value_name = "METRIC")]
    pub(in crate::cli) metric: Option<Measure>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Clean {
    /// The results folder of an experiment
    #[arg(value_name = "DIR")]
    pub(in crate::cli) folder: PathBuf,
    /// Remove what is listed, but no trial that has results
    #[arg(long)]
    pub(in crate::cli) yes: bool,
    /// With --yes, remove trials with results too: those of earlier versions of the experiment, or of another one
    /// that has been replaced
    #[arg(long, requires = "yes")]
    pub(in crate::cli) earlier: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Verify {
    /// The results folder of an experiment
    #[arg(value_name = "DIR")]
    pub(in crate::cli) folder: PathBuf,

    /// Write DIR/manifest.b3sum with the hash of each file, to be signed
    #[arg(long)]
    pub(in crate::cli) manifest: bool,

    /// Also compare all files with the manifest, which the owner of this minisign key has signed
    #[arg(long, value_name = "KEY", conflicts_with = "manifest")]
    pub(in crate::cli) signed_by: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Repro {
    /// The results folder of an experiment
    #[arg(value_name = "DIR")]
    pub(in crate::cli) folder: PathBuf,
    /// Numbers or digests of trials [default: all that have ended]
    #[arg(value_name = "TRIAL")]
    pub(in crate::cli) trials: Vec<String>,
    /// Only so many of them, chosen by their digests
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) sample: Option<u16>,
    /// Threads [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) threads: Option<u16>,
}
