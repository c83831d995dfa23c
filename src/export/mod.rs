//! What other programs read. Trained networks: ONNX graphs, and weights under the names that PyTorch knows.
//! Results: runs for TensorBoard and MLflow, tables for anything else.

mod error;
mod fold;
mod onnx;
pub mod results;
mod weights;

pub use error::ExportError;
pub use onnx::{Exported, Input, OPSET, Options, onnx};
pub use weights::safetensors;
