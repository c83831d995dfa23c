//! An activation on its own.

use candle_core::Result;

use crate::kernels::activation::{Activation, activation};
use crate::kernels::tape::Value;

use super::layer::{Layer, Pass};

impl Layer for Activation {
    fn forward(&mut self, pass: &mut Pass, x: &Value) -> Result<Value> {
        activation(&mut pass.tape, x, *self)
    }
}
