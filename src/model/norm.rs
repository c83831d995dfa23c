//! Batch normalisation with running statistics.

use candle_core::Result;

use crate::kernels::activation::Activation;
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
    running_mean: Vec<f32>,
    running_variance: Vec<f32>,
}

impl BatchNorm {
    /// Over `channels`; `prefix` is that of its parameters, `slots` their place (weight, bias).
    pub fn new(plan: BatchNormPlan, channels: usize, prefix: &str, slots: Slots) -> BatchNorm {
        BatchNorm {
            plan,
            slots,
            // PyTorch's names.
            names: [format!("{prefix}.running_mean"), format!("{prefix}.running_var")],
            running_mean: vec![0.0; channels],
            running_variance: vec![1.0; channels],
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
            let average = |running: &mut [f32], new: &[f32]| {
                running
                    .iter_mut()
                    .zip(new)
                    .for_each(|(r, n)| *r = (1.0 - momentum) * *r + momentum * n);
            };
            average(&mut self.running_mean, &found.mean);
            average(&mut self.running_variance, &found.unbiased_variance);
        }
        Ok(y)
    }
}

impl Layer for BatchNorm {
    fn forward(&mut self, pass: &mut Pass, x: &Value) -> Result<Value> {
        self.forward_with(pass, x, None)
    }

    fn buffers(&mut self) -> Vec<(&str, &mut Vec<f32>)> {
        let [mean, variance] = &self.names;
        vec![(mean, &mut self.running_mean), (variance, &mut self.running_variance)]
    }
}
