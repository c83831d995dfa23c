//! Whether a network that comes from a file is one: its shapes follow from each other, and nothing in it is
//! without bounds. A plan that was made of an experiment is one by the way it was made.

use std::collections::BTreeSet;

use crate::basis::shape::{Window, display};
use crate::config::layer_settings::BatchNormSettings;
use crate::plan::layer::{LARGEST_SIDE, LARGEST_TENSOR, LARGEST_WIDTH};

use super::{LayerKind, LayerPlan, ModelPlan, PoolPlan, Tail};

/// A network has at most this many layers.
const MOST_LAYERS: usize = 100_000;

impl ModelPlan {
    /// Finds out whether this is a network.
    ///
    /// # Errors
    /// In words, what it is not for.
    pub fn check(&self) -> Result<(), String> {
        let sides = |shape: &[usize]| shape.iter().all(|side| (1..=LARGEST_SIDE).contains(side));
        if self.input.len() != 3 || !sides(&self.input) {
            return Err(format!("its images of {} are none", display(&self.input)));
        }
        if !(1..=LARGEST_WIDTH).contains(&self.classes) {
            return Err(format!("{} classes are not between 1 and {LARGEST_WIDTH}", self.classes));
        }
        if !(1..=MOST_LAYERS).contains(&self.layers.len()) {
            let layers = self.layers.len();
            return Err(format!("{layers} layers are not between 1 and {MOST_LAYERS}"));
        }
        for (index, layer) in self.layers.iter().enumerate() {
            let wrong = |what: String| format!("layer {}, \"{}\": {what}", index + 1, layer.name);
            self.check_layer(index, layer).map_err(wrong)?;
        }
        let mut names = BTreeSet::new();
        if let Some(twice) =
            self.tensors().into_iter().find(|(name, _)| !names.insert(name.clone()))
        {
            return Err(format!("two tensors are called {}", twice.0));
        }
        let gives_logits = |number: usize| {
            let layer = number.checked_sub(1).and_then(|index| self.layers.get(index));
            layer.is_some_and(|layer| layer.output == [self.classes])
        };
        let heads = self.auxiliary.iter().map(|head| head.logits);
        match heads.chain([self.layers.len()]).find(|number| !gives_logits(*number)) {
            Some(number) => {
                Err(format!("layer {number} does not give the logits of {} classes", self.classes))
            }
            None => Ok(()),
        }
    }

    fn check_layer(&self, index: usize, layer: &LayerPlan) -> Result<(), String> {
        let sources = self.sources(index);
        if let Some(source) = sources.iter().find(|source| **source > index) {
            return Err(format!("it takes its input from layer {source}, which is not before it"));
        }
        let inputs = sources.iter().map(|source| match source {
            0 => &self.input,
            number => &self.layers[number - 1].output,
        });
        let inputs: Vec<&[usize]> = inputs.map(|shape| &shape[..]).collect();
        if layer.input != inputs[0] {
            let (said, is) = (display(&layer.input), display(inputs[0]));
            return Err(format!("its input of {said} is {is}"));
        }
        let output = layer.kind.output(&inputs, &layer.output)?;
        if layer.output != output {
            let (said, is) = (display(&layer.output), display(&output));
            return Err(format!("its output of {said} is {is}"));
        }
        if size(&output) > LARGEST_TENSOR || output.contains(&0) {
            return Err(format!("its output of {} is none", display(&output)));
        }
        match layer.parameter_plans().iter().find(|plan| size(&plan.shape) > LARGEST_TENSOR) {
            Some(plan) => Err(format!("{} would be {}", plan.name, display(&plan.shape))),
            None => Ok(()),
        }
    }
}

