//! `[batch, channels, height, width]` → `[batch, features]`.

use candle_core::Result;

use crate::kernels::arrange::flatten;
use crate::kernels::tape::Value;

use super::layer::{Layer, Pass};

/// Channels, height and width to one axis.
pub struct Flatten;

impl Layer for Flatten {
    fn forward(&mut self, pass: &mut Pass, x: &Value) -> Result<Value> {
        flatten(&mut pass.tape, x)
    }
}
