//! Batch normalisation with running statistics.

use candle_core::Result;

use crate::kernels::activation::Activation;
use crate::kernels::buffer::Buffer;
use crate::kernels::norm::{Statistics, batch_norm};
use crate::kernels::tape::Value;
use crate::plan::model::BatchNormPlan;

use super::layer::{Layer, Pass, Slots};

/// Batch normalisation: the batch's own statistics in training, their exponential averages in
/// evaluation.
pub struct BatchNorm {
    plan: BatchNormPlan,
    slots: Slots,
    names: [String; 2],
    running_mean: Buffer,
    running_variance: Buffer,
}

impl BatchNorm {
    /// Over `channels`; `prefix` is that of its parameters, `slots` their place (weight, bias).
    pub fn new(plan: BatchNormPlan, channels: usize, prefix: &str, slots: Slots) -> BatchNorm {
        BatchNorm {
            plan,
            slots,
            // PyTorch's names.
            names: [format!("{prefix}.running_mean"), format!("{prefix}.running_var")],
            running_mean: Buffer::Host(vec![0.0; channels]),
            running_variance: Buffer::Host(vec![1.0; channels]),
        }
    }

    /// Normalises and activates.
    pub fn forward_with(
        &mut self,
        pass: &mut Pass,
        x: &Value,
        activation: Option<Activation>,
    ) -> Result<Value> {
        let (gamma, beta) = (self.slots.get(pass, 0), self.slots.get(pass, 1));
        let statistics = if pass.training {
            Statistics::Batch
        } else {
            Statistics::Running { mean: &self.running_mean, variance: &self.running_variance }
        };
        let eps = self.plan.eps;
        let (y, found) = batch_norm(&mut pass.tape, x, gamma, beta, eps, statistics, activation)?;
        if let Some(found) = found {
            let momentum = self.plan.momentum as f32;
            self.running_mean.blend(&found.mean, momentum)?;
            self.running_variance.blend(&found.unbiased_variance, momentum)?;
        }
        Ok(y)
    }
}

impl Layer for BatchNorm {
    fn forward(&mut self, pass: &mut Pass, x: &Value) -> Result<Value> {
        self.forward_with(pass, x, None)
    }

    fn buffers(&mut self) -> Vec<(&str, &mut Buffer)> {
        let [mean, variance] = &self.names;
        vec![(mean, &mut self.running_mean), (variance, &mut self.running_variance)]
    }
}
