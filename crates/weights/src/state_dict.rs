//! The tensors of a pickled checkpoint.

use super::dtype::ByteOrder;
use super::entry::{Contents, Place};
use super::error::{Fault, MAX_NAME, shape_text, shown};
use super::pickle::{Heap, Id, Storage, Tensor, Value};
use super::view::View;

/// Under which of its keys a checkpoint may keep its state dict; the first that is there is taken.
const WRAPPERS: [&str; 8] =
    ["state_dict", "model_state_dict", "model", "module", "net", "network", "params", "weights"];

/// Wrappers in wrappers.
const MAX_WRAPPERS: usize = 3;

/// Dicts that are looked into for tensors; a checkpoint has a dozen.
const MAX_LOOKED: usize = 256;

/// Plain values beside a state dict that are kept as words.
const MAX_WORDS: usize = 256;

/// Where a whole storage is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Located {
    pub(super) member: Option<(usize, bool)>,
    pub(super) start: u64,
}

/// A dict that holds tensors, and how a user names it; the root has no name.
struct Candidate {
    place: Id,
    name: String,
    /// How far it is wrapped.
    depth: usize,
    /// Its key's place among the usual ones.
    usual: Option<usize>,
}

/// The tensors of the checkpoint `root`, whose storages `locate` finds and checks the sizes of.
///
/// A checkpoint is a state dict or a dict that has one or several under keys, of which `wanted` names one.
/// If it names none, the first under a usual key is taken, else the only one. Numbers and texts beside it,
/// such as `epoch`, become metadata; tensors beside it are passed over, and so is all else.
pub(super) fn contents(
    heap: &Heap,
    root: Id,
    order: ByteOrder,
    wanted: Option<&str>,
    locate: impl Fn(&str, &Storage) -> Result<Located, Fault>,
) -> Result<Contents, Fault> {
    let Value::Dict(items) = heap.get(root) else {
        return Err(Fault::unsupported(no_dict(heap, root)));
    };
    let mut search = Search { heap, found: Vec::new(), looked: 0 };
    search.look(root, "", 0)?;
    let candidates = search.found;
    let taken = match wanted {
        Some(name) => candidates.iter().find(|candidate| candidate.name == name),
        None => preferred(&candidates),
    };
    let Some(taken) = taken else {
        let keys: Vec<String> = candidates
            .iter()
            .filter(|candidate| !candidate.name.is_empty())
            .map(|candidate| format!("`{}`", shown(&candidate.name)))
            .collect();
        return match (wanted, items.is_empty()) {
            (Some(name), _) => Err(Fault::unsupported(format!(
                "holds no tensors under `{}`; it has some under {}",
                shown(name),
                if keys.is_empty() { "no key".to_owned() } else { keys.join(", ") }
            ))),
            (None, true) => Ok(Contents::default()),
            (None, false) if !keys.is_empty() => Err(Fault::unsupported(format!(
                "holds tensors under {}; choose with state-dict = \"…\", or --state-dict",
                keys.join(", ")
            ))),
            (None, false) => Err(Fault::unsupported(no_tensors(heap, items))),
        };
    };
    let mut contents = Contents::default();
    words_on_the_way(heap, root, &taken.name, &mut contents);
    let Value::Dict(items) = heap.get(taken.place) else {
        return Err(Fault::unsupported(no_dict(heap, taken.place)));
    };
    for (key, value) in items {
        match heap.get(*value) {
            Value::Tensor(tensor) => add(&mut contents, heap, *key, tensor, order, &locate)?,
            value => word(&mut contents, heap.text(*key), value),
        }
    }
    let others: Vec<String> = candidates
        .iter()
        .filter(|other| other.name != taken.name && !other.name.is_empty())
        .map(|other| other.name.clone())
        .collect();
    if !others.is_empty() && !taken.name.is_empty() {
        contents.state_dict = Some((taken.name.clone(), others));
    }
    Ok(contents)
}

/// What is found instead of a dict.
fn no_dict(heap: &Heap, place: Id) -> String {
    let value = heap.get(place);
    match heap.maker(value) {
        Some(name) => format!(
            "holds an object of `{name}`, not a dict of named tensors; load it in Python, if you trust its \
             author, and save the state dict alone: `torch.save(model.state_dict(), path)`"
        ),
        None => {
            format!(
                "holds {}, not a dict of named tensors; save `model.state_dict()`",
                value.kind()
            )
        }
    }
}

