//! What conv and dense layers do after their product: normalise, activate, drop.

use candle_core::Result;

use crate::kernels::activation::{Activation, activation};
use crate::kernels::buffer::Buffer;
use crate::kernels::rectified_pool::rectified_max_pool2d;
use crate::kernels::tape::Value;
use crate::plan::model::{self, PoolPlan};

use super::activation::kernel;
use super::dropout::Dropout;
use super::layer::{Layer, Pass, Slots};
use super::norm::BatchNorm;

/// Norm, activation and dropout, each if planned. An activation whose derivative is known by its
/// result is done by the operation before it, in place.
pub struct Tail {
    norm: Option<BatchNorm>,
    activation: Option<Activation>,
    dropout: Option<Dropout>,
    is_rectified: bool,
}

impl Tail {
    /// The tail of layer `name` with `channels`; `norm` is the prefix of the norm's parameters,
    /// `slots` their place.
    pub fn new(plan: &model::Tail, channels: usize, name: &str, norm: &str, slots: Slots) -> Tail {
        Tail {
            norm: plan.norm.map(|settings| BatchNorm::new(settings, channels, norm, slots)),
            activation: plan.activation.map(kernel),
            dropout: plan.dropout.map(|dropout| Dropout::new(dropout, name)),
            is_rectified: plan.is_rectified(),
        }
    }

    /// The activation that the product itself has to apply.
    pub fn fused_with_product(&self) -> Option<Activation> {
        if self.norm.is_some() { None } else { self.fusible() }
    }

    /// As [`model::Tail::is_rectified`].
    pub fn is_rectified(&self) -> bool {
        self.is_rectified
    }

    /// The output of a max pool behind a tail that [is rectified](Self::is_rectified).
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

    fn fusible(&self) -> Option<Activation> {
        self.activation.filter(|activation| activation.is_known_by_result())
    }
}

impl Layer for Tail {
    fn forward(&mut self, pass: &mut Pass, x: &Value) -> Result<Value> {
        let fusible = self.fusible();
        let mut x = match &mut self.norm {
            Some(norm) => norm.forward_with(pass, x, fusible)?,
            None => x.clone(),
        };
        if let (Some(function), None) = (self.activation, fusible) {
            x = activation(&mut pass.tape, &x, function)?;
        }
        match &mut self.dropout {
            Some(dropout) if fusible == Some(Activation::Relu) => {
                dropout.forward_after_relu(pass, &x)
            }
            Some(dropout) => dropout.forward(pass, &x),
            None => Ok(x),
        }
    }

    fn buffers(&mut self) -> Vec<(&str, &mut Buffer)> {
        self.norm.as_mut().map(Layer::buffers).unwrap_or_default()
    }
}
