//! Pooling layers.

use candle_core::Result;

use crate::kernels::pool::{adaptive_avg_pool2d, adaptive_max_pool2d, avg_pool2d, max_pool2d};
use crate::kernels::tape::Value;
use crate::plan::model::{AvgPoolPlan, PoolPlan};

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
