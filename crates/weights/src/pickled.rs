//! A dict that Python's `pickle` wrote: texts, whole numbers, and arrays of NumPy's that hold bytes.
//!
//! Nothing that a file says is run, as for weights. What an array holds stays in the file until it is asked for.

use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use candlewick_basis::regular;

use super::error::{Fault, WeightsError, shown};
use super::pickle::{self, Heap, Id, Span, Stream, Value};

/// No longer file is read; the longest of CIFAR's has 154 MB.
const MAX_FILE: u64 = 1 << 30;

/// A pickled dict whose bytes have all been looked at.
pub struct Pickled {
    path: PathBuf,
    heap: Heap,
    items: Vec<(String, Id)>,
}

/// An array of bytes, the last dimension fastest.
struct Array {
    shape: Vec<usize>,
    bytes: Bytes,
}

/// Where the bytes of an array are.
enum Bytes {
    Stored(Span),
    /// A text whose characters are the bytes, as Python 3 writes them for Python 2.
    Text(Id),
}

impl Pickled {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// If it cannot be read, is damaged, or is no pickled dict with texts as keys.
    pub fn open(path: &Path) -> Result<Pickled, WeightsError> {
        let file = regular::open(path).map_err(|cause| unreadable(path, &cause))?;
        let length = file.metadata().map_err(|cause| unreadable(path, &cause))?.len();
        let of = |fault: Fault| fault.of(&path.display().to_string());
        if length > MAX_FILE {
            let problem = format!("has {length} bytes; pickles of up to {MAX_FILE} are read");
            return Err(of(Fault::unsupported(problem)));
        }
        let mut stream = Stream::new(BufReader::new(file), length);
        let (heap, root) = pickle::load(&mut stream).map_err(of)?;
        let Value::Dict(pairs) = heap.get(root) else {
            let problem = format!("is a pickle of {} and not of a dict", heap.get(root).kind());
            return Err(of(Fault::unsupported(problem)));
        };
        let text = |id: Id| match heap.get(id) {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        };
        let items = pairs.iter().filter_map(|(key, value)| Some((text(*key)?, *value))).collect();
        Ok(Pickled { path: path.to_owned(), items, heap })
    }

    /// Its keys, as far as they are texts, in the file's order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.items.iter().map(|(key, _)| key.as_str())
    }

    fn value(&self, key: &str) -> Option<Id> {
        self.items.iter().find_map(|(other, id)| (other == key).then_some(*id))
    }

    /// What the list called `key` holds, if it is there and `read` understands all of it.
    fn list<'a, T>(&'a self, key: &str, read: impl Fn(&'a Value) -> Option<T>) -> Option<Vec<T>> {
        match self.heap.get(self.value(key)?) {
            Value::List(items) | Value::Tuple(items) => {
                items.iter().map(|item| read(self.heap.get(*item))).collect()
            }
            _ => None,
        }
    }

    /// The list of whole numbers called `key`; none if it is not there or is something else.
    pub fn numbers(&self, key: &str) -> Option<Vec<i64>> {
        self.list(key, |value| match value {
            Value::Int(number) => Some(*number),
            _ => None,
        })
    }

    /// The list of texts called `key`; none if it is not there or is something else.
    pub fn texts(&self, key: &str) -> Option<Vec<&str>> {
        self.list(key, |value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// The sides of the array of bytes called `key`; none if it is not there or is something else.
    pub fn shape(&self, key: &str) -> Option<Vec<usize>> {
        self.array(key).map(|array| array.shape)
    }

    /// What the array of bytes called `key` holds, the last dimension fastest.
    ///
    /// # Errors
    /// If it is not there, is something else, or does not have as many bytes as its sides say.
    pub fn bytes(&self, key: &str) -> Result<Vec<u8>, WeightsError> {
        let of = |problem: String| Fault::damaged(problem).of(&self.path.display().to_string());
        let array = self
            .array(key)
            .ok_or_else(|| of(format!("its `{}` is no array of bytes in C order", shown(key))))?;
        let bytes = match array.bytes {
            Bytes::Stored(Span { start, length }) => {
                let unreadable = |cause: io::Error| unreadable(&self.path, &cause);
                let mut file = regular::open(&self.path).map_err(unreadable)?;
                file.seek(SeekFrom::Start(start)).map_err(unreadable)?;
                // They were there when the file was opened; what is there now decides.
                let mut bytes = Vec::new();
                file.take(length).read_to_end(&mut bytes).map_err(unreadable)?;
                bytes
            }
            Bytes::Text(id) => {
                let bytes = self.heap.text(id).chars().map(|c| u8::try_from(u32::from(c)));
                bytes.collect::<Result<_, _>>().map_err(|_| {
                    of(format!("its `{}` is a text with letters that are no bytes", shown(key)))
                })?
            }
        };
        let due = array.shape.iter().try_fold(1_usize, |count, side| count.checked_mul(*side));
        match due == Some(bytes.len()) {
            true => Ok(bytes),
            false => Err(of(format!(
                "its `{}` has {} bytes and claims sides of {:?}",
                shown(key),
                bytes.len(),
                array.shape
            ))),
        }
    }

    fn array(&self, key: &str) -> Option<Array> {
        let heap = &self.heap;
        let Value::Object { arguments, state, .. } = heap.get(self.value(key)?) else {
            return None;
        };
        let maker = heap.maker(heap.get(self.value(key)?))?;
        let tuple = |id: Id| match heap.get(id) {
            Value::Tuple(parts) => Some(parts.as_slice()),
            _ => None,
        };
        let (bytes, dtype, shape) = match maker.rsplit('.').next()? {
            // numpy.core.multiarray, or numpy._core.multiarray, which is given its state later.
            "_reconstruct" => match *tuple((*state)?)? {
                [_, shape, dtype, order, bytes] if *heap.get(order) == Value::Bool(false) => {
                    (bytes, dtype, shape)
                }
                _ => return None,
            },
            // Of protocol 5.
            "_frombuffer" => match *tuple(*arguments)? {
                [bytes, dtype, shape, order] if heap.text(order) == "C" => (bytes, dtype, shape),
                _ => return None,
            },
            _ => return None,
        };
        let Value::Object { arguments, .. } = heap.get(dtype) else { return None };
        let is_bytes = heap.maker(heap.get(dtype)) == Some("numpy.dtype")
            && matches!(heap.text(*tuple(*arguments)?.first()?), "u1" | "|u1" | "uint8" | "B");
        let side = |id: &Id| match heap.get(*id) {
            Value::Int(side) => usize::try_from(*side).ok(),
            _ => None,
        };
        let shape = tuple(shape)?.iter().map(side).collect::<Option<_>>().filter(|_| is_bytes)?;
        let bytes = match heap.get(bytes) {
            Value::Bytes(span) => Bytes::Stored(*span),
            value @ Value::Object { arguments, .. }
                if heap.maker(value) == Some("_codecs.encode") =>
            {
                match *tuple(*arguments)? {
                    [text, codec] if heap.text(codec) == "latin1" => Bytes::Text(text),
                    _ => return None,
                }
            }
            _ => return None,
        };
        Some(Array { shape, bytes })
    }
}

fn unreadable(path: &Path, cause: &io::Error) -> WeightsError {
    let reason = match cause.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => cause.to_string().to_lowercase(),
    };
    WeightsError::Unreadable { path: path.to_owned(), reason }
}
