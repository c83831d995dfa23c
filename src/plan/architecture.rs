//! From layers as written to layers with names and shapes: every mistake is found here, before a
//! tensor exists, and points at the layer's own line.

use crate::basis::shape::{Window, display};
use crate::config::model::{self as written, Layer, Neurons, Padding, Pair};
use crate::config::path::KeyPath;
use crate::config::problem::Problem;

use super::model::{
    Activation, AvgPoolPlan, BatchNormPlan, ConvPlan, DensePlan, DropoutPlan, Init, LayerKind,
    LayerPlan, ModelPlan, PoolPlan, Tail,
};

/// Sides of images, windows and paddings stay below this, so that no product overflows.
const LARGEST_SIDE: usize = 65_535;

/// Filters and neurons stay below this.
const LARGEST_WIDTH: usize = 1_000_000;

/// One layer may have at most this many parameters or outputs: 2³¹, 8 GiB of f32.
const LARGEST_TENSOR: u128 = 1 << 31;

/// The network for `layers` called `names`, which stand at `path`, on images of shape `image`
/// (`[channels, height, width]`); or what is wrong with it.
pub fn architecture(
    layers: &[(Layer, KeyPath)],
    names: &[String],
    path: &KeyPath,
    defaults: &written::Defaults,
    image: [usize; 3],
    classes: usize,
) -> Result<ModelPlan, Vec<Problem>> {
    let mut problems = Vec::new();
    check_names(layers, &mut problems);
    if layers.is_empty() {
        problems.push(
            Problem::value(path.clone(), "the network has no layers")
                .help("the smallest network is [\"flatten\", { dense = \"classes\" }]"),
        );
    }
    let mut shape = Some(image.to_vec());
    let mut plans = Vec::new();
    for (index, ((layer, at), name)) in layers.iter().zip(names).enumerate() {
        let is_last = index + 1 == layers.len();
        let mut builder = Builder { at, name, defaults, classes, is_last, problems: &mut problems };
        let before = builder.problems.len();
        // After a broken shape the numbers of later layers are still checked, on no shape at all.
        let kind_and_output = builder.layer(layer, shape.as_deref());
        let broken = problems.len() > before;
        shape = match (shape, kind_and_output) {
            (Some(input), Some((kind, output))) if !broken => {
                plans.push(LayerPlan { name: name.clone(), input, output: output.clone(), kind });
                Some(output)
            }
            _ => None,
        };
    }
    if let (Some(output), Some((last, at))) = (&shape, layers.last())
        && output[..] != [classes]
    {
        problems.push(wrong_output(output, classes, last, at));
    }
    if problems.is_empty() {
        Ok(ModelPlan { input: image.to_vec(), classes, layers: plans })
    } else {
        Err(problems)
    }
}

/// Names that the user gave have to be fit and unique.
fn check_names(layers: &[(Layer, KeyPath)], problems: &mut Vec<Problem>) {
    let mut seen = std::collections::BTreeSet::new();
    for (layer, at) in layers {
        let Some(name) = layer.name() else { continue };
        if let Some(problem) = bad_name(name, at) {
            problems.push(problem);
        } else if !seen.insert(name) {
            problems.push(
                Problem::value(at.key("name"), format!("two layers are named \"{name}\""))
                    .label("the second one")
                    .help("names are the prefixes of parameters, so each is used once"),
            );
        }
    }
}

fn bad_name(name: &str, at: &KeyPath) -> Option<Problem> {
    let fits = !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        && !name.chars().all(|c| c.is_ascii_digit());
    (!fits).then(|| {
        Problem::value(at.key("name"), format!("\"{name}\" cannot be the name of a layer"))
            .label("not a name")
            .help("names are made of letters, digits, - and _, and are not numbers")
    })
}

