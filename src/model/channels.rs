//! Layers that move channels: parts of them, shuffles, channels of zeros.

use candle_core::Result;

use crate::kernels::arrange::channels;
use crate::kernels::tape::Value;

use super::layer::{Layer, Pass};

/// Other channels in the place of the channels: which one, or none for zeros.
pub struct Channels(pub Vec<Option<usize>>);

impl Layer for Channels {
    fn forward(&mut self, pass: &mut Pass, x: &Value) -> Result<Value> {
        channels(&mut pass.tape, x, &self.0)
    }
}
