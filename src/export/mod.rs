//! Trained networks for other programs: ONNX graphs, and weights under the names that PyTorch knows.

mod error;
mod fold;
mod onnx;
mod weights;

pub use error::ExportError;
pub use onnx::{Exported, Input, OPSET, Options, onnx};
pub use weights::safetensors;
