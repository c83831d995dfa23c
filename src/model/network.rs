//! A network built from its plan.

mod copy;
mod segments;
mod sensitivity;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use candle_core::{Result, Tensor};

use crate::kernels::activation::Activation;
use crate::kernels::arrange::flatten;
use crate::kernels::device::Device;
use crate::kernels::pool::adaptive_avg_pool2d;
use crate::kernels::tape::{Tape, Value, numbers, values};
use crate::kernels::update::assign;
use crate::plan::fusion::{activation_behind, pool_behind};
use crate::plan::model::{LayerKind, LayerPlan, ModelPlan, PoolPlan};

use super::channels::{AcrossChannels, Channels};
use super::conv::Conv;
use super::dense::Dense;
use super::dropout::{Dropout, StochasticDepth};
use super::flatten::Flatten;
use super::init::initial;
use super::layer::{Layer, Pass, Running, Slots};
use super::merge::Merge;
use super::norm::BatchNorm;
use super::norms::{
    GlobalResponseNorm, GroupNorm, LayerNorm, LayerScale, LocalResponseNorm, ScaleBy,
};
use super::pool::{AdaptiveAvgPool, AdaptiveMaxPool, AvgPool, BlurPool, MaxPool};

pub use copy::Copy;
pub use segments::Forward;

use segments::{Played, Segment};
pub use sensitivity::Sensitivity;

/// Tensors by name, sorted: shape and numbers. What a checkpoint holds of a network.
pub type Weights = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// A trainable tensor.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// `conv1.weight`.
    pub name: String,
    /// Its numbers, updated in place.
    pub tensor: Tensor,
    /// Whether it learns in the current epoch.
    pub learns: bool,
    /// The epoch with which it begins to, counted from 1; none: never.
    pub from_epoch: Option<usize>,
    /// Factor on the learning rate.
    pub lr_factor: f64,
    /// Whether it started with pretrained weights.
    pub pretrained: bool,
    /// Whether it is a matrix or filter between the first and the last layers.
    pub is_hidden_matrix: bool,
}

/// Layers and their parameters.
pub struct Network {
    layers: Vec<Part>,
    /// Numbers of the layers that give auxiliary logits, counted from 1.
    heads: Vec<usize>,
    parameters: Vec<Parameter>,
    /// Numbers of the layers behind which a segment of training ends, counted from 1, rising.
    cuts: Vec<usize>,
    seed: u64,
    device: Device,
}

/// A layer and where it stands among the others.
struct Part {
    step: Step,
    /// 0 for the images, else the number of a layer, counted from 1.
    sources: Vec<usize>,
    /// Whether evaluation needs it, and training.
    needed: [bool; 2],
    /// Whether training finds it at work as in training; a frozen layer is as at test time.
    as_in_training: bool,
    /// The max pool behind it, if both run as one in training.
    pool: Option<PoolPlan>,
    /// The activation behind it, if both run as one in training.
    activation: Option<Activation>,
}

/// What is done to the values that come in.
enum Step {
    One(Box<dyn Layer>),
    Many(Merge),
}

impl Network {
    /// The network of `plan` as it starts with `seed`.
    pub fn new(plan: &ModelPlan, seed: u64) -> Result<Network> {
        Network::starting_from(plan, seed, Weights::new())
    }

    /// The network of `plan` as it starts with `weights`, as far as they go, and else with `seed`.
    ///
    /// # Errors
    /// If a tensor of `weights` has another shape.
    pub fn starting_from(plan: &ModelPlan, seed: u64, mut weights: Weights) -> Result<Network> {
        let mut parameters = Vec::new();
        let hidden = plan.hidden_matrices();
        for layer in &plan.layers {
            let tuning = layer.tuning;
            for parameter in layer.parameter_plans() {
                let given = weights.remove(&parameter.name);
                let is_given = given.is_some();
                let values = match given {
                    Some((shape, values)) => {
                        fit(&parameter.name, &shape, &parameter.shape)?;
                        values
                    }
                    None => initial(&parameter, seed),
                };
                let tensor = Tensor::from_vec(values, parameter.shape, &candle_core::Device::Cpu)?;
                parameters.push(Parameter {
                    is_hidden_matrix: hidden.contains(&parameter.name),
                    name: parameter.name,
                    tensor,
                    learns: true,
                    from_epoch: match parameter.fixed {
                        true => None,
                        false => tuning.map_or(Some(1), |tuning| tuning.from_epoch),
                    },
                    lr_factor: tuning.map_or(1.0, |tuning| tuning.lr_factor),
                    pretrained: is_given && tuning.is_some_and(|tuning| tuning.pretrained),
                });
            }
        }
        let mut network = Network::of(plan, parameters, seed);
        for layer in network.layers() {
            for (name, values) in layer.buffers() {
                if let Some((shape, found)) = weights.remove(name) {
                    fit(name, &shape, &[values.len()])?;
                    values.assign(&found)?;
                }
            }
        }
        network.begin(plan, 1);
        Ok(network)
    }

