//! What the allowed names make of their arguments.

use crate::dtype::Dtype;
use crate::error::{Fault, MAX_NAME, shown};
use crate::view::MAX_DIMENSIONS;

use super::globals::Global;
use super::value::{Heap, Id, Storage, Tensor, Value};

/// The result of `global(*arguments)`.
pub(super) fn call(heap: &mut Heap, global: &Global, arguments: &[Id]) -> Result<Id, Fault> {
    let wrong =
        |what: &str| Fault::damaged(format!("its pickle calls {what} with other arguments"));
    match global {
        Global::OrderedDict => {
            // Later opcodes fill it.
            match arguments {
                [] => heap.add(Value::Dict(Vec::new())),
                _ => Err(wrong("OrderedDict")),
            }
        }
        Global::RebuildTensor => match arguments {
            [storage, offset, shape, strides, ..] => {
                tensor(heap, [*storage, *offset, *shape, *strides], None)
            }
            _ => Err(wrong("_rebuild_tensor_v2")),
        },
        Global::RebuildTypedTensor => match arguments {
            [storage, offset, shape, strides, _, _, dtype, ..] => match heap.get(*dtype) {
                Value::Global(Global::Dtype(dtype)) => {
                    let dtype = dtype.clone();
                    tensor(heap, [*storage, *offset, *shape, *strides], Some(dtype))
                }
                _ => Err(wrong("_rebuild_tensor_v3")),
            },
            _ => Err(wrong("_rebuild_tensor_v3")),
        },
        Global::RebuildParameter => match arguments {
            [data, ..] if matches!(heap.get(*data), Value::Tensor(_)) => Ok(*data),
            _ => Err(wrong("_rebuild_parameter")),
        },
        Global::Size => match arguments {
            [sides] if matches!(heap.get(*sides), Value::Tuple(_) | Value::List(_)) => Ok(*sides),
            _ => Err(wrong("Size")),
        },
        Global::Device => heap.add(Value::Opaque),
        // Whoever calls it makes an object without looking at its arguments.
        Global::Foreign(_) => heap.add(Value::Opaque),
        Global::Storage(_) | Global::Dtype(_) => {
            Err(Fault::damaged("its pickle calls a type of numbers"))
        }
    }
}

fn tensor(heap: &mut Heap, arguments: [Id; 4], typed: Option<Dtype>) -> Result<Id, Fault> {
    let [found, offset, shape, strides] = arguments.map(|id| heap.get(id));
    let Value::Storage(storage) = found else {
        return Err(Fault::damaged(format!("its pickle makes a tensor of {}", found.kind())));
    };
    let offset = whole(offset).ok_or_else(|| Fault::damaged("a tensor's offset is no count"))?;
    let shape = sides(heap, shape).ok_or_else(|| {
        Fault::damaged(format!("a tensor's sides are not up to {MAX_DIMENSIONS} counts"))
    })?;
    let strides = sides(heap, strides).ok_or_else(|| {
        Fault::damaged(format!("a tensor's strides are not up to {MAX_DIMENSIONS} counts"))
    })?;
    let dtype = typed
        .or_else(|| storage.dtype.clone())
        .ok_or_else(|| Fault::damaged("a tensor of plain bytes has no type"))?;
    heap.add(Value::Tensor(Tensor { storage: arguments[0], dtype, offset, shape, strides }))
}

/// The storage that a persistent id `('storage', type, key, location, length[, view])` means.
pub(super) fn storage(heap: &mut Heap, id: Id) -> Result<Id, Fault> {
    let Value::Tuple(parts) = heap.get(id) else {
        return Err(Fault::damaged(format!(
            "its pickle refers to {} where a storage belongs",
            heap.get(id).kind()
        )));
    };
    let (parts, view) = match parts[..] {
        [word, of, key, location, length] => ([word, of, key, location, length], None),
        [word, of, key, location, length, view] => ([word, of, key, location, length], Some(view)),
        _ => return Err(Fault::damaged("a storage in its pickle has the wrong number of parts")),
    };
    let key = parts[2];
    let [word, of, name, _, length] = parts.map(|part| heap.get(part));
    let (Value::Text(word), Value::Global(Global::Storage(dtype)), Value::Text(name)) =
        (word, of, name)
    else {
        return Err(Fault::damaged("a storage in its pickle lacks its type or its key"));
    };
    let Some(whole_length) = whole(length).filter(|_| word == "storage") else {
        return Err(Fault::damaged("a storage in its pickle has no length"));
    };
    if name.len() > MAX_NAME {
        return Err(Fault::damaged("a storage in its pickle has an endless key"));
    }
    let (offset, length) = match view.map(|view| heap.get(view)) {
        None | Some(Value::None) => (0, whole_length),
        Some(Value::Tuple(view)) => match view[..] {
            [_, offset, length] => match (whole(heap.get(offset)), whole(heap.get(length))) {
                (Some(offset), Some(length))
                    if offset.checked_add(length).is_some_and(|end| end <= whole_length) =>
                {
                    (offset, length)
                }
                _ => {
                    return Err(Fault::damaged(format!(
                        "a part of storage {} lies outside it",
                        shown(name)
                    )));
                }
            },
            _ => return Err(Fault::damaged("a part of a storage has no place")),
        },
        Some(other) => {
            return Err(Fault::damaged(format!("the place of a storage is {}", other.kind())));
        }
    };
    let storage = Storage { key, dtype: dtype.clone(), length, offset, whole: whole_length };
    heap.add(Value::Storage(storage))
}

/// A count.
fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::Int(value) => u64::try_from(*value).ok(),
        _ => None,
    }
}

fn sides(heap: &Heap, value: &Value) -> Option<Vec<usize>> {
    let (Value::Tuple(sides) | Value::List(sides)) = value else { return None };
    if sides.len() > MAX_DIMENSIONS {
        return None;
    }
    sides.iter().map(|side| usize::try_from(whole(heap.get(*side))?).ok()).collect()
}
