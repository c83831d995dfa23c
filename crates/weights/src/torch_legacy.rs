//! What `torch.save` wrote before PyTorch 1.6: pickles one after another, then bare storages.
//!
//! A magic number, the protocol, facts about the machine, the object and the keys of its storages
//! are each a pickle. The storages follow in the order of the keys, each its length as eight bytes
//! and its numbers.

use std::collections::BTreeMap;
use std::io::{BufReader, Read, Seek, SeekFrom};

use super::dtype::ByteOrder;
use super::entry::Contents;
use super::error::{Fault, shown};
use super::pickle::{self, Heap, Id, Stream, Value};
use super::state_dict::{self, Located};
use super::torch_zip::MAX_PICKLE;

/// What the first pickle holds, as little-endian bytes.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// What the second pickle holds.
const PROTOCOL: i64 = 1001;

/// Reads the pickles of a file of `length` and walks over its storages.
pub(super) fn contents(
    read: &mut (impl Read + Seek),
    length: u64,
    wanted: Option<&str>,
) -> Result<Contents, Fault> {
    let mut stream = Stream::new(BufReader::new(read), MAX_PICKLE);
    let (heap, magic) = pickle::load(&mut stream)?;
    match heap.get(magic) {
        Value::Long(bytes) if bytes[..] == MAGIC => {}
        other => {
            return Err(Fault::unsupported(format!(
                "is a pickle of {} and not what torch.save writes; save `model.state_dict()` with torch.save",
                other.kind()
            )));
        }
    }
    let (heap, protocol) = pickle::load(&mut stream)?;
    if *heap.get(protocol) != Value::Int(PROTOCOL) {
        return Err(Fault::unsupported(format!(
            "is of another protocol of torch.save than {PROTOCOL}; save it again"
        )));
    }
    // Facts about the machine that wrote the file. Whatever order it keeps bytes in itself, PyTorch
    // wrote lengths and numbers in little-endian order.
    pickle::load(&mut stream)?;
    let (heap, root) = pickle::load(&mut stream)?;
    let (key_heap, keys) = pickle::load(&mut stream)?;
    let Value::List(keys) = key_heap.get(keys) else {
        return Err(Fault::damaged(format!(
            "its storage keys are {}, not a list",
            key_heap.get(keys).kind()
        )));
    };
    let start = stream.position();
    let places = storages(stream.into_inner(), start, length, &heap, &key_heap, keys)?;
    state_dict::contents(&heap, root, ByteOrder::Little, wanted, |key, _| {
        places
            .get(key)
            .map(|start| Located { member: None, start: *start })
            .ok_or_else(|| Fault::damaged(format!("its storage {} is not in the file", shown(key))))
    })
}

/// Where the numbers of each storage begin, all of which have to end with the file.
fn storages<R: Read + Seek>(
    mut read: BufReader<R>,
    start: u64,
    length: u64,
    heap: &Heap,
    key_heap: &Heap,
    keys: &[Id],
) -> Result<BTreeMap<String, u64>, Fault> {
    let mut due = BTreeMap::new();
    for storage in heap.storages() {
        let key = heap.text(storage.key);
        if let Some(first) = due.insert(key, (storage.whole, storage.unit()))
            && first != (storage.whole, storage.unit())
        {
            return Err(Fault::damaged(format!("storage {} has two sizes", shown(key))));
        }
    }
    let mut places = BTreeMap::new();
    let mut position = start;
    for key in keys {
        let key = key_heap.text(*key);
        let Some((numbers, unit)) = due.get(key) else {
            return Err(Fault::damaged(format!("holds a storage {} of unknown type", shown(key))));
        };
        let Some(unit) = unit else {
            return Err(Fault::unsupported(format!(
                "storage {} holds complex numbers; save the model without them",
                shown(key)
            )));
        };
        read.seek(SeekFrom::Start(position))?;
        let mut found = [0; 8];
        read.read_exact(&mut found)
            .map_err(|_| Fault::damaged(format!("it is cut off before storage {}", shown(key))))?;
        let found = u64::from_le_bytes(found);
        if found != *numbers {
            return Err(Fault::damaged(format!(
                "storage {} has {found} numbers in the file, {numbers} are due",
                shown(key)
            )));
        }
        position += 8;
        let end = numbers.checked_mul(*unit).and_then(|bytes| bytes.checked_add(position));
        let Some(end) = end.filter(|end| *end <= length) else {
            return Err(Fault::damaged(format!(
                "storage {} of {numbers} numbers does not fit into the file's {length} bytes; it is cut off",
                shown(key)
            )));
        };
        if places.insert(key.to_owned(), position).is_some() {
            return Err(Fault::damaged(format!("holds storage {} twice", shown(key))));
        }
        position = end;
    }
    if position != length {
        return Err(Fault::damaged(format!("{} bytes follow its last storage", length - position)));
    }
    Ok(places)
}
