//! A network built from its plan.

use std::collections::BTreeMap;

use candle_core::{Device, Result, Tensor};

use crate::kernels::tape::{Gradients, Tape, Value, numbers};
use crate::kernels::update::assign;
use crate::plan::model::{LayerKind, LayerPlan, ModelPlan};

use super::activation::kernel;
use super::conv::Conv;
use super::dense::Dense;
use super::dropout::Dropout;
use super::flatten::Flatten;
use super::init::initial;
use super::layer::{Layer, Pass, Slots};
use super::norm::BatchNorm;
use super::pool::{AdaptiveAvgPool, AvgPool, MaxPool};

/// Tensors by name, sorted: shape and numbers. What a checkpoint holds of a network.
pub type Weights = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// A trainable tensor.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// `conv1.weight`.
    pub name: String,
    /// Its numbers, updated in place.
    pub tensor: Tensor,
}

/// Layers and their parameters.
pub struct Network {
    layers: Vec<Box<dyn Layer>>,
    parameters: Vec<Parameter>,
    seed: u64,
}

/// The output of a pass, and what is needed to go back.
pub struct Forward {
    /// `[batch, classes]`.
    pub logits: Value,
    /// The tape, to put a loss on.
    pub tape: Tape,
    leaves: Vec<Value>,
}

impl Forward {
    /// The gradients of `loss` by the network's parameters, in their order; zeros where a parameter
    /// has no influence.
    pub fn backward(self, loss: &Value) -> Result<Vec<Vec<f32>>> {
        let mut gradients: Gradients = self.tape.backward(loss)?;
        let zeros = |leaf: &Value| vec![0.0; leaf.tensor().elem_count()];
        Ok(self
            .leaves
            .iter()
            .map(|leaf| gradients.take(leaf).unwrap_or_else(|| zeros(leaf)))
            .collect())
    }
}

impl Network {
    /// The network of `plan` as it starts with `seed`.
    pub fn new(plan: &ModelPlan, seed: u64) -> Result<Network> {
        let mut parameters = Vec::new();
        let mut layers = Vec::new();
        for layer in &plan.layers {
            layers.push(build(layer, Slots { first: parameters.len() }));
            for parameter in layer.parameter_plans() {
                let values = initial(&parameter, seed);
                let tensor = Tensor::from_vec(values, parameter.shape, &Device::Cpu)?;
                parameters.push(Parameter { name: parameter.name, tensor });
            }
        }
        Ok(Network { layers, parameters, seed })
    }

    /// The trainable tensors in the order of the layers.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// One pass over `images`, `[batch, channels, height, width]`. `training` switches dropout and
    /// batch statistics on and records; `step` counts training batches.
    pub fn forward(&mut self, images: &Tensor, training: bool, step: u64) -> Result<Forward> {
        let mut tape = if training { Tape::recording() } else { Tape::inference() };
        let leaves: Vec<Value> =
            self.parameters.iter().map(|p| tape.leaf(&p.tensor, true)).collect();
        let mut x = tape.leaf(images, false);
        let mut pass = Pass { tape, parameters: &leaves, training, seed: self.seed, step };
        for layer in &mut self.layers {
            x = layer.forward(&mut pass, &x)?;
        }
        let tape = pass.tape;
        Ok(Forward { logits: x, tape, leaves })
    }

    /// A copy of all parameters and running statistics.
    pub fn weights(&mut self) -> Result<Weights> {
        let mut weights = Weights::new();
        for Parameter { name, tensor } in &self.parameters {
            weights.insert(name.clone(), (tensor.dims().to_vec(), numbers(tensor)?.to_vec()));
        }
        for layer in &mut self.layers {
            for (name, values) in layer.buffers() {
                weights.insert(name.to_owned(), (vec![values.len()], values.clone()));
            }
        }
        Ok(weights)
    }

    /// Takes all parameters and running statistics from `weights`.
    ///
    /// # Errors
    /// If one is missing or has another shape; then some may have been taken already.
    pub fn load(&mut self, weights: &Weights) -> Result<()> {
        let find = |name: &str, shape: &[usize]| match weights.get(name) {
            Some((found, values)) if found == shape => Ok(values),
            Some((found, _)) => {
                candle_core::bail!("{name} has shape {found:?}, the network needs {shape:?}")
            }
            None => candle_core::bail!("{name} is missing from the weights"),
        };
        for Parameter { name, tensor } in &self.parameters {
            assign(tensor, find(name, tensor.dims())?)?;
        }
        for layer in &mut self.layers {
            for (name, values) in layer.buffers() {
                let found = find(name, &[values.len()])?;
                values.copy_from_slice(found);
            }
        }
        Ok(())
    }
}

fn build(layer: &LayerPlan, slots: Slots) -> Box<dyn Layer> {
    let name = layer.name.as_str();
    match &layer.kind {
        LayerKind::Conv(plan) => Box::new(Conv::new(plan, name, slots)),
        LayerKind::Dense(plan) => Box::new(Dense::new(plan, name, slots)),
        LayerKind::MaxPool(plan) => Box::new(MaxPool(plan.clone())),
        LayerKind::AvgPool(plan) => Box::new(AvgPool(plan.clone())),
        LayerKind::AdaptiveAvgPool {} => {
            Box::new(AdaptiveAvgPool([layer.output[1], layer.output[2]]))
        }
        LayerKind::Flatten {} => Box::new(Flatten),
        LayerKind::BatchNorm(plan) => Box::new(BatchNorm::new(*plan, layer.input[0], name, slots)),
        LayerKind::Activation(plan) => Box::new(kernel(*plan)),
        LayerKind::Dropout(plan) => Box::new(Dropout::new(*plan, name)),
    }
}