    /// The layers of `plan` with these parameters, on the CPU.
    fn of(plan: &ModelPlan, parameters: Vec<Parameter>, seed: u64) -> Network {
        let (evaluated, trained) = (plan.needed(false), plan.needed(true));
        let mut first = 0;
        let part = |(index, layer): (usize, &LayerPlan)| {
            let step = build(layer, Slots { first });
            first += layer.parameter_plans().len();
            Part {
                step,
                sources: plan.sources(index),
                needed: [evaluated[index], trained[index]],
                as_in_training: true,
                pool: pool_behind(plan, index).cloned(),
                activation: activation_behind(plan, index),
            }
        };
        let layers = plan.layers.iter().enumerate().map(part).collect();
        let heads = plan.auxiliary.iter().map(|head| head.logits).collect();
        Network { layers, heads, parameters, cuts: Vec::new(), seed, device: Device::cpu() }
    }

    /// The network of `plan`, whose layers are the first ones of this network: with the same tensors,
    /// so that what one of them learns the other one knows, and copies of the running statistics.
    pub fn leading(&mut self, plan: &ModelPlan) -> Network {
        let count = plan.layers.iter().map(|layer| layer.parameter_plans().len()).sum();
        let mut leading = Network::of(plan, self.parameters[..count].to_vec(), self.seed);
        for (copy, layer) in leading.layers().zip(self.layers()) {
            for ((_, copy), (_, values)) in copy.buffers().into_iter().zip(layer.buffers()) {
                *copy = values.clone();
            }
        }
        leading.device = self.device.clone();
        leading
    }

    /// The network on `device`, from now on.
    ///
    /// # Errors
    /// If the device has no room.
    pub fn on(mut self, device: &Device) -> Result<Network> {
        for parameter in &mut self.parameters {
            parameter.tensor = device.bring(&parameter.tensor)?;
        }
        for layer in self.layers() {
            for (_, values) in layer.buffers() {
                *values = device.buffer(values.numbers()?, &[values.len()])?;
            }
        }
        self.device = device.clone();
        Ok(self)
    }

    /// Where the network is.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Epoch `epoch` of the network of `plan`, counted from 1, begins: what learns may change.
    pub fn begin(&mut self, plan: &ModelPlan, epoch: usize) {
        let prefix = plan.frozen_prefix(epoch);
        for (index, (part, layer)) in self.layers.iter_mut().zip(&plan.layers).enumerate() {
            part.as_in_training = index >= prefix && layer.learns(epoch);
        }
        for parameter in &mut self.parameters {
            parameter.learns = parameter.from_epoch.is_some_and(|first| first <= epoch);
        }
    }

    /// The trainable tensors in the order of the layers.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// One pass over `images`, `[batch, channels, height, width]`. `training` switches dropout and
    /// batch statistics on and records; `step` counts training batches.
    pub fn forward(&mut self, images: &Tensor, training: bool, step: u64) -> Result<Forward> {
        self.forward_from(0, images, training, step)
    }

    /// As [`forward`](Self::forward), from the results of layer number `from`, counted from 1, which
    /// the layers before it have made of the images; from layer 0, from the images.
    pub fn forward_from(
        &mut self,
        from: usize,
        inputs: &Tensor,
        training: bool,
        step: u64,
    ) -> Result<Forward> {
        let running = if training { Running::ByMomentum } else { Running::Kept };
        self.pass(from, inputs, training, step, running)
    }

