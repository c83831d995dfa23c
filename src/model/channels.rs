//! Layers that move channels: parts of them, shuffles, channels of zeros; and a convolution across them.

use candle_core::Result;

use crate::kernels::arrange::{channels, reshape};
use crate::kernels::conv::conv2d;
use crate::kernels::tape::Value;
use crate::plan::model::AcrossChannelsPlan;

use super::layer::{Layer, Pass, Slots};

/// Other channels in the place of the channels: which one, or none for zeros.
pub struct Channels(pub Vec<Option<usize>>);

impl Layer for Channels {
    fn forward(&mut self, pass: &mut Pass, x: &Value) -> Result<Value> {
        channels(&mut pass.tape, x, &self.0)
    }
}

/// A convolution across channels, `[batch, channels, 1, 1]`: the channels are the rows of one map.
pub struct AcrossChannels {
    /// Its window.
    pub plan: AcrossChannelsPlan,
    /// The filter, `[1, 1, kernel]`.
    pub slots: Slots,
}

impl Layer for AcrossChannels {
    fn forward(&mut self, pass: &mut Pass, x: &Value) -> Result<Value> {
        let [batch, channels] = [x.dims()[0], x.dims()[1]];
        let filter = self.slots.get(pass, 0);
        let tape = &mut pass.tape;
        let filter = reshape(tape, filter, &[1, 1, self.plan.kernel, 1])?;
        let map = reshape(tape, x, &[batch, 1, channels, 1])?;
        let map = conv2d(tape, &map, &filter, None, self.plan.windows(), 1, None)?;
        reshape(tape, &map, &[batch, channels, 1, 1])
    }
}
