//! One layer as written to what it will do, with its numbers checked and its output's shape.

use crate::basis::activation::Activation;
use crate::basis::shape::{Window, display};
use crate::config::layer::{self, Layer};
use crate::config::layer_settings::{BatchNormSettings, DropoutSettings, Init, Norm};
use crate::config::layer_values::{Padding, Pair, Width};
use crate::config::model::Defaults;
use crate::config::written::Written;
use crate::document::{KeyPath, Problem};

use super::model::{
    AvgPoolPlan, BlurPoolPlan, ChannelsPlan, ConvPlan, DensePlan, GroupNormPlan, LARGEST_BLUR,
    LARGEST_PATCH, LayerKind, LocalResponseNormPlan, PoolPlan, Tail,
};

/// Sides of images, windows and paddings stay below this, so that no product overflows.
pub(super) const LARGEST_SIDE: usize = 65_535;

/// Filters and neurons stay below this.
pub(super) const LARGEST_WIDTH: usize = 1_000_000;

/// One layer may have at most this many parameters or outputs: 2³¹, 8 GiB of f32.
pub(super) const LARGEST_TENSOR: u128 = 1 << 31;

/// What is wrong with so many groups, written at `at`, of the channels `of` a layer, if anything is.
pub(super) fn wrong_groups(
    at: KeyPath,
    groups: usize,
    channels: Option<usize>,
    of: &str,
) -> Option<Problem> {
    if groups == 0 {
        return Some(Problem::value(at, "at least one group is needed").label("0 groups"));
    }
    let channels = channels.filter(|channels| !channels.is_multiple_of(groups))?;
    let message = format!("{groups} groups do not divide the {channels} channels{of} evenly");
    Some(Problem::value(at, message).label("must divide the channels"))
}

/// Builds one layer and collects what is wrong with it.
pub(super) struct Builder<'a> {
    /// Where the layer was written.
    pub(super) at: &'a KeyPath,
    /// Its full name.
    pub(super) name: &'a str,
    /// What holds unless the layer says otherwise.
    pub(super) defaults: &'a Defaults,
    /// Classes of the data.
    pub(super) classes: usize,
    /// Whether it gives logits.
    pub(super) is_last: bool,
    /// What is wrong goes here.
    pub(super) problems: &'a mut Vec<Problem>,
}

