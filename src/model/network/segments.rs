//! Gradient checkpointing (Chen et al., 2016): of a network in segments, a step of training keeps only the values between
//! them, and plays each segment a second time on the way back.
//!
//! A segment played again gives the same bits: dropout draws by the number of the step, and running statistics are
//! left as they are. Gradients by a value that several segments ask for are summed up in the order in which one tape
//! would sum them. So weights are the same, bit for bit, in whatever segments.

use std::ops::Range;

use candle_core::Result;

use crate::kernels::buffer::Buffer;
use crate::kernels::tape::{Gradients, Tape, Value};
use crate::plan::model::ModelPlan;
use crate::plan::segments::cuts;

use super::super::layer::{Pass, Running};
use super::{Network, no_layers};

/// The output of a pass, and what is needed to go back.
pub struct Forward {
    /// `[batch, classes]`.
    pub logits: Value,
    /// The logits of auxiliary heads, in training; each `[batch, classes]`.
    pub auxiliary: Vec<Value>,
    /// The tape, to put a loss on.
    pub tape: Tape,
    leaves: Vec<Value>,
    /// What the last segment began with.
    given: Vec<(usize, Value)>,
    /// The segments before the last one.
    earlier: Vec<Segment>,
    step: u64,
}

/// Consecutive layers, and what they work on.
pub(super) struct Segment {
    pub(super) places: Range<usize>,
    /// By the numbers of their layers, counted from 1; 0: the images.
    pub(super) given: Vec<(usize, Value)>,
    /// The numbers of the values that are asked for behind them.
    pub(super) wanted: Vec<usize>,
}

/// A segment that has been played.
pub(super) struct Played {
    tape: Tape,
    leaves: Vec<Value>,
    given: Vec<(usize, Value)>,
    /// As they were wanted.
    pub(super) results: Vec<Value>,
}

impl Forward {
    pub(super) fn new(played: Played, earlier: Vec<Segment>, step: u64) -> Result<Forward> {
        let Played { tape, leaves, given, results } = played;
        let mut results = results.into_iter();
        let logits = results.next().ok_or_else(no_layers)?;
        let auxiliary = results.collect();
        Ok(Forward { logits, auxiliary, tape, leaves, given, earlier, step })
    }
}

impl Network {
    /// Has training keep only some values for the way back, and compute the others again. The network is that of
    /// `plan`; no number depends on it.
    pub fn checkpoint_gradients(&mut self, plan: &ModelPlan) {
        self.cuts = cuts(plan);
    }

    /// The gradients of `loss`, which is on the tape of `forward`, by the network's parameters, in their order; zeros
    /// where a parameter has no influence, nothing where it does not learn.
    ///
    /// # Errors
    /// If an operation cannot be done.
    pub fn backward(&mut self, forward: Forward, loss: &Value) -> Result<Vec<Buffer>> {
        let Forward { tape, leaves, given, mut earlier, step, .. } = forward;
        let mut found: Vec<Option<Buffer>> = leaves.iter().map(|_| None).collect();
        let mut gradients = tape.backward(loss)?;
        collect(&mut gradients, &leaves, &mut found);
        let mut slopes = slopes_of(&mut gradients, given);
        while let Some(segment) = earlier.pop().filter(|_| !slopes.is_empty()) {
            let Played { tape, leaves, given, results } =
                self.play(&segment, true, step, Running::Kept)?;
            let of = segment.wanted.iter().zip(&results).filter_map(|(number, value)| {
                let at = slopes.iter().position(|(known, _)| known == number)?;
                Some((value, slopes.swap_remove(at).1))
            });
            let mut gradients = tape.backward_from_all(of)?;
            collect(&mut gradients, &leaves, &mut found);
            slopes = slopes_of(&mut gradients, given);
        }
        let zeros = |leaf: &Value| match leaf.wants_gradient() {
            true => self.device.buffer(vec![0.0; leaf.tensor().elem_count()], leaf.dims()),
            false => Ok(Buffer::default()),
        };
        let both = found.into_iter().zip(&leaves);
        both.map(|(found, leaf)| found.map_or_else(|| zeros(leaf), Ok)).collect()
    }

    /// Plays `segment` on a tape of its own.
    pub(super) fn play(
        &mut self,
        segment: &Segment,
        training: bool,
        step: u64,
        running: Running,
    ) -> Result<Played> {
        let mut tape = match training {
            true => Tape::recording_on(&self.device),
            false => Tape::inference_on(&self.device),
        };
        let leaves: Vec<Value> =
            self.parameters.iter().map(|p| tape.leaf(&p.tensor, p.learns)).collect();
        let mut given: Vec<(usize, Value)> = Vec::with_capacity(segment.given.len());
        for (index, (number, value)) in segment.given.iter().enumerate() {
            // A value under two numbers, as a branch without layers has it, stays one: so do sums of its gradients.
            let same = segment.given[..index].iter().position(|(_, other)| other.is_same(value));
            let leaf = match same {
                Some(other) => given[other].1.clone(),
                None => tape.leaf_of(value),
            };
            given.push((*number, leaf));
        }
        let seed = self.seed;
        let mut pass = Pass { tape, parameters: &leaves, training, seed, step, running };
        let results =
            self.run(segment.places.clone(), given.clone(), &segment.wanted, &mut pass)?;
        Ok(Played { tape: pass.tape, leaves, given, results })
    }
}