fn wrong_output(output: &[usize], classes: usize, last: &Layer, at: &KeyPath) -> Problem {
    let found = display(output);
    match last {
        Layer::Dense(_) => Problem::value(
            at.key("dense"),
            format!("the network gives {found} scores, but the data has {classes} classes"),
        )
        .label(format!("{found} neurons"))
        .help("write dense = \"classes\" to follow the data"),
        _ => Problem::value(
            at.clone(),
            format!(
                "the network ends with {found}, not with one score for each of {classes} classes"
            ),
        )
        .label("the last layer")
        .help("end with \"flatten\" and { dense = \"classes\" }"),
    }
}

/// Builds one layer and collects what is wrong with it.
struct Builder<'a> {
    at: &'a KeyPath,
    name: &'a str,
    defaults: &'a written::Defaults,
    classes: usize,
    is_last: bool,
    problems: &'a mut Vec<Problem>,
}

impl Builder<'_> {
    fn layer(&mut self, layer: &Layer, input: Option<&[usize]>) -> Option<(LayerKind, Vec<usize>)> {
        match layer {
            Layer::Conv(conv) => self.conv(conv, input),
            Layer::Dense(dense) => self.dense(dense, input),
            Layer::MaxPool(pool) => {
                let pool =
                    self.pool("max-pool", pool.max_pool, pool.stride, pool.padding, pool.ceil);
                let output = self.pooled("max-pool", &pool, input)?;
                Some((LayerKind::MaxPool(pool), output))
            }
            Layer::AvgPool(avg) => {
                let pool = self.pool("avg-pool", avg.avg_pool, avg.stride, avg.padding, avg.ceil);
                let output = self.pooled("avg-pool", &pool, input)?;
                let count_padding = avg.count_padding.unwrap_or(true);
                Some((LayerKind::AvgPool(AvgPoolPlan { pool, count_padding }), output))
            }
            Layer::AdaptiveAvgPool(pool) => {
                let Pair(out) = pool.adaptive_avg_pool;
                self.sides("adaptive-avg-pool", out, 1);
                let input = self.image(input?)?;
                Some((LayerKind::AdaptiveAvgPool {}, vec![input[0], out[0], out[1]]))
            }
            Layer::Flatten(_) => Some((LayerKind::Flatten {}, vec![input?.iter().product()])),
            Layer::BatchNorm(norm) => {
                let settings =
                    written::BatchNormSettings { momentum: norm.momentum, eps: norm.eps };
                let at = self.at.clone();
                let plan = self.batch_norm(settings, &at);
                Some((LayerKind::BatchNorm(plan), input?.to_vec()))
            }
            Layer::Activation(layer) => match activation(layer.activation) {
                Some(activation) => Some((LayerKind::Activation(activation), input?.to_vec())),
                None => {
                    self.problems.push(
                        Problem::value(self.at.key("activation"), "this layer does nothing")
                            .label("no activation")
                            .help("leave the layer out"),
                    );
                    None
                }
            },
            Layer::Dropout(layer) => {
                let plan = self.dropout(Some(layer.dropout), true);
                let kind = match plan {
                    Some(plan) => LayerKind::Dropout(plan),
                    // p = 0 is allowed, so that it can be swept: the layer then passes its input on.
                    None => LayerKind::Dropout(DropoutPlan { p: 0.0, channels: false }),
                };
                Some((kind, input?.to_vec()))
            }
        }
    }

    fn conv(
        &mut self,
        conv: &written::Conv,
        input: Option<&[usize]>,
    ) -> Option<(LayerKind, Vec<usize>)> {
        self.width("conv", conv.conv, "filters");
        let Pair(kernel) = conv.kernel;
        let Pair(stride) = conv.stride.unwrap_or(Pair([1, 1]));
        let Pair(dilation) = conv.dilation.unwrap_or(Pair([1, 1]));
        let sound = self.sides("kernel", kernel, 1)
            & self.sides("stride", stride, 1)
            & self.sides("dilation", dilation, 1);
        let groups = conv.groups.unwrap_or(1);
        if groups == 0 {
            self.push(self.at.key("groups"), "there is at least one group", "0 groups");
        }
        let tail = self.tail(conv.norm, conv.activation, conv.dropout);
        let input = self.image(input?)?;
        if !sound || groups == 0 {
            return None;
        }
        if input[0] % groups != 0 || !conv.conv.is_multiple_of(groups) {
            let message = format!(
                "{groups} groups do not divide {} input channels and {} filters evenly",
                input[0], conv.conv
            );
            self.push(self.at.key("groups"), message, "must divide both");
            return None;
        }
        let padding = [0, 1].map(|axis| match conv.padding {
            None => [0, 0],
            Some(Padding::Each(each)) => [each[axis]; 2],
            Some(Padding::Same) => {
                Window::same_padding(kernel[axis], stride[axis], dilation[axis], input[axis + 1])
            }
        });
        if let Some(Padding::Each(each)) = conv.padding
            && !self.sides("padding", each, 0)
        {
            return None;
        }
        let plan = ConvPlan {
            filters: conv.conv,
            kernel,
            stride,
            padding,
            dilation,
            groups,
            bias: conv.bias.unwrap_or(tail.norm.is_none()),
            init: init(conv.init.unwrap_or(self.defaults.init)),
            tail,
        };
        let windows = plan.windows();
        let sizes = [0, 1].map(|axis| windows[axis].out(input[axis + 1]));
        let [Some(height), Some(width)] = sizes else {
            self.does_not_fit("kernel", &windows, &input);
            return None;
        };
        let output = vec![conv.conv, height, width];
        let weights = [conv.conv, input[0] / groups, kernel[0], kernel[1]];
        self.fits_memory("conv", &weights, &output).then_some((LayerKind::Conv(plan), output))
    }

    fn dense(
        &mut self,
        dense: &written::Dense,
        input: Option<&[usize]>,
    ) -> Option<(LayerKind, Vec<usize>)> {
        let neurons = match dense.dense {
            Neurons::Count(count) => {
                self.width("dense", count, "neurons");
                count
            }
            Neurons::Classes => self.classes,
        };
        let tail = self.tail(dense.norm, dense.activation, dense.dropout);
        let input = input?;
        if input.len() != 1 {
            self.problems.push(
                Problem::value(
                    self.at.clone(),
                    format!("{} needs a flat input, but gets {}", self.name, display(input)),
                )
                .label("maps arrive here")
                .help("put \"flatten\" or { adaptive-avg-pool = 1 } and \"flatten\" before it"),
            );
            return None;
        }
        let plan = DensePlan {
            neurons,
            bias: dense.bias.unwrap_or(tail.norm.is_none()),
            init: init(dense.init.unwrap_or(self.defaults.init)),
            tail,
        };
        self.fits_memory("dense", &[neurons, input[0]], &[neurons])
            .then_some((LayerKind::Dense(plan), vec![neurons]))
    }

    fn pool(
        &mut self,
        kind: &str,
        Pair(window): Pair,
        stride: Option<Pair>,
        padding: Option<Pair>,
        ceil: Option<bool>,
    ) -> PoolPlan {
        let Pair(stride) = stride.unwrap_or(Pair(window));
        let Pair(padding) = padding.unwrap_or(Pair([0, 0]));
        let sound = self.sides(kind, window, 1) & self.sides("stride", stride, 1);
        if sound && (padding[0] > window[0] / 2 || padding[1] > window[1] / 2) {
            self.problems.push(
                Problem::value(
                    self.at.key("padding"),
                    "the padding of a pool is at most half its window",
                )
                .label(format!("window {}", display(&window)))
                .help("with more, some windows would hold padding alone"),
            );
        }
        PoolPlan { window, stride, padding, ceil: ceil.unwrap_or(false) }
    }

    fn pooled(
        &mut self,
        kind: &str,
        pool: &PoolPlan,
        input: Option<&[usize]>,
    ) -> Option<Vec<usize>> {
        let input = self.image(input?)?;
        if pool.window.contains(&0) || pool.stride.contains(&0) {
            return None;
        }
        let windows = pool.windows();
        let sizes = [0, 1].map(|axis| {
            let size = input[axis + 1];
            if pool.ceil { windows[axis].out_ceil(size) } else { windows[axis].out(size) }
        });
        let [Some(height), Some(width)] = sizes else {
            self.does_not_fit(kind, &windows, &input);
            return None;
        };
        Some(vec![input[0], height, width])
    }

    /// Norm, activation and dropout: the layer's own, else the defaults; the last layer, which
    /// gives the logits, takes no defaults.
    fn tail(
        &mut self,
        norm: Option<written::Norm>,
        own_activation: Option<written::Activation>,
        dropout: Option<written::Dropout>,
    ) -> Tail {
        let defaults = self.defaults;
        let default = |own: bool| !own && !self.is_last;
        let (own_norm, own_act, own_drop) =
            (norm.is_some(), own_activation.is_some(), dropout.is_some());
        let norm = norm.or(default(own_norm).then_some(defaults.norm));
        let act = own_activation.or(default(own_act).then_some(defaults.activation));
        let dropout = dropout.or(default(own_drop).then_some(defaults.dropout));
        let defaults_at = KeyPath::root().key("model").key("defaults");
        let norm_at = if own_norm { self.at.key("norm") } else { defaults_at.key("norm") };
        let tail = Tail {
            norm: match norm {
                Some(written::Norm::Batch(settings)) => {
                    let none = written::BatchNormSettings { momentum: None, eps: None };
                    let at = norm_at.key("batch");
                    Some(self.batch_norm(settings.unwrap_or(none), &at))
                }
                _ => None,
            },
            activation: act.and_then(activation),
            dropout: self.dropout(dropout, own_drop),
        };
        if self.is_last {
            let set = [
                ("norm", tail.norm.is_some()),
                ("activation", tail.activation.is_some()),
                ("dropout", tail.dropout.is_some()),
            ];
            for (key, is_set) in set {
                if is_set {
                    self.problems.push(
                        Problem::value(
                            self.at.key(key),
                            format!(
                                "the last layer gives the logits of the loss, so it has no {key}"
                            ),
                        )
                        .label("remove this")
                        .help("model.defaults do not apply to the last layer either"),
                    );
                }
            }
        }
        tail
    }

    fn batch_norm(&mut self, norm: written::BatchNormSettings, at: &KeyPath) -> BatchNormPlan {
        let plan =
            BatchNormPlan { momentum: norm.momentum.unwrap_or(0.1), eps: norm.eps.unwrap_or(1e-5) };
        if !(plan.momentum > 0.0 && plan.momentum <= 1.0) {
            let message = format!("a momentum of {} is not in (0, 1]", plan.momentum);
            self.push(at.key("momentum"), message, "weight of the batch in the running statistics");
        }
        if plan.eps <= 0.0 {
            self.push(
                at.key("eps"),
                format!("an eps of {} is not positive", plan.eps),
                "must be > 0",
            );
        }
        plan
    }

    fn dropout(&mut self, dropout: Option<written::Dropout>, own: bool) -> Option<DropoutPlan> {
        let (p, channels) = match dropout? {
            written::Dropout::Elements(p) => (p, false),
            written::Dropout::Channels(p) => (p, true),
        };
        if !(0.0..1.0).contains(&p) {
            let at =
                if own { self.at.clone() } else { KeyPath::root().key("model").key("defaults") };
            self.problems.push(
                Problem::value(at.key("dropout"), format!("a dropout of {p} is not in [0, 1)"))
                    .label("a probability")
                    .help("0.5 drops every other element; 1 would drop them all"),
            );
            return None;
        }
        (p > 0.0).then_some(DropoutPlan { p, channels })
    }

    fn image(&mut self, input: &[usize]) -> Option<[usize; 3]> {
        let image = <[usize; 3]>::try_from(input).ok();
        if image.is_none() {
            self.problems.push(
                Problem::value(
                    self.at.clone(),
                    format!("{} needs maps, but gets {} flat features", self.name, display(input)),
                )
                .label("a flat input arrives here")
                .help("move it before \"flatten\" and dense layers"),
            );
        }
        image
    }

    fn does_not_fit(&mut self, key: &str, windows: &[Window; 2], input: &[usize; 3]) {
        let kernel = display(&windows.map(|window| window.kernel));
        let extent = display(&windows.map(|window| window.extent()));
        let padded =
            [0, 1].map(|axis| input[axis + 1] + windows[axis].padding.iter().sum::<usize>());
        let window = if kernel == extent { kernel } else { format!("dilated {kernel} ({extent})") };
        self.problems.push(
            Problem::value(
                self.at.key(key),
                format!("a {window} window does not fit into {} maps", display(&input[1..])),
            )
            .label(format!("larger than {} with its padding", display(&padded)))
            .help(format!(
                "{} gets {}: use a smaller window, padding = \"same\", fewer pools before it, or larger images",
                self.name,
                display(input)
            )),
        );
    }

    fn fits_memory(&mut self, key: &str, weights: &[usize], output: &[usize]) -> bool {
        let size = |sides: &[usize]| sides.iter().map(|side| *side as u128).product::<u128>();
        let largest = size(weights).max(size(output));
        if largest > LARGEST_TENSOR {
            let message = format!("{} would need a tensor of {largest} numbers", self.name);
            self.push(self.at.key(key), message, "too large for any machine");
        }
        largest <= LARGEST_TENSOR
    }

    fn width(&mut self, key: &str, width: usize, what: &str) {
        if width == 0 || width > LARGEST_WIDTH {
            let message = format!("{width} {what} are not between 1 and {LARGEST_WIDTH}");
            self.push(self.at.key(key), message, format!("number of {what}"));
        }
    }

    fn sides(&mut self, key: &str, sides: [usize; 2], least: usize) -> bool {
        let sound = sides.iter().all(|side| (least..=LARGEST_SIDE).contains(side));
        if !sound {
            let message =
                format!("{key} {} is not between {least} and {LARGEST_SIDE}", display(&sides));
            self.push(self.at.key(key), message, "out of range");
        }
        sound
    }

    fn push(&mut self, at: KeyPath, message: impl Into<String>, label: impl Into<String>) {
        self.problems.push(Problem::value(at, message.into()).label(label.into()));
    }
}

