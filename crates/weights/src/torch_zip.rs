//! What `torch.save` writes since PyTorch 1.6: a zip archive of a pickle and one member a storage.

use super::container::Container;
use super::dtype::ByteOrder;
use super::entry::Contents;
use super::error::{Fault, shown};
use super::pickle::{self, Storage, Stream};
use super::state_dict::{self, Located};

/// Bytes of a pickle; that of a large network has 0.1 million.
pub(super) const MAX_PICKLE: u64 = 1 << 26;

/// The folder of the archive that holds `data.pkl`, with its slash; nothing if it has none.
pub(super) fn folder(container: &Container) -> Option<&str> {
    container.members().iter().find_map(|member| {
        let folder = member.name.strip_suffix("data.pkl")?;
        let name = folder.strip_suffix('/').unwrap_or(folder);
        (folder.is_empty() != folder.ends_with('/') && !name.contains('/')).then_some(folder)
    })
}

/// Reads the pickle of `folder` and finds its storages.
pub(super) fn contents(
    container: &mut Container,
    folder: &str,
    wanted: Option<&str>,
) -> Result<Contents, Fault> {
    if container.member(&format!("{folder}constants.pkl")).is_some() {
        return Err(Fault::unsupported(
            "is a TorchScript program; load it with torch.jit.load and save its state_dict()",
        ));
    }
    let order = match container.member(&format!("{folder}byteorder")).cloned() {
        None => ByteOrder::Little,
        Some(member) => match container.bytes(&member, 16)?.trim_ascii() {
            b"little" => ByteOrder::Little,
            b"big" => ByteOrder::Big,
            other => {
                return Err(Fault::damaged(format!(
                    "its byteorder is `{}`; little and big are known",
                    shown(&String::from_utf8_lossy(other))
                )));
            }
        },
    };
    let Some(member) = container.member(&format!("{folder}data.pkl")).cloned() else {
        return Err(Fault::damaged("has no data.pkl"));
    };
    let bytes = container.bytes(&member, MAX_PICKLE)?;
    let mut stream = Stream::new(&bytes[..], MAX_PICKLE);
    let (heap, root) = pickle::load(&mut stream)?;
    let container = &*container;
    let locate = |key: &str, storage: &Storage| locate(container, folder, key, storage);
    state_dict::contents(&heap, root, order, wanted, locate)
}

fn locate(
    container: &Container,
    folder: &str,
    key: &str,
    storage: &Storage,
) -> Result<Located, Fault> {
    // Only members of this very archive can be meant, whatever the key looks like.
    let Some(member) = container.member(&format!("{folder}data/{key}")) else {
        return Err(Fault::damaged(format!("its storage {} is not in the file", shown(key))));
    };
    if let Some(unit) = storage.unit()
        && storage.whole.checked_mul(unit) != Some(member.size)
    {
        return Err(Fault::damaged(format!(
            "its storage {} has {} bytes in the file, {} numbers of {unit} bytes are due",
            shown(key),
            member.size,
            storage.whole
        )));
    }
    Ok(Located { member: Some((member.index, member.present)), start: 0 })
}
