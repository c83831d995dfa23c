//! Where branches of the network meet.

use candle_core::Result;

use crate::kernels::activation::Activation;
use crate::kernels::merge::{concat, product, scale, sum};
use crate::kernels::tape::Value;

use super::layer::Pass;

/// What makes one value of several.
pub enum Merge {
    /// Added, then activated.
    Sum(Option<Activation>),
    /// Multiplied element by element.
    Product,
    /// One behind the other along the channels.
    Concat,
    /// One behind the other along the rows.
    ConcatRows,
    /// The first one's channels or pixels by the factors in the second.
    Scale,
}

impl Merge {
    /// The output for `inputs`, of which there are two at least.
    pub fn forward(&self, pass: &mut Pass, inputs: &[Value]) -> Result<Value> {
        match self {
            Merge::Sum(activation) => sum(&mut pass.tape, inputs, *activation),
            Merge::Product => product(&mut pass.tape, inputs),
            Merge::Concat => concat(&mut pass.tape, inputs, 1),
            Merge::ConcatRows => concat(&mut pass.tape, inputs, 2),
            Merge::Scale => scale(&mut pass.tape, &inputs[0], &inputs[1]),
        }
    }
}
