//! What `numpy.savez` and `savez_compressed` write: a zip archive of arrays.

use super::container::Container;
use super::entry::{Contents, Place};
use super::error::{Fault, shown};
use super::npy::Header;
use super::view::View;

/// Reads the headers of all arrays; other members are none of ours.
pub(super) fn contents(container: &mut Container) -> Result<Contents, Fault> {
    let mut contents = Contents::default();
    for member in container.members().to_vec() {
        let Some(name) = member.name.strip_suffix(".npy") else { continue };
        let within = |fault: Fault| fault.within(shown(name));
        let header = Header::read(&mut container.read(member.index)?).map_err(within)?;
        let view = match header.dtype.size() {
            // Listed, and refused when it is read.
            None => View::contiguous(&[0])?,
            Some(size) => {
                let view = match header.fortran {
                    true => View::column_major(&header.shape),
                    false => View::contiguous(&header.shape),
                }
                .map_err(within)?;
                let due = (view.count as u64)
                    .checked_mul(size as u64)
                    .and_then(|bytes| bytes.checked_add(header.length));
                if due != Some(member.size) {
                    return Err(within(Fault::damaged(format!(
                        "its header describes {} numbers of {size} bytes after {} bytes, the array has {}",
                        view.count, header.length, member.size
                    ))));
                }
                view
            }
        };
        let place = Place {
            member: Some((member.index, member.present)),
            start: header.length,
            order: header.order,
            view,
        };
        contents.add(name.to_owned(), header.dtype, header.shape, place)?;
    }
    Ok(contents)
}
