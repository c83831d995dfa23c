//! How much memory a training step cannot do without.

use std::ops::Range;

use crate::config::layer::ChannelPooling;

use super::Plan;
use super::data::Image;
use super::fusion::{Fusion, activation_behind, pool_behind};
use super::model::{ConvPlan, DensePlan, LayerKind, LayerPlan, ModelPlan, Tail};
use super::segments::cuts;
use super::train::TrainPlan;

/// One step of the forward pass; sizes are counted in numbers.
#[derive(Default)]
pub(super) struct Operation {
    pub(super) arguments: Vec<usize>,
    pub(super) result: u64,
    /// Whether its own or a later backward pass looks at the result.
    kept: bool,
    /// What its backward pass keeps beside.
    beside: u64,
    /// Whether the gradient of its argument takes the place of its own.
    in_place: bool,
    parameters: u64,
}

/// Batches that exist at once: the one in use, the one that waits and the one in the making.
const BATCHES: u64 = 3;

/// What a step takes beyond [`training_bytes`]: rows for matrix products, freed blocks that the
/// allocator keeps. As measured for networks from 1 MB to 1 GB, rounded up.
const SLACK: f64 = 1.35;

/// What every trial takes beside: threads, code that is touched, tables.
const FIXED: u64 = 16 << 20;

/// The bytes that a trial takes at its peak, by estimate: a training step, the optimiser's buffers,
/// batches on their way, the best weights, and a checkpoint on its way to the disk. Images are not
/// in it: trials share them. `in_segments`: gradients are checkpointed.
pub fn trial_bytes(plan: &Plan, in_segments: bool) -> u64 {
    let cuts = if in_segments { cuts(&plan.model) } else { Vec::new() };
    let batch = plan.train.largest_batch();
    let weights = 4 * plan.model.parameters();
    let TrainPlan { optimizer, average, look_ahead, sam, distill, .. } = &*plan.train;
    let teacher = distill.as_ref().map_or(0, |distill| distill.bytes);
    // Rows as long as the weights that a checkpoint holds beside them.
    let buffers = optimizer.numbers().state_rows()
        + u64::from(!average.is_none())
        + u64::from(look_ahead.is_some());
    // A copy for the climb; what a checkpoint holds of a mean and of slow weights on its way to the disk.
    let copies =
        u64::from(*sam > 0.0) + u64::from(!average.is_none()) + u64::from(look_ahead.is_some());
    let copies = copies * weights;
    let step = (SLACK * training_bytes(&plan.model, batch, &cuts) as f64) as u64;
    let image = plan.model.input.iter().product::<usize>() as u64;
    let batches = BATCHES * 4 * batch as u64 * image;
    // Tensors, their copy for the file, and the file.
    let checkpoint = 2 * (1 + buffers) * weights;
    FIXED + step + teacher + copies + buffers * weights + batches + weights + checkpoint
}

/// The bytes of the weights of `model`, and of what its layers work with as `images` images pass them at test time.
pub fn inference_bytes(model: &ModelPlan, images: usize) -> u64 {
    let numbers = |shape: &[usize]| shape.iter().map(|side| *side as u64).product::<u64>();
    let layer = |layer: &LayerPlan| 2 * (numbers(&layer.input) + numbers(&layer.output));
    let most = model.layers.iter().map(layer).max().unwrap_or(0);
    4 * (model.parameters() + images as u64 * most)
}

/// The bytes of so many decoded images.
pub fn image_bytes(images: usize, plan: Image) -> u64 {
    let [height, width] = plan.size;
    (images * height * width * plan.channels) as u64
}

/// The bytes of the features that leading frozen layers make of `images` images, if they are kept
/// because they come again in every epoch; else 0.
pub fn feature_bytes(plan: &Plan, images: usize) -> u64 {
    let Some(transfer) = plan.model.transfer else { return 0 };
    let Some(last) = plan.model.frozen_prefix(1).checked_sub(1) else { return 0 };
    let is_fixed = plan.augment.train.is_empty();
    if plan.augment.mixing.is_some() || !is_fixed && transfer.feature_variants == 0 {
        return 0;
    }
    let variants = if is_fixed { 1 } else { transfer.feature_variants };
    let width: usize = plan.model.layers[last].output.iter().product();
    4 * (width * images * variants) as u64
}

/// The bytes of everything that a training step with `batch` images works with in f32: the images, what
/// each layer makes of them, the parameters, and the gradients of both.
pub fn step_bytes(model: &ModelPlan, batch: usize) -> u64 {
    let numbers = |shape: &[usize]| shape.iter().map(|side| *side as u64).product::<u64>();
    let needed = model.needed(true);
    let layers = model.layers.iter().zip(needed).filter(|(layer, needed)| {
        // Flattening only changes the shape.
        *needed && !matches!(layer.kind, LayerKind::Flatten {})
    });
    let made: u64 = layers.map(|(layer, _)| numbers(&layer.output)).sum();
    4 * (batch as u64 * (numbers(&model.input) + 2 * made) + 2 * model.parameters())
}

