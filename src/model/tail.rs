//! What conv and dense layers do after their product: normalise, activate, drop.

use candle_core::Result;

use crate::kernels::activation::{Activation, activation};
use crate::kernels::buffer::Buffer;
use crate::kernels::rectified_pool::rectified_max_pool2d;
use crate::kernels::tape::Value;
use crate::plan::fusion::Fusion;
use crate::plan::model::{self, PoolPlan};

use super::dropout::Dropout;
use super::layer::{Layer, Pass, Slots};
use super::norm::BatchNorm;

/// Norm, activation and dropout, each if planned.
pub struct Tail {
    fusion: Fusion,
    norm: Option<BatchNorm>,
    dropout: Option<Dropout>,
}

impl Tail {
    /// The tail of layer `name` with `channels`; `norm` is the prefix of the norm's parameters,
    /// `slots` their place.
    pub fn new(plan: &model::Tail, channels: usize, name: &str, norm: &str, slots: Slots) -> Tail {
        Tail {
            fusion: Fusion::of(plan),
            norm: plan.norm.map(|settings| BatchNorm::new(settings, channels, norm, slots)),
            dropout: plan.dropout.map(|dropout| Dropout::new(dropout, name)),
        }
    }

    /// The activation that the product itself has to apply.
    pub fn fused_with_product(&self) -> Option<Activation> {
        self.fusion.product
    }

    /// The output of the max pool behind, which runs as one with this tail.
    pub fn forward_into_pool(
        &mut self,
        pass: &mut Pass,
        x: &Value,
        pool: &PoolPlan,
    ) -> Result<Value> {
        let dropping = self.dropout.as_ref().and_then(|dropout| dropout.dropping(pass));
        match &mut self.norm {
            Some(norm) => norm.forward_into_pool(pass, x, dropping, pool),
            None => rectified_max_pool2d(&mut pass.tape, x, dropping, pool.windows(), pool.ceil),
        }
    }
}

impl Layer for Tail {
    fn forward(&mut self, pass: &mut Pass, x: &Value) -> Result<Value> {
        let mut x = match &mut self.norm {
            Some(norm) => norm.forward_with(pass, x, self.fusion.norm)?,
            None => x.clone(),
        };
        if let Some(function) = self.fusion.alone {
            x = activation(&mut pass.tape, &x, function)?;
        }
        match &mut self.dropout {
            Some(dropout) if self.fusion.drops_in_place => dropout.forward_in_place(pass, &x),
            Some(dropout) => dropout.forward(pass, &x),
            None => Ok(x),
        }
    }

    fn buffers(&mut self) -> Vec<(&str, &mut Buffer)> {
        self.norm.as_mut().map(Layer::buffers).unwrap_or_default()
    }
}