/// What is found instead of tensors.
fn no_tensors(heap: &Heap, items: &[(Id, Id)]) -> String {
    let keys: Vec<String> =
        items.iter().take(10).map(|(key, _)| format!("`{}`", shown(heap.text(*key)))).collect();
    format!(
        "holds a dict of {}{} and no tensors; a state dict is looked for there and under {}; save `model.state_dict()`",
        keys.join(", "),
        if items.len() > keys.len() { " …" } else { "" },
        WRAPPERS.join(", ")
    )
}

/// The dicts with tensors that a checkpoint holds.
struct Search<'a> {
    heap: &'a Heap,
    found: Vec<Candidate>,
    /// Dicts that were looked into.
    looked: usize,
}

impl Search<'_> {
    /// Looks into the dict at `place`, which is called `name`.
    fn look(&mut self, place: Id, name: &str, depth: usize) -> Result<(), Fault> {
        let heap = self.heap;
        let Value::Dict(items) = heap.get(place) else { return Ok(()) };
        self.note(place, name, depth);
        for (key, value) in items {
            let (key, value) = (heap.text(*key), *value);
            let is_dict = matches!(heap.get(value), Value::Dict(_));
            if !is_dict || key.is_empty() || key.len() > MAX_NAME {
                continue;
            }
            let is_usual = WRAPPERS.contains(&key);
            if is_usual && depth == MAX_WRAPPERS {
                return Err(Fault::unsupported(format!(
                    "its state dict is more than {MAX_WRAPPERS} dicts deep; save `model.state_dict()`"
                )));
            }
            let inner = if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
            match is_usual {
                true if self.looked < MAX_LOOKED => self.look(value, &inner, depth + 1)?,
                // What is called otherwise is one itself, or none.
                false if depth == 0 => self.note(value, &inner, depth + 1),
                _ => {}
            }
        }
        Ok(())
    }

    /// Notes the dict at `place` if it holds tensors.
    fn note(&mut self, place: Id, name: &str, depth: usize) {
        self.looked += 1;
        let Value::Dict(items) = self.heap.get(place) else { return };
        // A hostile file may name one large dict very often.
        let has_tensor = self.looked <= MAX_LOOKED
            && items.iter().any(|(key, value)| {
                matches!(
                    (self.heap.get(*key), self.heap.get(*value)),
                    (Value::Text(_), Value::Tensor(_))
                )
            });
        if has_tensor {
            let key = name.rsplit('.').next().unwrap_or(name);
            let usual = WRAPPERS.iter().position(|wrapper| *wrapper == key);
            self.found.push(Candidate { place, name: name.to_owned(), depth, usual });
        }
    }
}

/// The first under a usual key, the nearest to the root before others; else the root; else the only one.
fn preferred(candidates: &[Candidate]) -> Option<&Candidate> {
    let usual = candidates.iter().filter(|candidate| candidate.usual.is_some());
    let usual = usual.min_by_key(|candidate| (candidate.depth, candidate.usual));
    let root = || candidates.iter().find(|candidate| candidate.name.is_empty());
    usual.or_else(root).or(match candidates {
        [only] => Some(only),
        _ => None,
    })
}

/// Keeps plain values beside the state dict called `name`, and beside the dicts that it is wrapped in.
fn words_on_the_way(heap: &Heap, root: Id, name: &str, contents: &mut Contents) {
    let mut place = root;
    let mut rest = name;
    while !rest.is_empty() {
        let Value::Dict(items) = heap.get(place) else { return };
        items.iter().for_each(|(key, value)| word(contents, heap.text(*key), heap.get(*value)));
        // Keys may hold dots themselves.
        let next = items.iter().find_map(|(key, value)| {
            let key = heap.text(*key);
            let rest = rest.strip_prefix(key).filter(|_| !key.is_empty())?;
            (rest.is_empty() || rest.starts_with('.'))
                .then(|| (*value, rest.trim_start_matches('.')))
        });
        let Some((value, after)) = next else { return };
        (place, rest) = (value, after);
    }
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