/// The bytes that a training step with `batch` images holds at its peak in f32 if nothing is held in
/// vain: parameters, what later operations and backward passes still need, and gradients between the
/// moment they are made and the moment they are used up (those of parameters until the end). `cuts` are the layers
/// behind which a [segment](super::segments) ends that is played a second time.
pub fn training_bytes(model: &ModelPlan, batch: usize, cuts: &[usize]) -> u64 {
    let Operations { all, ends } = Operations::of(model, batch as u64);
    let cuts: Vec<usize> = cuts.iter().map(|cut| ends[*cut - 1]).collect();
    4 * peak(&all, &cuts)
}

/// The numbers that are held at once at the peak of a step, in segments that end before the operations `cuts`.
pub(super) fn peak(operations: &[Operation], cuts: &[usize]) -> u64 {
    let mut held: u64 = operations.iter().map(|operation| operation.parameters).sum();
    let mut most = held;
    let ends: Vec<usize> = cuts.iter().copied().chain([operations.len()]).collect();
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    let segments: Vec<Range<usize>> = starts.zip(&ends).map(|(start, end)| start..*end).collect();
    let mut crosses = vec![false; operations.len()];
    for segment in &segments {
        for operation in &operations[segment.clone()] {
            let before = operation.arguments.iter().filter(|at| **at < segment.start);
            before.for_each(|at| crosses[*at] = true);
        }
    }
    let crossing = |segment: &Range<usize>| -> u64 {
        let results = segment.clone().filter(|at| crosses[*at]);
        results.map(|at| operations[at].result).sum()
    };
    let forward = |segment: &Range<usize>, held: &mut u64, most: &mut u64| {
        let inside = |at: &&usize| segment.contains(*at);
        let mut uses = vec![0; segment.len()];
        for operation in &operations[segment.clone()] {
            let arguments = operation.arguments.iter().filter(inside);
            arguments.for_each(|at| uses[*at - segment.start] += 1);
        }
        for operation in &operations[segment.clone()] {
            *held += operation.result + operation.beside;
            *most = (*most).max(*held);
            for argument in operation.arguments.iter().filter(inside) {
                let left = &mut uses[*argument - segment.start];
                *left -= 1;
                if *left == 0 && !operations[*argument].kept && !crosses[*argument] {
                    *held -= operations[*argument].result;
                }
            }
        }
    };
    let mut has_gradient = vec![false; operations.len()];
    let mut backward = |segment: &Range<usize>, held: &mut u64, most: &mut u64| {
        for (at, operation) in segment.clone().zip(&operations[segment.clone()]).rev() {
            *held += operation.parameters;
            let mut is_handed_on = false;
            for argument in &operation.arguments {
                let first = &operations[*argument];
                // Images want no gradient.
                let is_first = !std::mem::replace(&mut has_gradient[*argument], true);
                if is_first && !first.arguments.is_empty() {
                    is_handed_on = operation.in_place;
                    *held += if is_handed_on { 0 } else { first.result };
                }
            }
            *most = (*most).max(*held);
            if !operation.arguments.is_empty() {
                let gradient = if is_handed_on { 0 } else { operation.result };
                let kept = if operation.kept || crosses[at] { operation.result } else { 0 };
                *held = held.saturating_sub(gradient + kept + operation.beside);
            }
        }
    };
    let Some((last, earlier)) = segments.split_last() else { return most };
    for segment in earlier {
        let before = held;
        forward(segment, &mut held, &mut most);
        held = before + crossing(segment);
    }
    forward(last, &mut held, &mut most);
    backward(last, &mut held, &mut most);
    for segment in earlier.iter().rev() {
        held -= crossing(segment);
        forward(segment, &mut held, &mut most);
        backward(segment, &mut held, &mut most);
    }
    most
}

/// The steps of a forward pass.
pub(super) struct Operations {
    /// In their order; the first one is the images.
    pub(super) all: Vec<Operation>,
    /// How many have been done when a layer is, for each layer.
    pub(super) ends: Vec<usize>,
}