/// Takes the gradients by parameters.
fn collect(gradients: &mut Gradients, leaves: &[Value], found: &mut [Option<Buffer>]) {
    for (leaf, found) in leaves.iter().zip(found) {
        if let Some(gradient) = gradients.take(leaf) {
            *found = Some(gradient);
        }
    }
}

/// Takes the gradients by what a segment began with.
fn slopes_of(gradients: &mut Gradients, given: Vec<(usize, Value)>) -> Vec<(usize, Buffer)> {
    let taken = given.into_iter().map(|(number, leaf)| Some((number, gradients.take(&leaf)?)));
    taken.flatten().collect()
}

#[cfg(test)]
mod tests {
    use candle_core::Tensor;

    use super::*;
    use crate::basis::seed::derive;
    use crate::config::layering::preset;
    use crate::kernels::device::Device;
    use crate::kernels::loss::cross_entropy;
    use crate::kernels::merge::weighted_sum;
    use crate::plan::fusion::{activation_behind, pool_behind};
    use crate::plan::network::network;

    const IMAGES: usize = 6;

    /// The bits of all gradients and running statistics after two steps without an optimiser.
    fn bits(model: &ModelPlan, device: &Device, cuts: &[usize], from: usize) -> Vec<Vec<u32>> {
        let mut network = Network::new(model, 7).unwrap().on(device).unwrap();
        cuts.clone_into(&mut network.cuts);
        for parameter in &mut network.parameters {
            // One that has not begun to learn, as in transfer.
            parameter.learns = !parameter.name.ends_with("conv2.weight");
        }
        let mut stream = derive(1, "segments", &[]);
        let input = if from == 0 { &model.input } else { &model.layers[from - 1].output };
        let count = IMAGES * input.iter().product::<usize>();
        let numbers: Vec<f32> = (0..count).map(|_| stream.normal() as f32).collect();
        let shape: Vec<usize> = [IMAGES].iter().chain(input).copied().collect();
        let images = Tensor::from_vec(numbers, shape, &candle_core::Device::Cpu).unwrap();
        let labels: Vec<u32> = (0..IMAGES as u32).collect();
        let mut found = Vec::new();
        for step in 0..2 {
            let mut forward = network.forward_from(from, &images, true, step).unwrap();
            let heads = forward.auxiliary.clone();
            let mut losses = Vec::new();
            for logits in [forward.logits.clone()].iter().chain(&heads) {
                let loss = cross_entropy(&mut forward.tape, logits, &labels, 0.1, None).unwrap();
                losses.push((loss.mean, 0.5));
            }
            let loss = weighted_sum(&mut forward.tape, &losses).unwrap();
            for gradient in network.backward(forward, &loss).unwrap() {
                found.push(gradient.numbers().unwrap());
            }
        }
        network.show(|numbers| found.push(numbers.to_vec())).unwrap();
        found
            .iter()
            .map(|numbers| numbers.iter().map(|number| number.to_bits()).collect())
            .collect()
    }

    fn model(name: &str, layers: Option<&str>) -> ModelPlan {
        let sets: Vec<String> =
            layers.into_iter().map(|layers| format!("model.layers=[{layers}]")).collect();
        network(&preset(name, &sets).unwrap(), [3, 32, 32], 10).unwrap()
    }

    #[test]
    fn segments_give_the_gradients_and_statistics_of_the_whole_bit_for_bit() {
        let branches = "{ conv = 8, kernel = 3, padding = 1, dropout = 0.3, norm = \"batch\" }, \
             { branches = [[], [{ conv = 8, kernel = 1 }, \"batch-norm\", \"relu\"], [{ dropout = 0.2 }]] }, \
             { residual = [{ conv = 24, kernel = 3, padding = 1 }], stochastic-depth = 0.5 }, \
             { max-pool = 2 }, { conv = 4, kernel = 3 }, \"flatten\", { dense = \"classes\" }";
        for (name, layers) in [
            ("plain", Some(branches)),
            ("resnet18-32", None),
            ("mobilenet_v3_small", None),
            ("shufflenet_v2_x0_5", None),
            ("googlenet-32", None),
        ] {
            let model = model(name, layers);
            let whole = bits(&model, &Device::cpu(), &[], 0);
            for chosen in
                [cuts(&model), legal(&model).step_by(3).collect(), legal(&model).collect()]
            {
                assert!(!chosen.is_empty(), "{name}");
                let parts = bits(&model, &Device::cpu(), &chosen, 0);
                assert!(parts == whole, "{name} in {} segments", chosen.len() + 1);
            }
        }
    }

    #[test]
    fn segments_give_the_same_on_a_device_and_behind_frozen_layers() {
        let model = model("resnet18-32", None);
        let device = Device::cpu_by_candle();
        let all: Vec<usize> = legal(&model).step_by(4).collect();
        assert!(bits(&model, &device, &all, 0) == bits(&model, &device, &[], 0));
        let network = Network::new(&model, 7).unwrap();
        let last = model.layers.len();
        let is_alone = |place: &&usize| network.asked(**place, true, &[last]).len() == 1;
        let from = *all[3..].iter().find(is_alone).unwrap();
        assert!(
            bits(&model, &Device::cpu(), &all, from) == bits(&model, &Device::cpu(), &[], from)
        );
    }

    /// All places at which a network may be cut.
    fn legal(model: &ModelPlan) -> impl Iterator<Item = usize> {
        let last = model.layers.len();
        (1..last).filter(|number| {
            pool_behind(model, number - 1).is_none()
                && activation_behind(model, number - 1).is_none()
        })
    }
}
