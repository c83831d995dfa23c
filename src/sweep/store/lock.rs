//! A trial belongs to one process at a time. The lock is the system's: it ends with the process,
//! however that ends.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use crate::basis::regular;

/// The right to work on a trial, until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock at `path`; none if another process holds it.
    pub(in crate::sweep) fn take(path: &Path) -> io::Result<Option<Lock>> {
        let options = &mut File::options();
        let file = regular::open_as(path, options.write(true).create(true).truncate(false))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// Whether somebody holds the lock at `path`.
pub(super) fn is_held(path: &Path) -> bool {
    regular::open(path)
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_has_one_holder_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        assert!(!is_held(&path));
        let lock = Lock::take(&path).unwrap().unwrap();
        assert!(Lock::take(&path).unwrap().is_none());
        assert!(is_held(&path));
        drop(lock);
        assert!(!is_held(&path));
        assert!(Lock::take(&path).unwrap().is_some());
    }
}
