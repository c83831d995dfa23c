//! A convolutional layer.

use candle_core::Result;

use crate::basis::shape::Window;
use crate::kernels::activation::Activation;
use crate::kernels::arrange::reshape;
use crate::kernels::buffer::Buffer;
use crate::kernels::conv::conv2d;
use crate::kernels::tape::Value;
use crate::plan::model::{ConvPlan, PoolPlan};

use super::layer::{Layer, Pass, Slots};
use super::tail::Tail;

/// Convolution, then its tail: `[batch, channels, height, width]` → `[batch, filters, out, out]`.
pub struct Conv {
    windows: [Window; 2],
    groups: usize,
    /// The shape in which a convolution takes the weights of a dense layer.
    dense: Option<[usize; 4]>,
    has_bias: bool,
    slots: Slots,
    tail: Tail,
}

impl Conv {
    /// The layer `name` on so many `channels`, whose parameters stand at `slots`; `norm` is the prefix of its norm's.
    pub fn new(plan: &ConvPlan, channels: usize, name: &str, norm: &str, slots: Slots) -> Conv {
        let behind = Slots { first: slots.first + 1 + usize::from(plan.bias) };
        Conv {
            windows: plan.windows(),
            groups: plan.groups,
            dense: plan.dense.then_some([plan.filters, channels, 1, 1]),
            has_bias: plan.bias,
            slots,
            tail: Tail::new(&plan.tail, plan.filters, name, norm, behind),
        }
    }
}

impl Conv {
    fn product(&self, pass: &mut Pass, x: &Value, fused: Option<Activation>) -> Result<Value> {
        let own = self.slots.get(pass, 0);
        let weight = match self.dense {
            Some(shape) => &reshape(&mut pass.tape, own, &shape)?,
            None => own,
        };
        let bias = self.has_bias.then(|| self.slots.get(pass, 1));
        conv2d(&mut pass.tape, x, weight, bias, self.windows, self.groups, fused)
    }
}

impl Layer for Conv {
    fn forward(&mut self, pass: &mut Pass, x: &Value) -> Result<Value> {
        let y = self.product(pass, x, self.tail.fused_with_product())?;
        self.tail.forward(pass, &y)
    }

    fn forward_into_pool(&mut self, pass: &mut Pass, x: &Value, pool: &PoolPlan) -> Result<Value> {
        let y = self.product(pass, x, None)?;
        self.tail.forward_into_pool(pass, &y, pool)
    }

    fn buffers(&mut self) -> Vec<(&str, &mut Buffer)> {
        self.tail.buffers()
    }
}
