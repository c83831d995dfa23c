//! Files that are read back: regular ones alone. A FIFO in the place of a file would keep its reader waiting for ever,
//! and a device such as `/dev/zero` would never end.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// Opens the file at `path` to read it.
///
/// # Errors
/// Those of the system, and if it is not a regular file.
pub fn open(path: &Path) -> io::Result<File> {
    open_as(path, File::options().read(true))
}

/// Opens the file at `path` as `options` say.
///
/// # Errors
/// Those of the system, and if it is not a regular file.
pub fn open_as(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    // Opening a FIFO would wait for its other end. To a regular file the flag means nothing.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, libc::O_NONBLOCK);
    let not_regular = || io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file");
    match options.open(path) {
        Ok(file) if file.metadata()?.is_file() => Ok(file),
        Ok(_) => Err(not_regular()),
        // A FIFO that nobody reads cannot be opened to write.
        Err(_) if path.metadata().is_ok_and(|metadata| !metadata.is_file()) => Err(not_regular()),
        Err(error) => Err(error),
    }
}

/// The bytes of the file at `path`.
///
/// # Errors
/// As for [`open`].
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = open(path)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let mut bytes = Vec::new();
    // A few bytes on the disk can claim any length.
    bytes.try_reserve_exact(length).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The text of the file at `path`.
///
/// # Errors
/// As for [`open`], and if it is no UTF-8.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    io::read_to_string(open(path)?)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_regular_file_is_read_and_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "a,b\n").unwrap();
        assert_eq!(read(&path).unwrap(), b"a,b\n");
        assert_eq!(read_to_string(&path).unwrap(), "a,b\n");
        assert!(open_as(&path, File::options().append(true)).is_ok());
        let missing = open(&folder.path().join("b.csv")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_file_that_claims_more_bytes_than_there_is_memory_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sparse");
        let file = File::create(&path).unwrap();
        // Not every file system has such long files.
        if file.set_len(i64::MAX as u64 - 4096).is_ok() {
            assert_eq!(read(&path).unwrap_err().kind(), io::ErrorKind::OutOfMemory);
        }
    }

    #[test]
    fn a_fifo_a_device_and_a_folder_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        let name = std::ffi::CString::new(fifo.to_str().unwrap()).unwrap();
        // SAFETY: `name` ends with a zero byte.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        for path in [fifo.as_path(), Path::new("/dev/zero"), folder.path()] {
            assert_eq!(read(path).unwrap_err().to_string(), "it is not a regular file", "{path:?}");
            let written = open_as(path, File::options().write(true)).unwrap_err();
            assert_eq!(written.to_string(), "it is not a regular file", "{path:?}");
        }
    }
}
