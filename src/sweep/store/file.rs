//! Files that are there as a whole or not at all, and files that rows are added to.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

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
            Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::read(path) {
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

/// Adds rows at the end, below a header if there is nothing yet. `end` is where this process has
/// written to last, if it has: rows behind it are another one's. It is moved on.
pub(super) fn append<R: Serialize>(
    path: &Path,
    end: &mut Option<u64>,
    rows: impl IntoIterator<Item = R>,
    lasting: Lasting,
) -> io::Result<()> {
    let mut file = File::options().create(true).write(true).truncate(false).open(path)?;
    let there = file.metadata()?.len();
    if end.is_some_and(|end| end != there) {
        return Err(io::Error::other(holder::TakenOver("one that wrote here".to_owned())));
    }
    file.seek(SeekFrom::Start(there))?;
    let mut writer = csv::WriterBuilder::new().has_headers(there == 0).from_writer(Vec::new());
    for row in rows {
        writer.serialize(row)?;
    }
    let rows = writer.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
    file.write_all(&rows)?;
    *end = Some(there + rows.len() as u64);
    if lasting == Lasting::Power { file.sync_data() } else { Ok(()) }
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