impl LayerKind {
    /// The shape that comes out of inputs of these shapes; `said` is what the plan says.
    fn output(&self, inputs: &[&[usize]], said: &[usize]) -> Result<Vec<usize>, String> {
        let first = inputs[0];
        let is_merge =
            matches!(self, LayerKind::Sum(_) | LayerKind::Concat {} | LayerKind::Scale {});
        if is_merge == (inputs.len() < 2) {
            return Err(format!("it has {} inputs", inputs.len()));
        }
        match self {
            LayerKind::Conv(conv) => {
                let [channels, height, width] = maps(first)?;
                in_range("filters", &[conv.filters], 1, LARGEST_WIDTH)?;
                in_range("kernel", &conv.kernel, 1, LARGEST_SIDE)?;
                in_range("stride", &conv.stride, 1, LARGEST_SIDE)?;
                in_range("dilation", &conv.dilation, 1, LARGEST_SIDE)?;
                in_range("padding", conv.padding.as_flattened(), 0, LARGEST_SIDE)?;
                in_range("groups", &[conv.groups], 1, channels)?;
                if !channels.is_multiple_of(conv.groups)
                    || !conv.filters.is_multiple_of(conv.groups)
                {
                    return Err(format!("{} groups do not divide its channels", conv.groups));
                }
                check_tail(&conv.tail)?;
                let [rows, columns] = conv.windows();
                Ok(vec![conv.filters, fits(rows.out(height))?, fits(columns.out(width))?])
            }
            LayerKind::Dense(dense) => {
                flat(first)?;
                in_range("neurons", &[dense.neurons], 1, LARGEST_WIDTH)?;
                check_tail(&dense.tail)?;
                Ok(vec![dense.neurons])
            }
            LayerKind::MaxPool(pool) => pooled(pool, first),
            LayerKind::AvgPool(avg) => pooled(&avg.pool, first),
            LayerKind::AdaptiveAvgPool {} => {
                let [channels, ..] = maps(first)?;
                let [_, height, width] = maps(said)?;
                in_range("adaptive-avg-pool", &[height, width], 1, LARGEST_SIDE)?;
                Ok(vec![channels, height, width])
            }
            LayerKind::Flatten {} => Ok(vec![first.iter().product()]),
            LayerKind::BatchNorm(norm) => check_norm(norm).map(|()| first.to_vec()),
            LayerKind::Activation(_) => Ok(first.to_vec()),
            LayerKind::Dropout(dropout) => probability(dropout.p).map(|()| first.to_vec()),
            LayerKind::StochasticDepth(p) => probability(*p).map(|()| first.to_vec()),
            LayerKind::Sum(_) => match inputs.iter().find(|other| **other != first) {
                Some(other) => {
                    Err(format!("{} and {} cannot be added", display(first), display(other)))
                }
                None => Ok(first.to_vec()),
            },
            LayerKind::Concat {} => {
                let rest = |shape: &[usize]| shape.get(1..).unwrap_or_default().to_vec();
                if first.is_empty() || inputs.iter().any(|other| rest(other) != rest(first)) {
                    return Err("its inputs have different heights or widths".to_owned());
                }
                let channels = inputs.iter().map(|input| input[0]).sum();
                Ok([vec![channels], rest(first)].concat())
            }
            LayerKind::Scale {} => {
                let [channels, ..] = maps(first)?;
                if inputs.len() != 2 || inputs[1] != [channels, 1, 1] {
                    return Err(format!("it needs {channels} factors for its channels"));
                }
                Ok(first.to_vec())
            }
        }
    }
}

/// How many numbers a tensor of this shape holds.
fn size(shape: &[usize]) -> u128 {
    shape.iter().fold(1_u128, |size, side| size.saturating_mul(*side as u128))
}

fn maps(shape: &[usize]) -> Result<[usize; 3], String> {
    <[usize; 3]>::try_from(shape).map_err(|_| format!("{} are no maps", display(shape)))
}

fn flat(shape: &[usize]) -> Result<usize, String> {
    <[usize; 1]>::try_from(shape)
        .map(|[features]| features)
        .map_err(|_| format!("{} are no flat features", display(shape)))
}

fn fits(side: Option<usize>) -> Result<usize, String> {
    side.ok_or_else(|| "its window does not fit into its input".to_owned())
}

fn in_range(what: &str, numbers: &[usize], least: usize, most: usize) -> Result<(), String> {
    match numbers.iter().find(|number| !(least..=most).contains(number)) {
        Some(number) => Err(format!("{what} {number} is not between {least} and {most}")),
        None => Ok(()),
    }
}

fn pooled(pool: &PoolPlan, input: &[usize]) -> Result<Vec<usize>, String> {
    let [channels, height, width] = maps(input)?;
    in_range("window", &pool.window, 1, LARGEST_SIDE)?;
    in_range("stride", &pool.stride, 1, LARGEST_SIDE)?;
    for axis in [0, 1] {
        in_range("padding", &[pool.padding[axis]], 0, pool.window[axis] / 2)?;
    }
    let [rows, columns] = pool.windows();
    let out =
        |window: Window, side| if pool.ceil { window.out_ceil(side) } else { window.out(side) };
    Ok(vec![channels, fits(out(rows, height))?, fits(out(columns, width))?])
}

fn check_tail(tail: &Tail) -> Result<(), String> {
    tail.norm.as_ref().map_or(Ok(()), check_norm)?;
    tail.dropout.map_or(Ok(()), |dropout| probability(dropout.p))
}

fn check_norm(norm: &BatchNormSettings) -> Result<(), String> {
    let BatchNormSettings { momentum, eps } = *norm;
    let is_one = momentum > 0.0 && momentum <= 1.0 && eps > 0.0 && eps.is_finite();
    let wrong = || format!("a batch norm of momentum {momentum} and eps {eps} is none");
    if is_one { Ok(()) } else { Err(wrong()) }
}

fn probability(p: f64) -> Result<(), String> {
    if (0.0..1.0).contains(&p) { Ok(()) } else { Err(format!("{p} is not in [0, 1)")) }
}
