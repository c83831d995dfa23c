//! Results for the tools that people have: TensorBoard, MLflow, and anything that reads tables.
//!
//! These tools want times of day. A results folder knows none, so time begins at 0 (1970) in every trial and
//! goes on as `timings.csv` says: durations are true, dates are not, and the same folder gives the same bytes.

mod long;
mod mlflow;
mod names;
mod parquet;
mod runs;
mod tensorboard;
mod typed;

use std::io;
use std::path::{Path, PathBuf};

use crate::results::table::TableError;

pub use long::{Ending, long};
pub use mlflow::mlflow;
pub use tensorboard::tensorboard;

/// Why nothing is exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The tables of the results folder.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A file or a folder that cannot be written.
    #[error("failed to write {}: {cause}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// There is something else where the export belongs.
    #[error(
        "{} is not part of this export, and {tool} would show it beside its runs: name a new folder, or remove it",
        path.display()
    )]
    Foreign {
        /// What there is.
        path: PathBuf,
        /// Who would show it.
        tool: &'static str,
    },
}

/// What went wrong with `path`.
fn failed(path: &Path) -> impl FnOnce(io::Error) -> ExportError {
    let path = path.to_owned();
    move |cause| ExportError::File { path, cause }
}

/// Writes a file into a folder that may not be there yet.
fn write(path: &Path, bytes: &[u8]) -> Result<(), ExportError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed(folder))?;
    }
    // Not made to outlive a loss of power: it can be written again, and there may be thousands.
    std::fs::write(path, bytes).map_err(failed(path))
}