impl Operations {
    /// Those of `model` with `batch` images.
    pub(super) fn of(model: &ModelPlan, batch: u64) -> Operations {
        let size = |shape: &[usize]| batch * shape.iter().map(|side| *side as u64).product::<u64>();
        let image = Operation { result: size(&model.input), kept: true, ..Operation::default() };
        let mut operations = vec![image];
        // The operation that gives the value of each layer; the first one is the image.
        let mut places = vec![0];
        let mut ends = Vec::with_capacity(model.layers.len());
        let needed = model.needed(true);
        let mut is_pooled = false;
        for (index, layer) in model.layers.iter().enumerate() {
            let arguments: Vec<usize> =
                model.sources(index).into_iter().map(|source| places[source]).collect();
            let result = size(&layer.output);
            let is_joined = index > 0 && activation_behind(model, index - 1).is_some();
            if !needed[index] || is_joined || matches!(layer.kind, LayerKind::Flatten {}) {
                // Flattening only changes the shape, and an activation may be a part of the norm before it.
                places.push(arguments.first().copied().unwrap_or(0));
                ends.push(operations.len());
                continue;
            }
            let plans = layer.parameter_plans();
            let count = |of_norm: bool| -> u64 {
                let prefix = layer.norm_prefix() + ".";
                let own = plans.iter().filter(|plan| plan.name.starts_with(&prefix) == of_norm);
                own.map(|plan| plan.shape.iter().map(|side| *side as u64).product::<u64>()).sum()
            };
            let beside = match &layer.kind {
                // A byte for each window.
                _ if std::mem::take(&mut is_pooled) => result.div_ceil(4),
                // Of each number, the sum that it is divided by a power of.
                LayerKind::LocalResponseNorm(_) => result,
                // Of each pixel, the channel that it has from.
                LayerKind::ChannelPool(ChannelPooling::Max) => result,
                _ => 0,
            };
            let mut operation = Operation {
                arguments,
                result,
                kept: true,
                beside,
                parameters: count(false),
                ..Operation::default()
            };
            match &layer.kind {
                LayerKind::Conv(conv) if pool_behind(model, index).is_some() => {
                    // The pool goes through norm, ReLU and dropout too, and makes nothing of their size.
                    is_pooled = true;
                    operation.kept = conv.tail.norm.is_some();
                    operation.parameters += count(true);
                    operations.push(operation);
                }
                LayerKind::Conv(ConvPlan { tail: behind, .. })
                | LayerKind::Dense(DensePlan { tail: behind, .. }) => {
                    operations.push(operation);
                    tail(behind, result, count(true), &mut operations);
                }
                _ => operations.push(operation),
            }
            places.push(operations.len() - 1);
            ends.push(operations.len());
        }
        Operations { all: operations, ends }
    }
}

/// Norm and most dropout give values of their own; an activation changes the one before it in place.
fn tail(tail: &Tail, result: u64, parameters: u64, operations: &mut Vec<Operation>) {
    let mut push = |kept, parameters| {
        let arguments = vec![operations.len() - 1];
        let in_place = true;
        operations.push(Operation { arguments, result, kept, in_place, parameters, beside: 0 });
    };
    if tail.norm.is_some() {
        push(tail.activation.is_some(), parameters);
    }
    if tail.dropout.is_some() && !Fusion::of(tail).drops_in_place {
        push(true, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::layering::preset;
    use crate::plan::network::network;

    fn of(name: &str, batch: usize, sets: &[String]) -> f64 {
        let root = preset(name, sets).unwrap();
        let model = network(&root, [3, 32, 32], 10).unwrap();
        training_bytes(&model, batch, &[]) as f64 / 1e6
    }

    #[test]
    fn memory_is_what_a_step_takes_whose_blocks_are_counted() {
        // MB at the peak of `wick bench-step`, as its heap of large blocks counts them, without the
        // images as its caller holds them. Blocks below 128 KiB are not in it.
        for (name, batch, images, counted) in [
            ("plain", 256, 3.1, 15.0),
            ("demo", 128, 1.6, 31.0),
            ("vgg6", 64, 0.8, 63.0),
            ("resnet18-32", 32, 0.4, 230.0),
        ] {
            let (found, expected) = (of(name, batch, &[]), counted - images);
            assert!((found / expected - 1.0).abs() < 0.15, "{name}: {found}, not {expected}");
        }
    }

    #[test]
    fn norms_of_single_images_take_what_is_counted_too() {
        for (norms, counted) in [
            ("{ local-response-norm = 5 }, { local-response-norm = 4 }", 50.0),
            ("\"layer-norm\", { group-norm = 4 }", 36.0),
            (
                "\"instance-norm\", { layer-scale = 0.5 }, { local-response-norm = 5 }, \"layer-norm\"",
                58.0,
            ),
        ] {
            let layers = format!(
                "model.layers=[{{ conv = 32, kernel = 3, activation = \"relu\" }}, {norms}, {{ max-pool = 2 }}, \
                 \"flatten\", {{ dense = \"classes\" }}]"
            );
            let (found, expected) = (of("plain", 64, &[layers]), counted - 0.8);
            assert!((found / expected - 1.0).abs() < 0.15, "{norms}: {found}, not {expected}");
        }
    }
}
