//! An activation on its own.

use candle_core::Result;

use crate::kernels::activation::{self, activation};
use crate::kernels::tape::Value;
use crate::plan::model::Activation;

use super::layer::{Layer, Pass};

impl Layer for activation::Activation {
    fn forward(&mut self, pass: &mut Pass, x: &Value) -> Result<Value> {
        activation(&mut pass.tape, x, *self)
    }
}

/// The kernel of an activation.
pub fn kernel(plan: Activation) -> activation::Activation {
    match plan {
        Activation::Relu => activation::Activation::Relu,
        Activation::Relu6 => activation::Activation::Relu6,
        Activation::LeakyRelu(slope) => activation::Activation::LeakyRelu(slope),
        Activation::Elu(alpha) => activation::Activation::Elu(alpha),
        Activation::Gelu => activation::Activation::Gelu,
        Activation::Silu => activation::Activation::Silu,
        Activation::Hardswish => activation::Activation::Hardswish,
        Activation::Tanh => activation::Activation::Tanh,
        Activation::Sigmoid => activation::Activation::Sigmoid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_joins_the_activations_that_kernels_can_apply_in_place() {
        for plan in [
            Activation::Relu,
            Activation::Relu6,
            Activation::LeakyRelu(0.01),
            Activation::LeakyRelu(0.0),
            Activation::LeakyRelu(1e-60),
            Activation::Elu(1.0),
            Activation::Elu(-1.0),
            Activation::Gelu,
            Activation::Silu,
            Activation::Hardswish,
            Activation::Tanh,
            Activation::Sigmoid,
        ] {
            assert_eq!(plan.is_known_by_result(), kernel(plan).is_known_by_result(), "{plan:?}");
        }
    }
}
