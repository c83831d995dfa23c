//! Inverted dropout: in training only, with a mask for each layer and step.

use candle_core::Result;

use crate::basis::seed::{Stream, derive};
use crate::config::layer_settings::DropoutSettings;
use crate::kernels::dropout::{Granularity, drop_images, drop_in_place, dropout};
use crate::kernels::tape::Value;

use super::layer::{Layer, Pass};

/// Dropout of elements or channels.
pub struct Dropout {
    plan: DropoutSettings,
    purpose: String,
}

impl Dropout {
    /// Dropout in the layer called `name`.
    pub fn new(plan: DropoutSettings, name: &str) -> Dropout {
        Dropout { plan, purpose: format!("dropout {name}") }
    }
}

impl Dropout {
    /// The probability with which elements are dropped in this pass, and what decides; none if none
    /// are.
    pub fn dropping(&self, pass: &Pass) -> Option<(f64, Stream)> {
        let drops = pass.training && self.plan.p > 0.0;
        drops.then(|| (self.plan.p, derive(pass.seed, &self.purpose, &[pass.step])))
    }

    /// Drops elements of what a ReLU at the end of another operation has made, which nothing else
    /// looks at.
    pub fn forward_in_place(&mut self, pass: &mut Pass, x: &Value) -> Result<Value> {
        match self.dropping(pass) {
            Some((p, stream)) => drop_in_place(&mut pass.tape, x, p, stream),
            None => Ok(x.clone()),
        }
    }
}

impl Layer for Dropout {
    fn forward(&mut self, pass: &mut Pass, x: &Value) -> Result<Value> {
        let Some((p, stream)) = self.dropping(pass) else { return Ok(x.clone()) };
        let granularity =
            if self.plan.channels { Granularity::Channels } else { Granularity::Elements };
        dropout(&mut pass.tape, x, p, granularity, stream)
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
