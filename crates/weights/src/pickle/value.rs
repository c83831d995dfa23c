//! What a pickle describes: plain values that refer to one another by number.

use crate::dtype::Dtype;
use crate::error::Fault;

use super::globals::Global;

/// No more values than this are made; the state dict of a large network has about 50 000.
const MAX_VALUES: usize = 1 << 19;

/// A value's place in its [`Heap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id(u32);

/// A value of Python.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    None,
    Bool(bool),
    Int(i64),
    /// A whole number beyond 64 bits, as its little-endian bytes.
    Long(Vec<u8>),
    Float(f64),
    Text(String),
    Bytes(Span),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    Storage(Storage),
    Tensor(Tensor),
    /// Something allowed of which nothing is needed.
    Opaque,
    /// What something foreign would make, by the places of its name, of the tuple of what it would be given, and of
    /// the state that it would get later; it is not made.
    Object {
        maker: Id,
        arguments: Id,
        state: Option<Id>,
    },
}

/// Where bytes stand in the file; they are not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u64,
    pub(crate) length: u64,
}

/// Consecutive numbers that tensors are views of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Storage {
    /// Its name in the file, a text.
    pub(crate) key: Id,
    /// The type of its numbers; `None` for plain bytes.
    pub(crate) dtype: Option<Dtype>,
    /// How many numbers, or bytes.
    pub(crate) length: u64,
    /// Where this storage begins inside the one that is in the file.
    pub(crate) offset: u64,
    /// How many numbers the one in the file has.
    pub(crate) whole: u64,
}

/// A tensor as a view of a storage.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tensor {
    /// What it is a view of, a storage. By number like all else: copies of what a file says once
    /// would let a small file fill the memory.
    pub(crate) storage: Id,
    pub(crate) dtype: Dtype,
    /// Its first element's place, in elements.
    pub(crate) offset: u64,
    pub(crate) shape: Vec<usize>,
    pub(crate) strides: Vec<usize>,
}

/// All values of one pickle. They refer by number, so that a value that holds itself or is nested
/// without end costs nothing.
#[derive(Debug, Default)]
pub(crate) struct Heap(Vec<Value>);

impl Heap {
    pub(super) fn add(&mut self, value: Value) -> Result<Id, Fault> {
        if self.0.len() == MAX_VALUES {
            return Err(Fault::unsupported(format!(
                "its pickle makes more than {MAX_VALUES} values; save the model's state dict alone"
            )));
        }
        self.0.push(value);
        Ok(Id(self.0.len() as u32 - 1))
    }

    pub(crate) fn get(&self, id: Id) -> &Value {
        &self.0[id.0 as usize]
    }

    /// The text at `id`, or nothing if it is none.
    pub(crate) fn text(&self, id: Id) -> &str {
        match self.get(id) {
            Value::Text(text) => text,
            _ => "",
        }
    }

    /// The name of the class or function that would make the object `value`; nothing if it is none.
    pub(crate) fn maker(&self, value: &Value) -> Option<&str> {
        match value {
            Value::Object { maker, .. } => match self.get(*maker) {
                Value::Global(Global::Foreign(name)) => Some(name),
                _ => None,
            },
            _ => None,
        }
    }

    /// Every storage that the pickle refers to, in order.
    pub(crate) fn storages(&self) -> impl Iterator<Item = &Storage> {
        self.0.iter().filter_map(|value| match value {
            Value::Storage(storage) => Some(storage),
            _ => None,
        })
    }

    pub(super) fn get_mut(&mut self, id: Id) -> &mut Value {
        &mut self.0[id.0 as usize]
    }
}

impl Storage {
    /// Bytes of one of its numbers; `None` for types that are not read.
    pub(crate) fn unit(&self) -> Option<u64> {
        self.dtype.as_ref().map_or(Some(1), |dtype| dtype.size().map(|size| size as u64))
    }
}

impl Value {
    /// What it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Value::None => "None",
            Value::Bool(_) => "a bool",
            Value::Int(_) | Value::Long(_) => "an int",
            Value::Float(_) => "a float",
            Value::Text(_) => "a str",
            Value::Bytes(_) => "bytes",
            Value::List(_) => "a list",
            Value::Tuple(_) => "a tuple",
            Value::Dict(_) => "a dict",
            Value::Global(_) => "a name",
            Value::Storage(_) => "a storage",
            Value::Tensor(_) => "a tensor",
            Value::Opaque | Value::Object { .. } => "an object",
        }
    }

    /// A plain number or text as text.
    pub(crate) fn scalar(&self) -> Option<String> {
        Some(match self {
            Value::Bool(value) => value.to_string(),
            Value::Int(value) => value.to_string(),
            Value::Float(value) => value.to_string(),
            Value::Text(text) => text.clone(),
            _ => return None,
        })
    }
}
