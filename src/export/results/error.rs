//! Why results are not exported, and the writing of their files.

use std::io;
use std::path::{Path, PathBuf};

use crate::results::table::TableError;

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
        "{} is not part of this export, but {tool} would show it too: use a new folder, or remove it",
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
pub(super) fn failed(path: &Path) -> impl FnOnce(io::Error) -> ExportError {
    let path = path.to_owned();
    move |cause| ExportError::File { path, cause }
}

/// Writes a file into a folder that may not be there yet.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), ExportError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed(folder))?;
    }
    // Not made to outlive a loss of power: it can be written again, and there may be thousands.
    std::fs::write(path, bytes).map_err(failed(path))
}