    /// Has running statistics become the mean over batches of those of `inputs`, the batch number `batch`, counted
    /// from 1, of these; `from` as in [`forward_from`](Self::forward_from).
    pub fn estimate_statistics(&mut self, from: usize, inputs: &Tensor, batch: u64) -> Result<()> {
        let share = 1.0 / batch as f32;
        self.pass(from, inputs, true, batch, Running::Share(share)).map(|_| ())
    }

    fn pass(
        &mut self,
        from: usize,
        inputs: &Tensor,
        training: bool,
        step: u64,
        running: Running,
    ) -> Result<Forward> {
        let inputs = Tape::inference_on(&self.device).leaf(&self.device.bring(inputs)?, false);
        let last = self.layers.len();
        let heads = if training { self.heads.clone() } else { Vec::new() };
        let wanted: Vec<usize> = std::iter::once(last).chain(heads).collect();
        let cuts = if training { self.cuts.clone() } else { Vec::new() };
        let mut given = vec![(from, inputs)];
        let mut earlier = Vec::new();
        let mut start = from;
        for cut in cuts.into_iter().filter(|cut| *cut > from) {
            let asked: Vec<usize> = self.asked(cut, training, &wanted).into_iter().collect();
            let segment = Segment { places: start..cut, given, wanted: asked.clone() };
            let Played { results, .. } = self.play(&segment, training, step, running)?;
            given = asked.into_iter().zip(results).collect();
            earlier.push(segment);
            start = cut;
        }
        let segment = Segment { places: start..last, given, wanted };
        let played = self.play(&segment, training, step, running)?;
        Forward::new(played, earlier, step)
    }

    /// What layer number `to`, counted from 1, gives for `images` at test time, where nothing
    /// behind it sees what stands before it.
    ///
    /// # Shapes
    /// images `[batch, channels, height, width]`; the result is one row of features for each image.
    pub fn features(&mut self, images: &Tensor, to: usize) -> Result<Vec<f32>> {
        self.features_at(images, &[(to, None)])?.pop().ok_or_else(no_layers)
    }

    /// As [`features`](Self::features), of several layers at once, rising; 0 is the images. Maps are
    /// brought to the height and width beside the layer, if there are any, by averaging.
    pub fn features_at(
        &mut self,
        images: &Tensor,
        wanted: &[(usize, Option<[usize; 2]>)],
    ) -> Result<Vec<Vec<f32>>> {
        let mut tape = Tape::inference_on(&self.device);
        let leaves: Vec<Value> =
            self.parameters.iter().map(|p| tape.leaf(&p.tensor, false)).collect();
        let images = tape.leaf(&self.device.bring(images)?, false);
        let mut pass = Pass::inference(tape, &leaves, self.seed);
        let places: Vec<usize> = wanted.iter().map(|(place, _)| *place).collect();
        let to = places.last().copied().unwrap_or(0);
        let results = self.run(0..to, vec![(0, images)], &places, &mut pass)?;
        let rows = |(value, (_, grid)): (Value, &(usize, Option<[usize; 2]>))| {
            let value = match grid {
                Some(grid) => adaptive_avg_pool2d(&mut pass.tape, &value, *grid)?,
                None => value,
            };
            let rows = flatten(&mut pass.tape, &value)?;
            values(rows.tensor())
        };
        results.into_iter().zip(wanted).map(rows).collect()
    }

