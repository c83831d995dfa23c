//! Weights that travel inside the program, written `bundled:NAME`; `data/bundled/README.md` says where
//! they are from.

use std::fs::File;
use std::io::{self, BufReader, Seek};
use std::path::{Path, PathBuf};

use crate::basis::regular;
use crate::weights::{Archive, BUNDLED, WeightsError, hub};

/// What the path of bundled weights begins with.
pub const SCHEME: &str = "bundled:";

/// The bundled file that `path` names; none if it is another path.
///
/// # Errors
/// If there are no bundled weights of that name.
pub fn find(path: &Path) -> Option<Result<&'static [u8], WeightsError>> {
    let name = path.to_str()?.strip_prefix(SCHEME)?;
    let found = BUNDLED.iter().find(|(other, _)| *other == name);
    Some(found.map(|(_, bytes)| *bytes).ok_or_else(|| WeightsError::Unreadable {
        path: path.to_owned(),
        reason: format!("the bundled weights are {}", BUNDLED.map(|(name, _)| name).join(", ")),
    }))
}

/// Weights that have been hashed, and are read from where the hash is of.
pub struct Hashed {
    /// blake3 of their file.
    pub hash: String,
    file: OpenFile,
}

/// What is open.
enum OpenFile {
    Bundled(String, &'static [u8]),
    Regular(PathBuf, File),
}

impl Hashed {
    /// Opens and hashes the weights at `path`, which may be bundled, on the Hub or in a file.
    ///
    /// # Errors
    /// As [`find`], and if the file cannot be read.
    pub fn open(path: &Path) -> Result<Hashed, WeightsError> {
        let mut hasher = blake3::Hasher::new();
        let file = match find(path) {
            Some(bytes) => {
                let bytes = bytes?;
                hasher.update(bytes);
                OpenFile::Bundled(path.display().to_string(), bytes)
            }
            None => {
                let path = hub::locate(path)?;
                let mut hash = || -> io::Result<File> {
                    let mut file = regular::open(&path)?;
                    hasher.update_reader(&file)?;
                    file.rewind()?;
                    Ok(file)
                };
                let file = hash().map_err(|error| WeightsError::Unreadable {
                    path: path.clone(),
                    reason: error.to_string(),
                })?;
                OpenFile::Regular(path, file)
            }
        };
        Ok(Hashed { hash: hasher.finalize().to_hex().to_string(), file })
    }

    /// The weights; `state_dict` is the key of those that are meant, where a file holds several sets of them.
    ///
    /// # Errors
    /// As [`Archive::open`].
    pub fn archive(self, state_dict: Option<&str>) -> Result<Archive, WeightsError> {
        match self.file {
            OpenFile::Bundled(name, bytes) => Archive::from_bytes(name, bytes),
            OpenFile::Regular(path, file) => {
                Archive::from_reader(path.display().to_string(), BufReader::new(file), state_dict)
            }
        }
    }
}

/// Opens the weights at `path`, which may be bundled, on the Hub or in a file; `state_dict` is the key of
/// those that are meant, where a file holds several sets of them.
///
/// # Errors
/// As [`find`] and [`Archive::open`].
pub fn open(path: &Path, state_dict: Option<&str>) -> Result<Archive, WeightsError> {
    match find(path) {
        Some(bytes) => Archive::from_bytes(path.display().to_string(), bytes?),
        None => Archive::open(path, state_dict),
    }
}
