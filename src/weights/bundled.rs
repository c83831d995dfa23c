//! Weights that travel inside the program, written `bundled:NAME`; `data/bundled/README.md` says where
//! they are from.

use std::path::Path;

use super::error::WeightsError;

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
