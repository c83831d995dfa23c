//! Files that are there as a whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::basis::regular;

use super::holder;

/// What went wrong with a file.
#[derive(Debug, thiserror::Error)]
#[error("failed to {action} {}: {cause}", path.display())]
pub struct StoreError {
    action: &'static str,
    path: PathBuf,
    cause: io::Error,
}

impl StoreError {
    /// Why, without the file.
    pub fn cause(&self) -> &io::Error {
        &self.cause
    }

    /// The same once more: what the system said has no copy.
    pub fn again(&self) -> StoreError {
        let cause = io::Error::new(self.cause.kind(), self.cause.to_string());
        StoreError { action: self.action, path: self.path.clone(), cause }
    }

    /// Whether another process has taken the trial: this one has nothing more to do with it.
    pub fn is_taken_over(&self) -> bool {
        self.cause.get_ref().is_some_and(|cause| cause.is::<holder::TakenOver>())
    }
}

pub(in crate::sweep) fn trouble(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |cause| StoreError { action, path, cause }
}

/// Writes a file so that it is there as a whole or not at all.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    write_as(path, bytes, Lasting::Power)
}

/// What a file outlives as soon as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting {
    /// The death of the process. After a loss of power it may be torn, which its hash tells.
    Process,
    /// A loss of power: the disk has it, which takes some milliseconds.
    Power,
}

/// Where `path` is written before it is whole. A name of its own for each writer: two may write the
/// same file.
pub(super) fn beside(path: &Path) -> PathBuf {
    static WRITES: AtomicU64 = AtomicU64::new(0);
    let mut beside = path.as_os_str().to_owned();
    let number = WRITES.fetch_add(1, Ordering::Relaxed);
    beside.push(format!(".{}-{number}{UNFINISHED}", holder::name()));
    PathBuf::from(beside)
}

pub(super) fn write_as(path: &Path, bytes: &[u8], lasting: Lasting) -> Result<(), StoreError> {
    place(path, bytes, lasting)?;
    match lasting {
        Lasting::Process => Ok(()),
        Lasting::Power => sync_folder(path).map_err(trouble("sync the folder of", path)),
    }
}

/// Writes a file that has its place when the disk has its [folder](sync_folder).
pub(super) fn place(path: &Path, bytes: &[u8], lasting: Lasting) -> Result<(), StoreError> {
    let beside = beside(path);
    let write = || {
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        if lasting == Lasting::Power {
            file.sync_data()?;
        }
        match fs::rename(&beside, path) {
            // Over a network the answer to the first request may be lost, and the second finds that
            // it was done.
            Err(error) if error.kind() == io::ErrorKind::NotFound => match regular::read(path) {
                Ok(there) if there == bytes => Ok(()),
                _ => Err(error),
            },
            renamed => renamed,
        }
    };
    write().map_err(|cause| {
        // What is left of it would only take room on a disk that may be full.
        let _ = fs::remove_file(&beside);
        StoreError { action: "write", path: path.to_owned(), cause }
    })
}

/// Has the disk take that the file at `path` is in its folder under this name: without that, a loss of power may
/// bring back what was there before, or nothing.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
        None => return Ok(()),
    };
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // Some systems and file systems have no such thing.
        Err(error)
            if cfg!(not(unix))
                || matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
                ) =>
        {
            Ok(())
        }
        synced => synced,
    }
}

/// Removes files from `folder` that were never finished. Nobody else may write there.
pub(super) fn remove_unfinished(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(UNFINISHED)) {
        // They only take room; if they cannot be removed, nothing else is wrong.
        let _ = fs::remove_file(entry.path());
    }
}

/// The ending of the names under which files are written before they are whole.
pub const UNFINISHED: &str = ".new";
