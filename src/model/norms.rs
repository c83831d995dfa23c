//! Normalisations that see each image alone, and do the same in training and at test time.

use candle_core::Result;

use crate::kernels::group_norm::group_norm;
use crate::kernels::layer_norm::layer_norm;
use crate::kernels::layer_scale::{layer_scale, times};
use crate::kernels::response_norm::{LocalResponse, global_response_norm, local_response_norm};
use crate::kernels::tape::Value;
use crate::plan::model::{GroupNormPlan, LocalResponseNormPlan};

use super::layer::{Layer, Pass, Slots};

/// Each pixel over its channels. The slots hold weight and bias.
pub struct LayerNorm {
    /// Added to the variance.
    pub eps: f64,
    /// Weight and bias.
    pub slots: Slots,
}

impl Layer for LayerNorm {
    fn forward(&mut self, pass: &mut Pass, x: &Value) -> Result<Value> {
        let [weight, bias] = [0, 1].map(|slot| self.slots.get(pass, slot));
        layer_norm(&mut pass.tape, x, weight, bias, self.eps)
    }
}

/// Each image over groups of channels.
pub struct GroupNorm {
    /// Groups and eps.
    pub plan: GroupNormPlan,
    /// Weight and bias.
    pub slots: Slots,
}

impl Layer for GroupNorm {
    fn forward(&mut self, pass: &mut Pass, x: &Value) -> Result<Value> {
        let [weight, bias] = [0, 1].map(|slot| self.slots.get(pass, slot));
        let GroupNormPlan { groups, eps } = self.plan;
        group_norm(&mut pass.tape, x, weight, bias, groups, eps)
    }
}

/// Each number over those of the channels around it.
pub struct LocalResponseNorm(pub LocalResponseNormPlan);

impl Layer for LocalResponseNorm {
    fn forward(&mut self, pass: &mut Pass, x: &Value) -> Result<Value> {
        let LocalResponseNormPlan { size, alpha, beta, k } = self.0;
        local_response_norm(&mut pass.tape, x, LocalResponse { size, alpha, beta, k })
    }
}

/// Channels by their norms.
pub struct GlobalResponseNorm {
    /// Added to the mean of the norms.
    pub eps: f64,
    /// Weight and bias.
    pub slots: Slots,
}

impl Layer for GlobalResponseNorm {
    fn forward(&mut self, pass: &mut Pass, x: &Value) -> Result<Value> {
        let [weight, bias] = [0, 1].map(|slot| self.slots.get(pass, slot));
        global_response_norm(&mut pass.tape, x, weight, bias, self.eps)
    }
}

/// Channels times learnt numbers, which stand in the first slot.
pub struct LayerScale(pub Slots);

impl Layer for LayerScale {
    fn forward(&mut self, pass: &mut Pass, x: &Value) -> Result<Value> {
        let scale = self.0.get(pass, 0);
        layer_scale(&mut pass.tape, x, scale)
    }
}

/// All numbers times one that is not learnt.
pub struct ScaleBy(pub f64);

impl Layer for ScaleBy {
    fn forward(&mut self, pass: &mut Pass, x: &Value) -> Result<Value> {
        times(&mut pass.tape, x, self.0)
    }
}