fn activation(written: written::Activation) -> Option<Activation> {
    Some(match written {
        written::Activation::None => return None,
        written::Activation::Relu => Activation::Relu,
        written::Activation::Relu6 => Activation::Relu6,
        written::Activation::LeakyRelu(slope) => Activation::LeakyRelu(slope.unwrap_or(0.01)),
        written::Activation::Elu(alpha) => Activation::Elu(alpha.unwrap_or(1.0)),
        written::Activation::Gelu => Activation::Gelu,
        written::Activation::Silu => Activation::Silu,
        written::Activation::Hardswish => Activation::Hardswish,
        written::Activation::Tanh => Activation::Tanh,
        written::Activation::Sigmoid => Activation::Sigmoid,
    })
}

fn init(written: written::Init) -> Init {
    match written {
        written::Init::Pytorch => Init::Pytorch,
        written::Init::KaimingNormal => Init::KaimingNormal,
        written::Init::KaimingUniform => Init::KaimingUniform,
        written::Init::XavierNormal => Init::XavierNormal,
        written::Init::XavierUniform => Init::XavierUniform,
        written::Init::LecunNormal => Init::LecunNormal,
        written::Init::LecunUniform => Init::LecunUniform,
        written::Init::Constant(value) => Init::Constant(value),
    }
}
