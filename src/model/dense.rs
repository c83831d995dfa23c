//! A fully connected layer.

use candle_core::Result;

use crate::kernels::buffer::Buffer;
use crate::kernels::dense::dense;
use crate::kernels::tape::Value;
use crate::plan::model::DensePlan;

use super::layer::{Layer, Pass, Slots};
use super::tail::Tail;

/// Product and bias, then the tail: `[batch, inputs]` → `[batch, neurons]`.
pub struct Dense {
    has_bias: bool,
    slots: Slots,
    tail: Tail,
}

impl Dense {
    /// The layer `name`, whose parameters stand at `slots`; `norm` is the prefix of its norm's.
    pub fn new(plan: &DensePlan, name: &str, norm: &str, slots: Slots) -> Dense {
        let behind = Slots { first: slots.first + 1 + usize::from(plan.bias) };
        Dense {
            has_bias: plan.bias,
            slots,
            tail: Tail::new(&plan.tail, plan.neurons, name, norm, behind),
        }
    }
}

impl Layer for Dense {
    fn forward(&mut self, pass: &mut Pass, x: &Value) -> Result<Value> {
        let weight = self.slots.get(pass, 0);
        let bias = self.has_bias.then(|| self.slots.get(pass, 1));
        let y = dense(&mut pass.tape, x, weight, bias, self.tail.fused_with_product())?;
        self.tail.forward(pass, &y)
    }

    fn buffers(&mut self) -> Vec<(&str, &mut Buffer)> {
        self.tail.buffers()
    }
}
