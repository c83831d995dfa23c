//! Pickles of state dicts, read without running anything that a file says.
//!
//! Python's `pickle` calls whatever a file names. The unpickler here knows the opcodes that
//! `torch.save` uses (protocols 2 to 5) and a list of names that belong to tensors; what these
//! would do in Python is described by plain values, and any other name is an error. Everything
//! that a file can make grow has a bound: bytes read, steps, values, open marks.

mod globals;
mod rebuild;
mod stream;
mod unpickler;
mod value;

pub(super) use stream::Stream;
pub(super) use unpickler::load;
pub(super) use value::{Heap, Id, Storage, Tensor, Value};