    /// Runs the layers at `places` on what those with the `given` numbers, counted from 1, have made, or 0 for the
    /// images; the values of the layers with the `wanted` numbers.
    fn run(
        &mut self,
        places: Range<usize>,
        given: Vec<(usize, Value)>,
        wanted: &[usize],
        pass: &mut Pass,
    ) -> Result<Vec<Value>> {
        let training = pass.training;
        let needed = |part: &Part| part.needed[usize::from(training)];
        // How often each value is still asked for: it is let go with the last time.
        let mut uses = vec![0usize; self.layers.len() + 1];
        for part in self.layers[places.clone()].iter().filter(|part| needed(part)) {
            part.sources.iter().for_each(|source| uses[*source] += 1);
        }
        wanted.iter().for_each(|number| uses[*number] += 1);
        let mut values: Vec<Option<Value>> = vec![None; self.layers.len() + 1];
        for (number, value) in given {
            values[number] = Some(value);
        }
        for index in places {
            let part = &mut self.layers[index];
            if !needed(part) || values[index + 1].is_some() {
                continue;
            }
            let mut inputs = Vec::with_capacity(part.sources.len());
            for source in &part.sources {
                inputs.push(take(&mut values[*source], &mut uses[*source])?);
            }
            pass.training = training && part.as_in_training;
            let pool = part.pool.as_ref().filter(|_| pass.training);
            let activation = part.activation.filter(|_| pass.training);
            let last = index + usize::from(pool.is_some() || activation.is_some());
            let output = match (&mut part.step, pool, activation) {
                (Step::One(layer), Some(pool), _) => {
                    layer.forward_into_pool(pass, &inputs[0], pool)?
                }
                (Step::One(layer), None, Some(activation)) => {
                    layer.forward_activated(pass, &inputs[0], activation)?
                }
                (Step::One(layer), None, None) => layer.forward(pass, &inputs[0])?,
                (Step::Many(merge), ..) => merge.forward(pass, &inputs)?,
            };
            values[last + 1] = Some(output);
        }
        wanted.iter().map(|number| take(&mut values[*number], &mut uses[*number])).collect()
    }

    /// The numbers up to `place`, counted from 1, of the values that the layers behind it, or who has `wanted` them, ask
    /// for.
    fn asked(&self, place: usize, training: bool, wanted: &[usize]) -> BTreeSet<usize> {
        let behind = self.layers[place..].iter().filter(|part| part.needed[usize::from(training)]);
        let asked = behind.flat_map(|part| part.sources.iter().copied());
        asked.chain(wanted.iter().copied()).filter(|number| *number <= place).collect()
    }

    fn layers(&mut self) -> impl Iterator<Item = &mut Box<dyn Layer>> {
        self.layers.iter_mut().filter_map(|part| match &mut part.step {
            Step::One(layer) => Some(layer),
            Step::Many(_) => None,
        })
    }

    /// A copy of all parameters and running statistics.
    pub fn weights(&mut self) -> Result<Weights> {
        self.weights_called(|_| true)
    }

    /// A copy of the parameters and running statistics whose names are `wanted`.
    pub fn weights_called(&mut self, wanted: impl Fn(&str) -> bool) -> Result<Weights> {
        let mut weights = Weights::new();
        for Parameter { name, tensor, .. } in self.parameters.iter().filter(|it| wanted(&it.name)) {
            weights.insert(name.clone(), (tensor.dims().to_vec(), values(tensor)?));
        }
        for layer in self.layers() {
            for (name, values) in layer.buffers().into_iter().filter(|(name, _)| wanted(name)) {
                weights.insert(name.to_owned(), (vec![values.len()], values.numbers()?));
            }
        }
        Ok(weights)
    }

    /// Shows `to` the numbers of all parameters in the order of the layers, then those of all running
    /// statistics.
    ///
    /// # Errors
    /// If the device does not give them.
    pub fn show(&mut self, mut to: impl FnMut(&[f32])) -> Result<()> {
        for Parameter { tensor, .. } in &self.parameters {
            match tensor.device() {
                candle_core::Device::Cpu => to(&numbers(tensor)?),
                _ => to(&values(tensor)?),
            }
        }
        for layer in self.layers() {
            for (_, values) in layer.buffers() {
                to(&values.numbers()?);
            }
        }
        Ok(())
    }

    /// The names of what never changes: parameters and running statistics of layers that are frozen
    /// for good.
    pub fn fixed(plan: &ModelPlan) -> BTreeSet<String> {
        let frozen = |layer: &&LayerPlan| !layer.learns(usize::MAX);
        let layers = plan.layers.iter().filter(frozen).cloned().collect();
        let frozen = ModelPlan { layers, ..plan.clone() };
        frozen.tensors().into_iter().map(|(name, _)| name).collect()
    }

