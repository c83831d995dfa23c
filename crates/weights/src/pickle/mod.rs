//! Pickles of state dicts, read without running anything that a file says.
//!
//! Python's `pickle` calls whatever a file names. The unpickler here knows the opcodes that
//! `torch.save` uses (protocols 2 to 5) and a list of names that belong to tensors; what these
//! would do in Python is described by plain values. Any other name stands for an object of which
//! nothing is known, such as the arguments of a training script: it is passed over, and nothing of it is
//! made. Names that only an attack would use, and unknown ones that could be tensors, are errors.
//! Everything that a file can make grow has a bound: bytes read, steps, values, open marks.

mod globals;
mod rebuild;
mod stream;
mod unpickler;
mod value;

pub(super) use stream::Stream;
pub(super) use unpickler::load;
pub(super) use value::{Heap, Id, Span, Storage, Tensor, Value};
