//! Files of weights from elsewhere, and which of their tensors are which parameters.
//!
//! [`Archive`] reads safetensors, PyTorch's `.pth` (of every age) and NumPy's `.npz` to `f32`, or bytes as they are;
//! [`Pickled`] a dict of texts, numbers and arrays of bytes.
//! Files come from strangers: nothing in them is run, what they claim is held against their length
//! before memory is taken for it, and whatever is wrong with them is an error that says what.

mod archive;
mod bundled;
mod container;
mod dtype;
mod entry;
mod error;
pub mod hub;
mod layout;
mod names;
mod npy;
mod npz;
mod pickle;
mod pickled;
mod rename;
mod report;
mod safetensors;
mod state_dict;
mod torch_legacy;
mod torch_zip;
mod view;

pub use archive::{Archive, Format};
pub use bundled::BUNDLED;
pub use dtype::Dtype;
pub use entry::Entry;
pub use error::WeightsError;
pub use names::match_names;
pub use pickled::Pickled;
pub use rename::{Rename, RenameError};
pub use report::{Clash, Match, Mismatch, Missing, Prefix, Report, WrongShape};

#[cfg(test)]
mod tests;
