//! Batch normalisation with running statistics.

use candle_core::Result;

use crate::basis::seed::Stream;
use crate::config::layer_settings::BatchNormSettings;
use crate::kernels::activation::Activation;
use crate::kernels::buffer::Buffer;
use crate::kernels::norm::{BatchStatistics, Statistics, batch_norm};
use crate::kernels::rectified_pool::normalised_max_pool2d;
use crate::kernels::tape::{Tape, Value};
use crate::plan::model::PoolPlan;

use super::layer::{Layer, Pass, Slots};

/// Batch normalisation: the batch's own statistics in training, their exponential averages in
/// evaluation.
pub struct BatchNorm {
    plan: BatchNormSettings,
    slots: Slots,
    names: [String; 2],
    running_mean: Buffer,
    running_variance: Buffer,
}

impl BatchNorm {
    /// Over `channels`; `prefix` is that of its parameters, `slots` their place (weight, if it has one, and bias).
    pub fn new(plan: BatchNormSettings, channels: usize, prefix: &str, slots: Slots) -> BatchNorm {
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
        self.run(pass, |tape, [gamma, beta], eps, statistics| {
            batch_norm(tape, x, gamma, beta, eps, statistics, activation)
        })
    }

    /// The output of a max pool of the ReLU, some of which is dropped, of what is normalised.
    pub fn forward_into_pool(
        &mut self,
        pass: &mut Pass,
        x: &Value,
        dropping: Option<(f64, Stream)>,
        pool: &PoolPlan,
    ) -> Result<Value> {
        self.run(pass, |tape, affine, eps, statistics| {
            let (windows, ceil) = (pool.windows(), pool.ceil);
            normalised_max_pool2d(tape, x, affine, eps, statistics, dropping, windows, ceil)
        })
    }

    /// An operation on gamma and beta that normalises.
    fn run(
        &mut self,
        pass: &mut Pass,
        operation: impl FnOnce(
            &mut Tape,
            [&Value; 2],
            f64,
            Statistics,
        ) -> Result<(Value, Option<BatchStatistics>)>,
    ) -> Result<Value> {
        let ones;
        let affine = if self.plan.weight {
            [0, 1].map(|slot| self.slots.get(pass, slot))
        } else {
            let beta = self.slots.get(pass, 0);
            ones = pass.tape.leaf(&beta.tensor().ones_like()?, false);
            [&ones, beta]
        };
        let statistics = if pass.training {
            Statistics::Batch
        } else {
            Statistics::Running { mean: &self.running_mean, variance: &self.running_variance }
        };
        let (y, found) = operation(&mut pass.tape, affine, self.plan.eps, statistics)?;
        let share = pass.running.share(self.plan.momentum as f32);
        if let (Some(found), Some(share)) = (found, share) {
            self.running_mean.blend(&found.mean, share)?;
            self.running_variance.blend(&found.unbiased_variance, share)?;
        }
        Ok(y)
    }
}

impl Layer for BatchNorm {
    fn forward(&mut self, pass: &mut Pass, x: &Value) -> Result<Value> {
        self.forward_with(pass, x, None)
    }

    fn forward_activated(
        &mut self,
        pass: &mut Pass,
        x: &Value,
        activation: Activation,
    ) -> Result<Value> {
        self.forward_with(pass, x, Some(activation))
    }

    fn buffers(&mut self) -> Vec<(&str, &mut Buffer)> {
        let [mean, variance] = &self.names;
        vec![(mean, &mut self.running_mean), (variance, &mut self.running_variance)]
    }
}