    /// Takes all parameters and running statistics from `weights`.
    ///
    /// # Errors
    /// If one is missing or has another shape; then some may have been taken already.
    pub fn load(&mut self, weights: &Weights) -> Result<()> {
        let find = |name: &str, shape: &[usize]| match weights.get(name) {
            Some((found, values)) => fit(name, found, shape).map(|()| &values[..]),
            None => candle_core::bail!("{name} is missing from the weights"),
        };
        for Parameter { name, tensor, .. } in &self.parameters {
            assign(tensor, find(name, tensor.dims())?)?;
        }
        for layer in self.layers() {
            for (name, values) in layer.buffers() {
                values.assign(find(name, &[values.len()])?)?;
            }
        }
        Ok(())
    }
}

/// Holds the shape that was found of a tensor against the one that is needed.
fn fit(name: &str, found: &[usize], needed: &[usize]) -> Result<()> {
    if found != needed {
        candle_core::bail!("{name} has shape {found:?}, the network needs {needed:?}")
    }
    Ok(())
}

/// A value for one of those that ask for it; the last one gets the value itself.
fn take(value: &mut Option<Value>, uses: &mut usize) -> Result<Value> {
    *uses -= 1;
    let value = if *uses == 0 { value.take() } else { value.clone() };
    value.ok_or_else(|| candle_core::Error::Msg("a layer stands before its input".to_owned()))
}

fn no_layers() -> candle_core::Error {
    candle_core::Error::Msg("a network without layers gives nothing".to_owned())
}

fn build(layer: &LayerPlan, slots: Slots) -> Step {
    let (name, norm) = (layer.name.as_str(), layer.norm_prefix());
    Step::One(match &layer.kind {
        LayerKind::Conv(plan) => Box::new(Conv::new(plan, layer.input[0], name, &norm, slots)),
        LayerKind::Dense(plan) => Box::new(Dense::new(plan, name, &norm, slots)),
        LayerKind::MaxPool(plan) => Box::new(MaxPool(plan.clone())),
        LayerKind::AvgPool(plan) => Box::new(AvgPool(plan.clone())),
        LayerKind::AdaptiveAvgPool {} => {
            Box::new(AdaptiveAvgPool([layer.output[1], layer.output[2]]))
        }
        LayerKind::BlurPool(plan) => Box::new(BlurPool(*plan)),
        LayerKind::ChannelPool(pooling) => Box::new(*pooling),
        LayerKind::Flatten {} => Box::new(Flatten),
        LayerKind::BatchNorm(plan) => Box::new(BatchNorm::new(*plan, layer.input[0], name, slots)),
        LayerKind::AdaptiveMaxPool {} => {
            Box::new(AdaptiveMaxPool([layer.output[1], layer.output[2]]))
        }
        LayerKind::LayerNorm(eps) => Box::new(LayerNorm { eps: *eps, slots }),
        LayerKind::GroupNorm(plan) => Box::new(GroupNorm { plan: *plan, slots }),
        LayerKind::LocalResponseNorm(plan) => Box::new(LocalResponseNorm(*plan)),
        LayerKind::GlobalResponseNorm(eps) => Box::new(GlobalResponseNorm { eps: *eps, slots }),
        LayerKind::LayerScale(_) => Box::new(LayerScale(slots)),
        LayerKind::ScaleBy(factor) => Box::new(ScaleBy(*factor)),
        LayerKind::Channels(plan) => Box::new(Channels(plan.order(layer.input[0]))),
        LayerKind::AcrossChannels(plan) => Box::new(AcrossChannels { plan: *plan, slots }),
        LayerKind::Activation(plan) => Box::new(*plan),
        LayerKind::Dropout(plan) => Box::new(Dropout::new(*plan, name)),
        LayerKind::StochasticDepth(p) => Box::new(StochasticDepth::new(*p, name)),
        LayerKind::Sum(plan) => return Step::Many(Merge::Sum(plan.activation)),
        LayerKind::Product {} => return Step::Many(Merge::Product),
        LayerKind::Concat {} => return Step::Many(Merge::Concat),
        LayerKind::ConcatRows {} => return Step::Many(Merge::ConcatRows),
        LayerKind::Scale {} => return Step::Many(Merge::Scale),
    })
}