impl Builder<'_> {
    /// What the layer will be and the shape of its output, if it can be known; `input` is none
    /// where the shape is not known.
    pub(super) fn layer(
        &mut self,
        layer: &Layer,
        input: Option<&[usize]>,
    ) -> Option<(LayerKind, Vec<usize>)> {
        match layer {
            Layer::Conv(conv) => self.conv(conv, input),
            Layer::Whiten(whiten) => self.whiten(whiten, input),
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
                let output = self.bins("adaptive-avg-pool", pool.adaptive_avg_pool, input)?;
                Some((LayerKind::AdaptiveAvgPool {}, output))
            }
            Layer::AdaptiveMaxPool(pool) => {
                let output = self.bins("adaptive-max-pool", pool.adaptive_max_pool, input)?;
                Some((LayerKind::AdaptiveMaxPool {}, output))
            }
            Layer::BlurPool(blur) => self.blur_pool(blur, input),
            Layer::ChannelPool(pool) => {
                let [_, height, width] = self.image(input?)?;
                Some((LayerKind::ChannelPool(pool.channel_pool), vec![1, height, width]))
            }
            Layer::Flatten(_) => Some((LayerKind::Flatten {}, vec![input?.iter().product()])),
            Layer::BatchNorm(norm) => {
                let usual = BatchNormSettings::default();
                let settings = BatchNormSettings {
                    momentum: norm.momentum.unwrap_or(usual.momentum),
                    eps: norm.eps.unwrap_or(usual.eps),
                    weight: norm.weight.unwrap_or(usual.weight),
                };
                self.check_batch_norm(settings, self.at);
                Some((LayerKind::BatchNorm(settings), input?.to_vec()))
            }
            Layer::LayerNorm(norm) => {
                let eps = self.eps(norm.eps, 1e-5);
                let input = input?;
                self.compares(input[0], "batch norm, or more channels before it")?;
                Some((LayerKind::LayerNorm(eps), input.to_vec()))
            }
            Layer::GroupNorm(norm) => {
                let (groups, eps) = (norm.group_norm, self.eps(norm.eps, 1e-5));
                let channels = input.map(|input| input[0]);
                if let Some(problem) = wrong_groups(self.at.key("group-norm"), groups, channels, "")
                {
                    self.problems.push(problem);
                    return None;
                }
                let input = input?;
                let numbers = input.iter().product::<usize>() / groups;
                self.compares(numbers, "fewer groups, or batch norm")?;
                Some((LayerKind::GroupNorm(GroupNormPlan { groups, eps }), input.to_vec()))
            }
            Layer::InstanceNorm(norm) => {
                let eps = self.eps(norm.eps, 1e-5);
                let image = self.image(input?)?;
                let other = "a norm over several channels, such as layer norm, or batch norm";
                self.compares(image[1] * image[2], other)?;
                let plan = GroupNormPlan { groups: image[0], eps };
                Some((LayerKind::GroupNorm(plan), image.to_vec()))
            }
            Layer::LocalResponseNorm(norm) => {
                let plan = self.local_response_norm(norm);
                Some((LayerKind::LocalResponseNorm(plan), self.image(input?)?.to_vec()))
            }
            Layer::GlobalResponseNorm(norm) => {
                let eps = self.eps(norm.eps, 1e-6);
                Some((LayerKind::GlobalResponseNorm(eps), self.image(input?)?.to_vec()))
            }
            Layer::LayerScale(scale) => {
                Some((LayerKind::LayerScale(scale.layer_scale), input?.to_vec()))
            }
            Layer::Scale(scale) => {
                if scale.scale == 0.0 {
                    let message = "times 0, all values are 0 for every image";
                    self.push(self.at.key("scale"), message, "must not be 0");
                }
                Some((LayerKind::ScaleBy(scale.scale), input?.to_vec()))
            }
            Layer::Chunk(chunk) => {
                self.channels("chunk", ChannelsPlan::Chunk(chunk.chunk, chunk.of), input)
            }
            Layer::ChannelShuffle(shuffle) => {
                let plan = ChannelsPlan::Shuffle(shuffle.channel_shuffle);
                self.channels("channel-shuffle", plan, input)
            }
            Layer::PadChannels(pad) => {
                let Pair([before, behind]) = pad.pad_channels;
                self.channels("pad-channels", ChannelsPlan::Pad(before, behind), input)
            }
            Layer::Activation(layer) => match layer.activation.0 {
                Some(activation) => Some((LayerKind::Activation(activation), input?.to_vec())),
                None => {
                    self.problems.push(
                        Problem::value(self.at.key("activation"), "this layer does nothing")
                            .label("no activation")
                            .help("remove the layer"),
                    );
                    None
                }
            },
            Layer::Dropout(layer) => {
                // p = 0 is allowed, so that it can be swept: the layer then passes its input on.
                let none = DropoutSettings { p: 0.0, channels: false };
                let dropout = self.dropout(Some(layer.dropout), true).unwrap_or(none);
                Some((LayerKind::Dropout(dropout), input?.to_vec()))
            }
            // These are several layers of a plan each.
            Layer::SeparableConv(_)
            | Layer::SqueezeExcite(_)
            | Layer::Eca(_)
            | Layer::Residual(_)
            | Layer::Branches(_)
            | Layer::Auxiliary(_) => None,
        }
    }

    fn conv(
        &mut self,
        conv: &layer::Conv,
        input: Option<&[usize]>,
    ) -> Option<(LayerKind, Vec<usize>)> {
        let filters = self.width("conv", conv.conv, "filters", input);
        let Pair(kernel) = conv.kernel;
        let Pair(stride) = conv.stride.unwrap_or(Pair([1, 1]));
        let Pair(dilation) = conv.dilation.unwrap_or(Pair([1, 1]));
        let sound = self.sides("kernel", kernel, 1)
            & self.sides("stride", stride, 1)
            & self.sides("dilation", dilation, 1);
        if conv.groups == Some(Width::Count(0)) {
            self.push(self.at.key("groups"), "at least one group is needed", "0 groups");
        }
        let tail = self.tail(conv.norm, conv.activation, conv.dropout);
        let input = self.image(input?)?;
        let filters = filters?;
        let groups = match conv.groups {
            None => 1,
            Some(Width::Count(groups)) => groups,
            Some(Width::Channels) => input[0],
            Some(Width::Classes) => self.classes,
        };
        if !sound || groups == 0 {
            return None;
        }
        if input[0] % groups != 0 || !filters.is_multiple_of(groups) {
            let message = format!(
                "{groups} groups do not divide {} input channels and {filters} filters evenly",
                input[0]
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
            filters,
            kernel,
            stride,
            padding,
            dilation,
            groups,
            bias: conv.bias.unwrap_or(tail.norm.is_none()),
            dense: false,
            whitens: None,
            init: conv.init.unwrap_or(self.defaults.init),
            tail,
        };
        let windows = plan.windows();
        let sizes = [0, 1].map(|axis| windows[axis].out(input[axis + 1]));
        let [Some(height), Some(width)] = sizes else {
            self.does_not_fit("kernel", &windows, &input);
            return None;
        };
        let output = vec![filters, height, width];
        let weights = [filters, input[0] / groups, kernel[0], kernel[1]];
        self.fits_memory("conv", &weights, &output).then_some((LayerKind::Conv(plan), output))
    }

    fn whiten(
        &mut self,
        whiten: &layer::Whiten,
        input: Option<&[usize]>,
    ) -> Option<(LayerKind, Vec<usize>)> {
        let Pair(kernel) = whiten.whiten;
        let sound = self.sides("whiten", kernel, 1);
        let eps = self.eps(whiten.eps, 5e-4);
        let none = Written(DropoutSettings { p: 0.0, channels: false });
        let tail = self.tail(Some(Norm::None), whiten.activation, Some(none));
        let input = self.image(input?)?;
        if !sound {
            return None;
        }
        let patch = input[0].saturating_mul(kernel[0].saturating_mul(kernel[1]));
        if patch > LARGEST_PATCH {
            let message = format!("a patch of {} has {patch} values", display(&kernel));
            let label = format!("at most {LARGEST_PATCH} can be whitened");
            self.push(self.at.key("whiten"), message, label);
            return None;
        }
        let plan = ConvPlan {
            filters: 2 * patch,
            kernel,
            stride: [1, 1],
            padding: [[0, 0]; 2],
            dilation: [1, 1],
            groups: 1,
            bias: true,
            dense: false,
            whitens: Some(eps),
            init: Init::Pytorch,
            tail,
        };
        let windows = plan.windows();
        let sizes = [0, 1].map(|axis| windows[axis].out(input[axis + 1]));
        let [Some(height), Some(width)] = sizes else {
            self.does_not_fit("whiten", &windows, &input);
            return None;
        };
        let output = vec![2 * patch, height, width];
        self.fits_memory("whiten", &[], &output).then_some((LayerKind::Conv(plan), output))
    }

    fn dense(
        &mut self,
        dense: &layer::Dense,
        input: Option<&[usize]>,
    ) -> Option<(LayerKind, Vec<usize>)> {
        let neurons = self.width("dense", dense.dense, "neurons", input);
        let tail = self.tail(dense.norm, dense.activation, dense.dropout);
        let input = input?;
        if dense.each_pixel == Some(true) {
            let [channels, height, width] = self.image(input)?;
            let filters = neurons?;
            let plan = ConvPlan {
                filters,
                kernel: [1, 1],
                stride: [1, 1],
                padding: [[0, 0]; 2],
                dilation: [1, 1],
                groups: 1,
                bias: dense.bias.unwrap_or(tail.norm.is_none()),
                dense: true,
                whitens: None,
                init: dense.init.unwrap_or(self.defaults.init),
                tail,
            };
            let output = vec![filters, height, width];
            return self
                .fits_memory("dense", &[filters, channels], &output)
                .then_some((LayerKind::Conv(plan), output));
        }
        if input.len() != 1 {
            self.problems.push(
                Problem::value(
                    self.at.clone(),
                    format!("{} needs a flat input, but gets {}", self.name, display(input)),
                )
                .label("its input is maps")
                .help("put \"flatten\" or { adaptive-avg-pool = 1 } and \"flatten\" before it"),
            );
            return None;
        }
        let neurons = neurons?;
        let plan = DensePlan {
            neurons,
            bias: dense.bias.unwrap_or(tail.norm.is_none()),
            init: dense.init.unwrap_or(self.defaults.init),
            tail,
        };
        self.fits_memory("dense", &[neurons, input[0]], &[neurons])
            .then_some((LayerKind::Dense(plan), vec![neurons]))
    }

    fn bins(&mut self, kind: &str, Pair(out): Pair, input: Option<&[usize]>) -> Option<Vec<usize>> {
        self.sides(kind, out, 1);
        let input = self.image(input?)?;
        Some(vec![input[0], out[0], out[1]])
    }

    fn blur_pool(
        &mut self,
        blur: &layer::BlurPool,
        input: Option<&[usize]>,
    ) -> Option<(LayerKind, Vec<usize>)> {
        let Pair(window) = blur.blur_pool;
        let Pair(stride) = blur.stride.unwrap_or(Pair([1, 1]));
        if !window.iter().all(|side| (2..=LARGEST_BLUR).contains(side)) {
            self.problems.push(
                Problem::value(
                    self.at.key("blur-pool"),
                    format!("a blur of {} is not between 2 and {LARGEST_BLUR}", display(&window)),
                )
                .label("out of range")
                .help("timm's default is 3; 1 would not blur: { max-pool = 1, stride = 2 }"),
            );
            return None;
        }
        if !self.sides("stride", stride, 1) {
            return None;
        }
        let plan = BlurPoolPlan { window, stride };
        let [channels, height, width] = self.image(input?)?;
        let Some([rows, columns]) = plan.out([height, width]) else {
            let mirrored = display(&plan.windows().map(|window| window.padding[0]));
            self.problems.push(
                Problem::value(
                    self.at.key("blur-pool"),
                    format!("maps of {} are too small for this blur", display(&[height, width])),
                )
                .label(format!("mirrors {mirrored} pixels at each border"))
                .help("use a smaller window or stride, fewer pools before it, or larger images"),
            );
            return None;
        };
        Some((LayerKind::BlurPool(plan), vec![channels, rows, columns]))
    }

    fn channels(
        &mut self,
        kind: &str,
        plan: ChannelsPlan,
        input: Option<&[usize]>,
    ) -> Option<(LayerKind, Vec<usize>)> {
        let [channels, height, width] = self.image(input?)?;
        if let Some(why) = plan.wrong(channels) {
            self.push(self.at.key(kind), why, "cannot be");
            return None;
        }
        let output = vec![plan.order(channels).len(), height, width];
        self.fits_memory(kind, &[], &output).then_some((LayerKind::Channels(plan), output))
    }

    fn local_response_norm(&mut self, norm: &layer::LocalResponseNorm) -> LocalResponseNormPlan {
        let plan = LocalResponseNormPlan {
            size: norm.local_response_norm,
            alpha: norm.alpha.unwrap_or(1e-4),
            beta: norm.beta.unwrap_or(0.75),
            k: norm.k.unwrap_or(1.0),
        };
        if plan.size == 0 || plan.size > LARGEST_WIDTH {
            let message = format!("{} channels are not between 1 and {LARGEST_WIDTH}", plan.size);
            self.push(self.at.key("local-response-norm"), message, "channels of a sum");
        }
        for (key, number) in [("alpha", plan.alpha), ("beta", plan.beta)] {
            if number < 0.0 {
                self.push(self.at.key(key), format!("{number} is negative"), "must be >= 0");
            }
        }
        if plan.k <= 0.0 {
            let message = format!("a k of {} is not positive", plan.k);
            self.push(self.at.key("k"), message, "it prevents a division by 0");
        }
        plan
    }

    /// None, and a problem, if a norm takes means over one number: it would be 0 whatever the image.
    fn compares(&mut self, numbers: usize, other: &str) -> Option<()> {
        if numbers != 1 {
            return Some(());
        }
        self.problems.push(
            Problem::value(
                self.at.clone(),
                format!(
                    "{} normalises each value alone: all values become 0 for every image",
                    self.name
                ),
            )
            .label("one value equals its mean")
            .help(format!("use {other}")),
        );
        None
    }

    fn eps(&mut self, eps: Option<f64>, usual: f64) -> f64 {
        let eps = eps.unwrap_or(usual);
        if eps <= 0.0 {
            let message = format!("an eps of {eps} is not positive");
            self.push(self.at.key("eps"), message, "must be > 0");
        }
        eps
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
                    "the padding of a pool must be at most half its window",
                )
                .label(format!("window {}", display(&window)))
                .help("with more, some windows would contain only padding"),
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
        norm: Option<Norm>,
        own_activation: Option<Written<Option<Activation>>>,
        dropout: Option<Written<DropoutSettings>>,
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
                Some(Norm::Batch(settings)) => {
                    self.check_batch_norm(settings, &norm_at.key("batch"));
                    Some(settings)
                }
                // Others are layers of their own, behind this one.
                _ => None,
            },
            activation: act.and_then(|Written(activation)| activation),
            dropout: self.dropout(dropout, own_drop),
        };
        if self.is_last {
            let set = [
                ("norm", norm.is_some_and(|norm| norm != Norm::None)),
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

    fn check_batch_norm(&mut self, norm: BatchNormSettings, at: &KeyPath) {
        let BatchNormSettings { momentum, eps, .. } = norm;
        if !(momentum > 0.0 && momentum <= 1.0) {
            let message = format!("a momentum of {momentum} is not in (0, 1]");
            self.push(at.key("momentum"), message, "weight of the batch in the running statistics");
        }
        if eps <= 0.0 {
            self.push(at.key("eps"), format!("an eps of {eps} is not positive"), "must be > 0");
        }
    }

    /// The dropout, if it drops something.
    fn dropout(
        &mut self,
        dropout: Option<Written<DropoutSettings>>,
        own: bool,
    ) -> Option<DropoutSettings> {
        let Written(dropout) = dropout?;
        let p = dropout.p;
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
        (p > 0.0).then_some(dropout)
    }

    fn image(&mut self, input: &[usize]) -> Option<[usize; 3]> {
        let image = <[usize; 3]>::try_from(input).ok();
        if image.is_none() {
            self.problems.push(
                Problem::value(
                    self.at.clone(),
                    format!("{} needs maps, but gets {} flat features", self.name, display(input)),
                )
                .label("its input is flat")
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
            let message = format!("{} would need a tensor of {largest} values", self.name);
            self.push(self.at.key(key), message, "too large for any machine");
        }
        largest <= LARGEST_TENSOR
    }

    fn width(
        &mut self,
        key: &str,
        width: Width,
        what: &str,
        input: Option<&[usize]>,
    ) -> Option<usize> {
        let width = match width {
            Width::Count(count) => count,
            Width::Classes => self.classes,
            Width::Channels => *input?.first()?,
        };
        if width == 0 || width > LARGEST_WIDTH {
            let message = format!("{width} {what} are not between 1 and {LARGEST_WIDTH}");
            self.push(self.at.key(key), message, format!("number of {what}"));
        }
        Some(width)
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
