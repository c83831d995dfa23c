//! Pooling layers.

use candle_core::Result;

use crate::config::layer::ChannelPooling;
use crate::kernels::blur_pool::blur_pool2d;
use crate::kernels::channel_pool::{channel_max, channel_mean};
use crate::kernels::pool::{adaptive_avg_pool2d, adaptive_max_pool2d, avg_pool2d, max_pool2d};
use crate::kernels::tape::Value;
use crate::plan::model::{AvgPoolPlan, BlurPoolPlan, PoolPlan};

use super::layer::{Layer, Pass};

/// Maximum over windows.
pub struct MaxPool(pub PoolPlan);

impl Layer for MaxPool {
    fn forward(&mut self, pass: &mut Pass, x: &Value) -> Result<Value> {
        max_pool2d(&mut pass.tape, x, self.0.windows(), self.0.ceil)
    }
}

/// Mean over windows.
pub struct AvgPool(pub AvgPoolPlan);

impl Layer for AvgPool {
    fn forward(&mut self, pass: &mut Pass, x: &Value) -> Result<Value> {
        let AvgPoolPlan { pool, count_padding } = &self.0;
        avg_pool2d(&mut pass.tape, x, pool.windows(), pool.ceil, *count_padding)
    }
}

/// Mean over windows with binomial weights.
pub struct BlurPool(pub BlurPoolPlan);

impl Layer for BlurPool {
    fn forward(&mut self, pass: &mut Pass, x: &Value) -> Result<Value> {
        blur_pool2d(&mut pass.tape, x, self.0.windows())
    }
}

impl Layer for ChannelPooling {
    fn forward(&mut self, pass: &mut Pass, x: &Value) -> Result<Value> {
        match self {
            ChannelPooling::Mean => channel_mean(&mut pass.tape, x),
            ChannelPooling::Max => channel_max(&mut pass.tape, x),
        }
    }
}

/// Mean over bins: the output height and width.
pub struct AdaptiveAvgPool(pub [usize; 2]);

impl Layer for AdaptiveAvgPool {
    fn forward(&mut self, pass: &mut Pass, x: &Value) -> Result<Value> {
        adaptive_avg_pool2d(&mut pass.tape, x, self.0)
    }
}

/// Maximum over bins: the output height and width.
pub struct AdaptiveMaxPool(pub [usize; 2]);

impl Layer for AdaptiveMaxPool {
    fn forward(&mut self, pass: &mut Pass, x: &Value) -> Result<Value> {
        adaptive_max_pool2d(&mut pass.tape, x, self.0)
    }
}
