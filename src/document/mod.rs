//! A document as it was written: values that know their places, layers that are merged, types that are
//! read, and problems with code frames. Knows nothing of what keys mean.

pub mod merge;
pub mod parse;
mod path;
mod problem;
mod read;
pub mod suggest;
mod tree;
mod written_path;

pub use path::{KeyPath, Segment};
pub use problem::{Problem, Problems};
pub use read::read;
pub use tree::{BUILT_IN, Content, Entry, Node, Place, SourceFile};
pub use written_path::WrittenPath;
