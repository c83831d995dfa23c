//! A network built from its plan.

use std::collections::BTreeMap;

use candle_core::{Device, Result, Tensor};

use crate::kernels::tape::{Gradients, Tape, Value, numbers};
use crate::kernels::update::assign;
use crate::plan::model::{LayerKind, LayerPlan, ModelPlan};

use super::activation::kernel;
use super::conv::Conv;
use super::dense::Dense;
use super::dropout::{Dropout, StochasticDepth};
use super::flatten::Flatten;
use super::init::initial;
use super::layer::{Layer, Pass, Slots};
use super::merge::Merge;
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
    layers: Vec<Part>,
    /// Numbers of the layers that give auxiliary logits, counted from 1.
    heads: Vec<usize>,
    parameters: Vec<Parameter>,
    seed: u64,
}

/// A layer and where it stands among the others.
struct Part {
    step: Step,
    /// 0 for the images, else the number of a layer, counted from 1.
    sources: Vec<usize>,
    /// Whether evaluation needs it, and training.
    needed: [bool; 2],
}

/// What is done to the values that come in.
enum Step {
    One(Box<dyn Layer>),
    Many(Merge),
}

/// The output of a pass, and what is needed to go back.
pub struct Forward {
    /// `[batch, classes]`.
    pub logits: Value,
    /// The logits of auxiliary heads, in training; each `[batch, classes]`.
    pub auxiliary: Vec<Value>,
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
        let (evaluated, trained) = (plan.needed(false), plan.needed(true));
        for (index, layer) in plan.layers.iter().enumerate() {
            layers.push(Part {
                step: build(layer, Slots { first: parameters.len() }),
                sources: plan.sources(index),
                needed: [evaluated[index], trained[index]],
            });
            for parameter in layer.parameter_plans() {
                let values = initial(&parameter, seed);
                let tensor = Tensor::from_vec(values, parameter.shape, &Device::Cpu)?;
                parameters.push(Parameter { name: parameter.name, tensor });
            }
        }
        let heads = plan.auxiliary.iter().map(|head| head.logits).collect();
        Ok(Network { layers, heads, parameters, seed })
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
        let images = tape.leaf(images, false);
        let mut pass = Pass { tape, parameters: &leaves, training, seed: self.seed, step };
        let needed = |part: &Part| part.needed[usize::from(training)];
        // How often each value is still asked for: it is let go with the last time.
        let mut uses = vec![0usize; self.layers.len() + 1];
        for part in self.layers.iter().filter(|part| needed(part)) {
            part.sources.iter().for_each(|source| uses[*source] += 1);
        }
        uses[self.layers.len()] += 1;
        if training {
            self.heads.iter().for_each(|head| uses[*head] += 1);
        }
        let mut values: Vec<Option<Value>> = vec![None; self.layers.len() + 1];
        values[0] = Some(images);
        for (index, part) in self.layers.iter_mut().enumerate() {
            if !needed(part) {
                continue;
            }
            let mut inputs = Vec::with_capacity(part.sources.len());
            for source in &part.sources {
                inputs.push(take(&mut values[*source], &mut uses[*source])?);
            }
            let output = match &mut part.step {
                Step::One(layer) => layer.forward(&mut pass, &inputs[0])?,
                Step::Many(merge) => merge.forward(&mut pass, &inputs)?,
            };
            values[index + 1] = Some(output);
        }
        let mut auxiliary = Vec::new();
        if training {
            for head in &self.heads {
                auxiliary.push(take(&mut values[*head], &mut uses[*head])?);
            }
        }
        let last = self.layers.len();
        let logits = take(&mut values[last], &mut uses[last])?;
        let tape = pass.tape;
        Ok(Forward { logits, auxiliary, tape, leaves })
    }

    fn layers(&mut self) -> impl Iterator<Item = &mut Box<dyn Layer>> {
        self.layers.iter_mut().filter_map(|part| match &mut part.step {
            Step::One(layer) => Some(layer),
            Step::Many(_) => None,
        })
    }

    /// A copy of all parameters and running statistics.
    pub fn weights(&mut self) -> Result<Weights> {
        let mut weights = Weights::new();
        for Parameter { name, tensor } in &self.parameters {
            weights.insert(name.clone(), (tensor.dims().to_vec(), numbers(tensor)?.to_vec()));
        }
        for layer in self.layers() {
            for (name, values) in layer.buffers() {
                weights.insert(name.to_owned(), (vec![values.len()], values.clone()));
            }
        }
        Ok(weights)
    }

    /// Takes what `weights` has, the rest stays as it is.
    ///
    /// # Errors
    /// If a tensor has another shape.
    pub fn load_part(&mut self, weights: &Weights) -> Result<()> {
        let mut all = self.weights()?;
        all.extend(weights.iter().map(|(name, tensor)| (name.clone(), tensor.clone())));
        self.load(&all)
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
        for layer in self.layers() {
            for (name, values) in layer.buffers() {
                let found = find(name, &[values.len()])?;
                values.copy_from_slice(found);
            }
        }
        Ok(())
    }
}

/// A value for one of those that ask for it; the last one gets the value itself.
fn take(value: &mut Option<Value>, uses: &mut usize) -> Result<Value> {
    *uses -= 1;
    let value = if *uses == 0 { value.take() } else { value.clone() };
    value.ok_or_else(|| candle_core::Error::Msg("a layer stands before its input".to_owned()))
}

fn build(layer: &LayerPlan, slots: Slots) -> Step {
    let (name, norm) = (layer.name.as_str(), layer.norm_prefix());
    Step::One(match &layer.kind {
        LayerKind::Conv(plan) => Box::new(Conv::new(plan, name, &norm, slots)),
        LayerKind::Dense(plan) => Box::new(Dense::new(plan, name, &norm, slots)),
        LayerKind::MaxPool(plan) => Box::new(MaxPool(plan.clone())),
        LayerKind::AvgPool(plan) => Box::new(AvgPool(plan.clone())),
        LayerKind::AdaptiveAvgPool {} => {
            Box::new(AdaptiveAvgPool([layer.output[1], layer.output[2]]))
        }
        LayerKind::Flatten {} => Box::new(Flatten),
        LayerKind::BatchNorm(plan) => Box::new(BatchNorm::new(*plan, layer.input[0], name, slots)),
        LayerKind::Activation(plan) => Box::new(kernel(*plan)),
        LayerKind::Dropout(plan) => Box::new(Dropout::new(*plan, name)),
        LayerKind::StochasticDepth(p) => Box::new(StochasticDepth::new(*p, name)),
        LayerKind::Sum(plan) => return Step::Many(Merge::Sum(plan.activation.map(kernel))),
        LayerKind::Concat {} => return Step::Many(Merge::Concat),
        LayerKind::Scale {} => return Step::Many(Merge::Scale),
    })
}
