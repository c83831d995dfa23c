//! Inverted dropout: in training only, with a mask for each layer and step.

use candle_core::Result;

use crate::basis::seed::derive;
use crate::kernels::dropout::{Granularity, drop_images, drop_in_place, dropout};
use crate::kernels::tape::Value;
use crate::plan::model::DropoutPlan;

use super::layer::{Layer, Pass};

/// Dropout of elements or channels.
pub struct Dropout {
    plan: DropoutPlan,
    purpose: String,
}

impl Dropout {
    /// Dropout in the layer called `name`.
    pub fn new(plan: DropoutPlan, name: &str) -> Dropout {
        Dropout { plan, purpose: format!("dropout {name}") }
    }
}

impl Dropout {
    /// Drops what a ReLU at the end of another operation has made, which nothing else looks at.
    pub fn forward_after_relu(&mut self, pass: &mut Pass, x: &Value) -> Result<Value> {
        if !pass.training || self.plan.p == 0.0 || self.plan.channels {
            return self.forward(pass, x);
        }
        let stream = derive(pass.seed, &self.purpose, &[pass.step]);
        drop_in_place(&mut pass.tape, x, self.plan.p, stream)
    }
}

impl Layer for Dropout {
    fn forward(&mut self, pass: &mut Pass, x: &Value) -> Result<Value> {
        if !pass.training || self.plan.p == 0.0 {
            return Ok(x.clone());
        }
        let granularity =
            if self.plan.channels { Granularity::Channels } else { Granularity::Elements };
        let stream = derive(pass.seed, &self.purpose, &[pass.step]);
        dropout(&mut pass.tape, x, self.plan.p, granularity, stream)
    }
}

/// Leaves out what came before for whole images.
pub struct StochasticDepth {
    p: f64,
    purpose: String,
}

impl StochasticDepth {
    /// Stochastic depth in the layer called `name`.
    pub fn new(p: f64, name: &str) -> StochasticDepth {
        StochasticDepth { p, purpose: format!("stochastic-depth {name}") }
    }
}

impl Layer for StochasticDepth {
    fn forward(&mut self, pass: &mut Pass, x: &Value) -> Result<Value> {
        if !pass.training {
            return Ok(x.clone());
        }
        let stream = derive(pass.seed, &self.purpose, &[pass.step]);
        drop_images(&mut pass.tape, x, self.p, stream)
    }
}
