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
    /// The results folder of an experiment; the command waits until it exists
    #[arg(value_name = "DIR")]
    pub(in crate::cli) folder: PathBuf,
    /// The address of the page; port 0 is any free port. Only with 127.0.0.1 can no other machine connect
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
    /// The metric for the comparison: train_, val_ or test_ and a score [default: the metric that
    /// chose the best epochs]
    #[arg(long, value_name = "METRIC")]
    pub(in crate::cli) metric: Option<Measure>,
    /// The format of tables on standard output
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Terminal)]
    pub(in crate::cli) format: Format,
    /// Print only this table [default: all; in CSV the ranking]
    #[arg(long, value_enum, value_name = "TABLE")]
    pub(in crate::cli) table: Option<Table>,
    /// The file for the page [default: report.html in DIR, with the terminal's format]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) html: Option<PathBuf>,
    /// Write every chart as a file into a folder
    #[arg(long, value_name = "FOLDER")]
    pub(in crate::cli) plots: Option<PathBuf>,
    /// The format of charts
    #[arg(long, value_enum, value_name = "FORMAT", requires = "plots", default_value_t = PlotFormat::Svg)]
    pub(in crate::cli) plot_format: PlotFormat,
    /// Pixels per inch of PNG charts [default: 300]
    #[arg(long, value_name = "N", requires = "plots", value_parser = clap::value_parser!(u16).range(72..=1200))]
    pub(in crate::cli) dpi: Option<u16>,
    /// Write the trials as runs of TensorBoard into a folder, with scalars and hyperparameters
    #[arg(long, value_name = "FOLDER")]
    pub(in crate::cli) tensorboard: Option<PathBuf>,
    /// Write the trials as runs of MLflow into a folder (file store)
    #[arg(long, value_name = "FOLDER")]
    pub(in crate::cli) mlflow: Option<PathBuf>,
    /// Write every value of every epoch as a row of a .csv or .parquet file
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
    /// The metric to draw: train_loss, train_accuracy, val_loss or val_accuracy [default: loss and
    /// accuracy on validation images, or on training images if there are no others]
    #[arg(long, value_name = "METRIC")]
    pub(in crate::cli) metric: Option<Measure>,
    /// The number of best settings to draw
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
    /// The metric for the comparison: train_, val_ or test_ and a score [default: the metric that chose
    /// the best epochs of the first experiment]
    #[arg(long, value_name = "METRIC")]
    pub(in crate::cli) metric: Option<Measure>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Clean {
    /// The results folder of an experiment
    #[arg(value_name = "DIR")]
    pub(in crate::cli) folder: PathBuf,
    /// Delete the listed files, except trials with results
    #[arg(long)]
    pub(in crate::cli) yes: bool,
    /// With --yes, also delete trials with results: of earlier versions of the experiment, or of an
    /// experiment that was replaced
    #[arg(long, requires = "yes")]
    pub(in crate::cli) earlier: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Verify {
    /// The results folder of an experiment
    #[arg(value_name = "DIR")]
    pub(in crate::cli) folder: PathBuf,

    /// Write DIR/manifest.b3sum with the hash of each file, for signing
    #[arg(long)]
    pub(in crate::cli) manifest: bool,

    /// Also check the signature of the manifest with this minisign key, and compare all files with it
    #[arg(long, value_name = "KEY", conflicts_with = "manifest")]
    pub(in crate::cli) signed_by: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Repro {
    /// The results folder of an experiment
    #[arg(value_name = "DIR")]
    pub(in crate::cli) folder: PathBuf,
    /// Numbers or digests of trials [default: all finished trials]
    #[arg(value_name = "TRIAL")]
    pub(in crate::cli) trials: Vec<String>,
    /// Train only this number of trials, chosen by their digests
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) sample: Option<u16>,
    /// Threads [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) threads: Option<u16>,
}
