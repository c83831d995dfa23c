//! Files of the results folder that are written as a whole, with their hashes in `hashes.toml`.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::basis::regular;
use crate::results::hashes::{Hashes, Stored};
use crate::results::layout::HASHES;

use super::file::{Lasting, place, sync_folder, write_whole};
use super::{Store, StoreError, trouble};

/// Held by the process that writes such files: each reads the hashes before it writes them.
pub const LOCK: &str = "hashes.lock";

impl Store {
    /// Writes files, each with its name, and before them their hashes.
    pub fn write_hashed(&self, files: &[(&str, &[u8])]) -> Result<(), StoreError> {
        let path = |name: &str| self.root.join(name);
        let _lock = lock(&path(LOCK)).map_err(trouble("write", &path(LOCK)))?;
        let mut hashes = match Stored::read(&self.root) {
            Stored::Known(hashes) => hashes,
            Stored::Missing | Stored::Damaged => Hashes::default(),
        };
        let mut is_other = false;
        for (name, bytes) in files {
            is_other |= hashes.put(name, bytes);
        }
        if is_other || !path(HASHES).exists() {
            write_whole(&path(HASHES), hashes.to_text().as_bytes())?;
        }
        // What is there already the disk need not take again.
        let is_there =
            |name: &str, bytes: &[u8]| regular::read(&path(name)).is_ok_and(|it| it == bytes);
        let mut written = files.iter().filter(|(name, bytes)| !is_there(name, bytes)).peekable();
        if written.peek().is_none() {
            return Ok(());
        }
        for (name, bytes) in written {
            place(&path(name), bytes, Lasting::Power)?;
        }
        sync_folder(&path(HASHES)).map_err(trouble("sync", &self.root))
    }
}

/// Waits for the lock at `path`; none where the file system has no locks.
fn lock(path: &Path) -> io::Result<Option<File>> {
    let options = &mut File::options();
    let file = regular::open_as(path, options.write(true).create(true).truncate(false))?;
    match file.lock() {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(None),
        locked => locked.map(|()| Some(file)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::results::hashes::verified;

    #[test]
    fn whatever_is_written_can_be_verified_and_what_was_edited_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::of(folder.path());
        let write = |text: &str| store.write_hashed(&[("a.csv", text.as_bytes()), ("b.csv", b"b")]);
        write("one").unwrap();
        write("two").unwrap();
        fs::write(folder.path().join("a.csv"), "edited").unwrap();
        assert!(verified(folder.path(), "a.csv").is_err());
        write("two").unwrap();
        assert_eq!(verified(folder.path(), "a.csv").unwrap().unwrap(), b"two");
        fs::write(folder.path().join(HASHES), "damaged").unwrap();
        write("two").unwrap();
        assert!(matches!(Stored::read(folder.path()), Stored::Known(_)));
    }
}
