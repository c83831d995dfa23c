//! Activation functions as ONNX operators.

use std::f32::consts::SQRT_2;

use crate::basis::activation::Activation;

use super::graph::Graph;
use super::messages::Attribute;

impl Graph<'_> {
    /// Applies `activation` in the layer called `layer`; the name of the result.
    pub(super) fn activation(&mut self, layer: &str, activation: Activation, x: &str) -> String {
        match activation {
            Activation::Relu => self.node(layer, "Relu", &[x], []),
            Activation::Relu6 => {
                let (least, most) = (self.scalar(0.0), self.scalar(6.0));
                self.node(layer, "Clip", &[x, &least, &most], [])
            }
            Activation::LeakyRelu(slope) => {
                self.node(layer, "LeakyRelu", &[x], [Attribute::float("alpha", slope)])
            }
            Activation::Elu(alpha) => {
                self.node(layer, "Elu", &[x], [Attribute::float("alpha", alpha)])
            }
            // An operator of its own came with set 20. Runtimes know this form and join it again.
            Activation::Gelu => {
                let (root, one, half) = (self.scalar(SQRT_2), self.scalar(1.0), self.scalar(0.5));
                let scaled = self.node(layer, "Div", &[x, &root], []);
                let erf = self.node(layer, "Erf", &[&scaled], []);
                let twice = self.node(layer, "Add", &[&erf, &one], []);
                let product = self.node(layer, "Mul", &[x, &twice], []);
                self.node(layer, "Mul", &[&product, &half], [])
            }
            Activation::Silu => {
                let gate = self.node(layer, "Sigmoid", &[x], []);
                self.node(layer, "Mul", &[x, &gate], [])
            }
            Activation::Hardswish => self.node(layer, "HardSwish", &[x], []),
            Activation::Tanh => self.node(layer, "Tanh", &[x], []),
            Activation::Sigmoid => self.node(layer, "Sigmoid", &[x], []),
            Activation::Hardsigmoid => {
                self.node(layer, "HardSigmoid", &[x], [Attribute::float("alpha", 1.0 / 6.0)])
            }
        }
    }
}
