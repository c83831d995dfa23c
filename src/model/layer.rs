//! What a layer is: something that takes a value on, with parameters of its own.

use candle_core::Result;

use crate::kernels::activation::Activation;
use crate::kernels::buffer::Buffer;
use crate::kernels::tape::{Tape, Value};
use crate::plan::model::PoolPlan;

/// One pass over one batch.
pub struct Pass<'a> {
    /// Records while training.
    pub tape: Tape,
    /// The parameters of the network on the tape, in the network's order.
    pub parameters: &'a [Value],
    /// Whether batch statistics and dropout are in force. Never baked into a layer.
    pub training: bool,
    /// The trial's seed, for dropout.
    pub seed: u64,
    /// Batches trained on so far, for dropout.
    pub step: u64,
    /// What becomes of running statistics.
    pub running: Running,
}

/// What a batch in training does to running statistics.
#[derive(Clone, Copy, Debug)]
pub enum Running {
    /// It has the share in them that the layer's momentum says.
    ByMomentum,
    /// It has this share.
    Share(f32),
    /// Nothing: it has been counted already.
    Kept,
}

impl Running {
    /// The share of the batch for a layer with `momentum`; none: it has none.
    pub fn share(self, momentum: f32) -> Option<f32> {
        match self {
            Running::ByMomentum => Some(momentum),
            Running::Share(share) => Some(share),
            Running::Kept => None,
        }
    }
}

impl<'a> Pass<'a> {
    /// One at test time.
    pub fn inference(tape: Tape, parameters: &'a [Value], seed: u64) -> Pass<'a> {
        Pass { tape, parameters, training: false, seed, step: 0, running: Running::Kept }
    }
}

/// A part of the network.
pub trait Layer: Send {
    /// The output for `x`; shapes are those of the plan, with the batch axis in front.
    fn forward(&mut self, pass: &mut Pass, x: &Value) -> Result<Value>;

    /// The output of the max pool `pool` behind this layer, where the plan runs both as one.
    ///
    /// # Errors
    /// If the layer is no convolution.
    fn forward_into_pool(&mut self, _: &mut Pass, _: &Value, _: &PoolPlan) -> Result<Value> {
        candle_core::bail!("only a convolution runs as one with a pool")
    }

    /// The output of `activation` behind this layer, where the plan runs both as one.
    ///
    /// # Errors
    /// If the layer is no batch norm.
    fn forward_activated(&mut self, _: &mut Pass, _: &Value, _: Activation) -> Result<Value> {
        candle_core::bail!("only a batch norm runs as one with an activation")
    }

    /// What the layer remembers besides parameters: name and numbers. Running statistics.
    fn buffers(&mut self) -> Vec<(&str, &mut Buffer)> {
        Vec::new()
    }
}

/// Where the parameters of a layer stand among those of the network.
#[derive(Clone, Copy, Debug)]
pub struct Slots {
    /// Place of the first one.
    pub first: usize,
}

impl Slots {
    /// The parameter `offset` places behind the first.
    pub fn get<'a>(&self, pass: &Pass<'a>, offset: usize) -> &'a Value {
        &pass.parameters[self.first + offset]
    }
}
