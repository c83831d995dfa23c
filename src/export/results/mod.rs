//! Results for the tools that people have: TensorBoard, MLflow, and anything that reads tables.
//!
//! These tools want times of day. A results folder knows none, so time begins at 0 (1970) in every trial and
//! goes on as `timings.csv` says: durations are true, dates are not, and the same folder gives the same bytes.

mod column;
mod error;
mod long;
mod mlflow;
mod names;
mod parquet;
mod runs;
mod tensorboard;
mod typed;

pub use error::ExportError;
pub use long::{Ending, long};
pub use mlflow::mlflow;
pub use tensorboard::tensorboard;
