//! One tensor of an archive, and where its numbers are.

use std::collections::BTreeMap;

use super::dtype::{ByteOrder, Dtype};
use super::error::{Fault, MAX_NAME, shape_text, shown};
use super::view::View;

/// A tensor that an archive holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name, as the file has it.
    pub name: String,
    /// The type of its numbers in the file.
    pub dtype: Dtype,
    /// Its sides; none for a single number.
    pub shape: Vec<usize>,
}

/// Where an entry's numbers are.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The zip member that holds them, with whether its bytes are known to be there; `None` for a
    /// plain file.
    pub(super) member: Option<(usize, bool)>,
    /// The first element's byte, in the member or the file.
    pub(super) start: u64,
    pub(super) order: ByteOrder,
    pub(super) view: View,
}

/// What a reader found in a file.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) entries: BTreeMap<String, (Dtype, Vec<usize>, Place)>,
    pub(super) metadata: BTreeMap<String, String>,
    /// Where in the file the tensors stand, if it holds several sets of them, and the other places.
    pub(super) state_dict: Option<(String, Vec<String>)>,
}

impl Contents {
    /// Notes an entry.
    pub(super) fn add(
        &mut self,
        name: String,
        dtype: Dtype,
        shape: Vec<usize>,
        place: Place,
    ) -> Result<(), Fault> {
        if name.len() > MAX_NAME {
            return Err(Fault::damaged(format!(
                "a name has {} bytes, at most {MAX_NAME} are read: {}",
                name.len(),
                shown(&name)
            )));
        }
        if let Some((_, first, _)) = self.entries.get(&name) {
            return Err(Fault::damaged(format!(
                "holds `{}` twice, as {} and as {}",
                shown(&name),
                shape_text(first),
                shape_text(&shape)
            )));
        }
        self.entries.insert(name, (dtype, shape, place));
        Ok(())
    }
}
