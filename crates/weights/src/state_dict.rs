//! The tensors of a pickled checkpoint.

use super::dtype::ByteOrder;
use super::entry::{Contents, Place};
use super::error::{Fault, MAX_NAME, shape_text, shown};
use super::pickle::{Heap, Id, Storage, Tensor, Value};
use super::view::View;

/// Under which of its keys a checkpoint may keep its state dict; the first that is there is it.
const WRAPPERS: [&str; 8] =
    ["state_dict", "model_state_dict", "model", "module", "net", "network", "params", "weights"];

/// Wrappers in wrappers.
const MAX_WRAPPERS: usize = 3;

/// Plain values beside a state dict that are kept as words.
const MAX_WORDS: usize = 256;

/// Where a whole storage is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Located {
    pub(super) member: Option<(usize, bool)>,
    pub(super) start: u64,
}

/// The tensors of the checkpoint `root`, whose storages `locate` finds and checks the sizes of.
///
/// A checkpoint is a state dict or a dict that has one under a usual key; numbers and texts beside
/// it, such as `epoch`, become metadata.
pub(super) fn contents(
    heap: &Heap,
    root: Id,
    order: ByteOrder,
    locate: impl Fn(&str, &Storage) -> Result<Located, Fault>,
) -> Result<Contents, Fault> {
    let mut contents = Contents::default();
    let mut place = root;
    for _ in 0..=MAX_WRAPPERS {
        let Value::Dict(items) = heap.get(place) else {
            return Err(Fault::unsupported(format!(
                "holds {}, not a dict of named tensors; save `model.state_dict()`",
                heap.get(place).kind()
            )));
        };
        let mut tensors = false;
        for (key, value) in items {
            match heap.get(*value) {
                Value::Tensor(tensor) => {
                    tensors = true;
                    add(&mut contents, heap, *key, tensor, order, &locate)?;
                }
                value => word(&mut contents, heap.text(*key), value),
            }
        }
        let inner = WRAPPERS.iter().find_map(|wrapper| {
            let (_, value) = items.iter().find(|(key, value)| {
                heap.text(*key) == *wrapper && matches!(heap.get(*value), Value::Dict(_))
            })?;
            Some(*value)
        });
        match inner {
            Some(inner) if !tensors => place = inner,
            _ if tensors || items.is_empty() => return Ok(contents),
            _ => {
                let keys: Vec<String> = items
                    .iter()
                    .take(10)
                    .map(|(key, _)| format!("`{}`", shown(heap.text(*key))))
                    .collect();
                return Err(Fault::unsupported(format!(
                    "holds a dict of {}{} and no tensors; a state dict is looked for there and under {}; save `model.state_dict()`",
                    keys.join(", "),
                    if items.len() > keys.len() { " …" } else { "" },
                    WRAPPERS.join(", ")
                )));
            }
        }
    }
    Err(Fault::unsupported(format!(
        "its state dict is more than {MAX_WRAPPERS} dicts deep; save `model.state_dict()`"
    )))
}

fn word(contents: &mut Contents, key: &str, value: &Value) {
    if let Some(text) = value.scalar()
        && contents.metadata.len() < MAX_WORDS
        && (1..=MAX_NAME).contains(&key.len())
        && text.len() <= MAX_NAME
    {
        contents.metadata.insert(key.to_owned(), text);
    }
}

fn add(
    contents: &mut Contents,
    heap: &Heap,
    key: Id,
    tensor: &Tensor,
    order: ByteOrder,
    locate: impl Fn(&str, &Storage) -> Result<Located, Fault>,
) -> Result<(), Fault> {
    let Value::Text(name) = heap.get(key) else {
        return Err(Fault::unsupported(format!(
            "names a tensor by {}; names are texts",
            heap.get(key).kind()
        )));
    };
    let place = place(heap, tensor, order, locate).map_err(|fault| fault.within(shown(name)))?;
    contents.add(name.clone(), tensor.dtype.clone(), tensor.shape.clone(), place)
}

fn place(
    heap: &Heap,
    tensor: &Tensor,
    order: ByteOrder,
    locate: impl Fn(&str, &Storage) -> Result<Located, Fault>,
) -> Result<Place, Fault> {
    let Value::Storage(storage) = heap.get(tensor.storage) else {
        return Err(Fault::damaged("a tensor without a storage"));
    };
    let Located { member, start } = locate(heap.text(storage.key), storage)?;
    let (Some(size), Some(unit)) = (tensor.dtype.size(), storage.unit()) else {
        // Listed, and refused when it is read.
        return Ok(Place { member, start, order, view: View::contiguous(&[0])? });
    };
    if storage.dtype.as_ref().is_some_and(|dtype| *dtype != tensor.dtype) {
        return Err(Fault::damaged("its type is not its storage's"));
    }
    let view = View::strided(&tensor.shape, &tensor.strides)?;
    let bytes = |numbers: u64| numbers.checked_mul(size as u64);
    let first = bytes(tensor.offset).and_then(|first| {
        let last = first.checked_add(bytes(view.extent as u64)?)?;
        (view.count == 0 || last <= storage.length.checked_mul(unit)?).then_some(first)
    });
    let Some(first) = first else {
        return Err(Fault::damaged(format!(
            "{} numbers from number {} on are not inside its storage of {} {}",
            shape_text(&tensor.shape),
            tensor.offset,
            storage.length,
            if unit == 1 { "bytes" } else { "numbers" }
        )));
    };
    // The storage lies inside the whole one, whose bytes `locate` has seen to be in the file.
    let start = start.saturating_add(storage.offset.saturating_mul(unit)).saturating_add(first);
    Ok(Place { member, start, order, view })
}
