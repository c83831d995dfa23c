//! Activation functions by name: what an experiment writes, a plan stores and kernels compute.

use std::fmt;
use std::mem::discriminant;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// Activation functions: a name, or `{ leaky-relu = slope }`, `{ elu = alpha }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// max(0, x).
    Relu,
    /// min(max(0, x), 6).
    Relu6,
    /// x for x > 0, slope · x below; slope 0.01 if not given.
    #[serde(deserialize_with = "slope")]
    #[schemars(with = "Option<f64>")]
    LeakyRelu(f64),
    /// x for x > 0, alpha · (eˣ − 1) below; alpha 1 if not given.
    #[serde(deserialize_with = "alpha")]
    #[schemars(with = "Option<f64>")]
    Elu(f64),
    /// x · Φ(x), with the exact normal distribution.
    Gelu,
    /// x · sigmoid(x).
    Silu,
    /// x · relu6(x + 3) / 6.
    Hardswish,
    /// Hyperbolic tangent.
    Tanh,
    /// 1 / (1 + e⁻ˣ).
    Sigmoid,
    /// relu6(x + 3) / 6.
    Hardsigmoid,
}

/// A name alone stands for the usual slope.
fn slope<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Option::deserialize(deserializer).map(|slope| slope.unwrap_or(0.01))
}

/// A name alone stands for the usual alpha.
fn alpha<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Option::deserialize(deserializer).map(|alpha| alpha.unwrap_or(1.0))
}

impl Activation {
    /// Every function, with its usual number.
    pub const ALL: [Activation; 10] = [
        Activation::Relu,
        Activation::Relu6,
        Activation::LeakyRelu(0.01),
        Activation::Elu(1.0),
        Activation::Gelu,
        Activation::Silu,
        Activation::Hardswish,
        Activation::Tanh,
        Activation::Sigmoid,
        Activation::Hardsigmoid,
    ];

    /// The names of [`ALL`](Self::ALL).
    pub const NAMES: [&'static str; 10] = [
        "relu",
        "relu6",
        "leaky-relu",
        "elu",
        "gelu",
        "silu",
        "hardswish",
        "tanh",
        "sigmoid",
        "hardsigmoid",
    ];

    /// Whether the derivative can be told from the result alone; then the input need not be kept,
    /// and the function can be applied in place at the end of another operation.
    pub fn is_known_by_result(self) -> bool {
        match self {
            Activation::Relu
            | Activation::Relu6
            | Activation::Tanh
            | Activation::Sigmoid
            | Activation::Hardsigmoid => true,
            Activation::LeakyRelu(slope) => slope as f32 > 0.0,
            Activation::Elu(alpha) => alpha as f32 > 0.0,
            Activation::Gelu | Activation::Silu | Activation::Hardswish => false,
        }
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let index = Activation::ALL.iter().position(|it| discriminant(it) == discriminant(self));
        f.write_str(index.map_or("", |index| Activation::NAMES[index]))?;
        match self {
            Activation::LeakyRelu(number) | Activation::Elu(number) => write!(f, " {number}"),
            _ => Ok(()),
        }
    }
}
