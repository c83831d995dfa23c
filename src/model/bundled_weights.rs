//! Weights that travel inside the program, written `bundled:NAME`; `data/bundled/README.md` says where
//! they are from.

use std::path::Path;

use crate::basis::regular;
use crate::weights::{Archive, WeightsError, hub};

/// What the path of bundled weights begins with.
pub const SCHEME: &str = "bundled:";

/// Name and file of each.
const FILES: [(&str, &[u8]); 1] =
    [("squeezenet1_1", include_bytes!("../../data/bundled/squeezenet1_1.safetensors"))];

/// The bundled file that `path` names; none if it is another path.
///
/// # Errors
/// If there are no bundled weights of that name.
pub fn find(path: &Path) -> Option<Result<&'static [u8], WeightsError>> {
    let name = path.to_str()?.strip_prefix(SCHEME)?;
    let found = FILES.iter().find(|(other, _)| *other == name);
    Some(found.map(|(_, bytes)| *bytes).ok_or_else(|| WeightsError::Unreadable {
        path: path.to_owned(),
        reason: format!("the bundled weights are {}", FILES.map(|(name, _)| name).join(", ")),
    }))
}

/// blake3 of the weights at `path`, which may be bundled, on the Hub or in a file.
///
/// # Errors
/// As [`find`], and if the file cannot be read.
pub fn hash(path: &Path) -> Result<String, WeightsError> {
    let mut hasher = blake3::Hasher::new();
    match find(path) {
        Some(bytes) => _ = hasher.update(bytes?),
        None => {
            let path = hub::locate(path)?;
            regular::open(&path).and_then(|file| hasher.update_reader(file).map(drop)).map_err(
                |error| WeightsError::Unreadable { path: path.clone(), reason: error.to_string() },
            )?;
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
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
