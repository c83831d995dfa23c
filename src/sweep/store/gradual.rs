//! A file that is written piece by piece, and that is there as a whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::file::{beside, sync_folder};
use super::{StoreError, trouble};

/// A file under way: it lies beside its place until it is finished. One that is not is removed.
pub struct Gradual {
    path: PathBuf,
    beside: PathBuf,
    file: BufWriter<File>,
}

impl Gradual {
    /// A file that will be at `path`.
    pub fn new(path: &Path) -> Result<Gradual, StoreError> {
        let beside = beside(path);
        let file = File::create(&beside).map_err(trouble("write", path))?;
        Ok(Gradual { path: path.to_owned(), beside, file: BufWriter::new(file) })
    }

    /// Puts it in its place.
    pub fn finish(mut self) -> Result<(), StoreError> {
        let mut finish = || {
            self.file.flush()?;
            self.file.get_ref().sync_data()?;
            fs::rename(&self.beside, &self.path)?;
            sync_folder(&self.path)
        };
        finish().map_err(trouble("write", &self.path))
    }
}

impl Write for Gradual {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Gradual {
    fn drop(&mut self) {
        // Once it is in its place there is nothing here; else it would only take room.
        let _ = fs::remove_file(&self.beside);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_when_it_is_finished_and_nothing_is_left_of_one_that_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        fs::write(&path, "old").unwrap();
        let files = || fs::read_dir(folder.path()).unwrap().count();
        let mut file = Gradual::new(&path).unwrap();
        file.write_all(b"half").unwrap();
        assert_eq!(files(), 2);
        drop(file);
        assert_eq!((files(), fs::read_to_string(&path).unwrap()), (1, "old".to_owned()));
        let mut file = Gradual::new(&path).unwrap();
        file.write_all(b"whole").unwrap();
        file.finish().unwrap();
        assert_eq!((files(), fs::read_to_string(&path).unwrap()), (1, "whole".to_owned()));
        assert!(Gradual::new(&folder.path().join("nowhere/table.csv")).is_err());
    }
}
