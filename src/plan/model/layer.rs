//! One layer of a network: what it does, in words and in numbers.

use serde::{Deserialize, Serialize};

use crate::basis::activation::Activation;
use crate::basis::shape::{Window, display};
use crate::config::layer::ChannelPooling;
use crate::config::layer_settings::{BatchNormSettings, DropoutSettings, Init};
use crate::plan::layer::{LARGEST_SIDE, LARGEST_WIDTH};

/// One layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LayerPlan {
    /// Unique in the network; the prefix of its parameters' names.
    pub name: String,
    /// Where its inputs come from, if not from the layer before it alone: numbers of layers,
    /// counted from 1; 0 is the image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<usize>,
    /// Shape of what goes in; of several inputs, that of the first.
    pub input: Vec<usize>,
    /// Shape of what comes out.
    pub output: Vec<usize>,
    /// Prefix of the parameters of its norm, if it is not `NAME.norm`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub norm_name: Option<String>,
    /// What it does.
    pub kind: LayerKind,
    /// If it belongs to a pretrained network: how it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuning: Option<Tuning>,
}

/// How a layer of a pretrained network goes on learning.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Tuning {
    /// Whether it starts with the pretrained weights.
    pub pretrained: bool,
    /// The first epoch, counted from 1, in which it learns; none: never. Until then it is as at test
    /// time: batch norm keeps and uses its running statistics, and nothing is dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_epoch: Option<usize>,
    /// Factor on the learning rate.
    pub lr_factor: f64,
}

/// What a layer does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayerKind {
    /// Convolution, then its tail.
    Conv(ConvPlan),
    /// Fully connected, then its tail.
    Dense(DensePlan),
    /// Maximum over windows.
    MaxPool(PoolPlan),
    /// Mean over windows.
    AvgPool(AvgPoolPlan),
    /// Mean over bins; the output shape says how many.
    AdaptiveAvgPool {},
    /// Maximum over bins; the output shape says how many.
    AdaptiveMaxPool {},
    /// Mean over windows with binomial weights.
    BlurPool(BlurPoolPlan),
    /// Mean or maximum over the channels of each pixel.
    ChannelPool(ChannelPooling),
    /// Channels, height and width to one axis, in this order.
    Flatten {},
    /// Batch normalisation.
    BatchNorm(BatchNormSettings),
    /// Each pixel normalised over its channels; eps.
    LayerNorm(f64),
    /// Each image normalised over groups of channels.
    GroupNorm(GroupNormPlan),
    /// Each number divided by those of the channels around it.
    LocalResponseNorm(LocalResponseNormPlan),
    /// Channels compared by their norms; eps.
    GlobalResponseNorm(f64),
    /// Each channel times a learnt number, which starts as this one.
    LayerScale(f64),
    /// All numbers times this one.
    ScaleBy(f64),
    /// Other channels in the place of the channels.
    Channels(ChannelsPlan),
    /// A convolution across channels, `[channels, 1, 1]`.
    AcrossChannels(AcrossChannelsPlan),
    /// Activation function.
    Activation(Activation),
    /// Dropout.
    Dropout(DropoutSettings),
    /// The sum of two or more inputs, then an activation.
    Sum(SumPlan),
    /// The product of two or more inputs, element by element.
    Product {},
    /// Inputs one behind the other along the first axis.
    Concat {},
    /// Inputs one behind the other along the second axis, that of rows.
    ConcatRows {},
    /// Each channel of the first input times its number in the second, `[channels, 1, 1]`; or each pixel times its
    /// number in `[1, height, width]`.
    Scale {},
    /// 0 for whole images with this probability in training; the others are divided by 1 − p.
    StochasticDepth(f64),
}

/// A group normalisation; with one group for each channel, an instance normalisation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GroupNormPlan {
    /// Number of groups.
    pub groups: usize,
    /// Added to the variance.
    pub eps: f64,
}

/// A local response normalisation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LocalResponseNormPlan {
    /// Channels of a sum.
    pub size: usize,
    /// Factor on the mean of squares.
    pub alpha: f64,
    /// Exponent.
    pub beta: f64,
    /// Added before.
    pub k: f64,
}

/// A convolution with one filter across channels, with zeros around them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AcrossChannelsPlan {
    /// Channels that its window sees, an odd number.
    pub kernel: usize,
    /// How the weights start.
    pub init: Init,
}

impl AcrossChannelsPlan {
    /// The two axes as windows, where channels stand in rows.
    pub fn windows(&self) -> [Window; 2] {
        let one = Window { kernel: 1, stride: 1, padding: [0, 0], dilation: 1 };
        [Window { kernel: self.kernel, padding: [self.kernel / 2; 2], ..one }, one]
    }
}

/// Which channels take the place of the channels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ChannelsPlan {
    /// Those of the equal part `.0`, counted from 0, of `.1` parts.
    Chunk(usize, usize),
    /// All, dealt out among so many groups.
    Shuffle(usize),
    /// All, with so many of zeros before and behind.
    Pad(usize, usize),
}

impl ChannelsPlan {
    /// For each channel of the result the one of the input that it is; none: zeros.
    pub fn order(&self, channels: usize) -> Vec<Option<usize>> {
        match *self {
            ChannelsPlan::Chunk(part, of) => {
                let count = channels / of.max(1);
                (part * count..(part + 1) * count).map(Some).collect()
            }
            ChannelsPlan::Shuffle(groups) => {
                let each = channels / groups.max(1);
                (0..channels).map(|c| Some(c % groups * each + c / groups)).collect()
            }
            ChannelsPlan::Pad(before, behind) => {
                let zeros = |count| std::iter::repeat_n(None, count);
                zeros(before).chain((0..channels).map(Some)).chain(zeros(behind)).collect()
            }
        }
    }

    /// Why it cannot be done to so many channels, in words.
    pub(in crate::plan) fn wrong(&self, channels: usize) -> Option<String> {
        match *self {
            ChannelsPlan::Chunk(part, of) => {
                if of == 0 || !channels.is_multiple_of(of) {
                    Some(format!("{channels} channels have no {of} equal parts"))
                } else {
                    (part >= of)
                        .then(|| format!("of {of} parts, counted from 0, none is number {part}"))
                }
            }
            ChannelsPlan::Shuffle(groups) => {
                let divides = groups > 0 && channels.is_multiple_of(groups);
                (!divides)
                    .then(|| format!("{groups} groups do not divide {channels} channels evenly"))
            }
            ChannelsPlan::Pad(before, behind) => {
                let total = before.saturating_add(channels).saturating_add(behind);
                (total > LARGEST_WIDTH)
                    .then(|| format!("{total} channels are more than {LARGEST_WIDTH}"))
            }
        }
    }
}

/// A sum.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SumPlan {
    /// What is done to the sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
}

/// A convolution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ConvPlan {
    /// Number of filters.
    pub filters: usize,
    /// Height and width of the window.
    pub kernel: [usize; 2],
    /// Vertical and horizontal step.
    pub stride: [usize; 2],
    /// Zeros `[before, after]`, per axis.
    pub padding: [[usize; 2]; 2],
    /// Distance between taps.
    pub dilation: [usize; 2],
    /// Channel groups.
    pub groups: usize,
    /// Whether a bias is added.
    pub bias: bool,
    /// Whether its window of 1 has the weights of a dense layer, `[filters, channels]`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dense: bool,
    /// Whether its filters whiten patches of training images instead of learning: what is added to variances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whitens: Option<f64>,
    /// How the weights start.
    pub init: Init,
    /// What follows the product.
    pub tail: Tail,
}

/// Patches that are whitened have at most so many numbers: those of 8×8 pixels with three colours.
pub(in crate::plan) const LARGEST_PATCH: usize = 192;

impl ConvPlan {
    /// The two axes as windows, for kernels.
    pub fn windows(&self) -> [Window; 2] {
        [0, 1].map(|axis| Window {
            kernel: self.kernel[axis],
            stride: self.stride[axis],
            padding: self.padding[axis],
            dilation: self.dilation[axis],
        })
    }
}

/// A fully connected layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DensePlan {
    /// Number of neurons.
    pub neurons: usize,
    /// Whether a bias is added.
    pub bias: bool,
    /// How the weights start.
    pub init: Init,
    /// What follows the product.
    pub tail: Tail,
}

/// What a conv or dense layer does after its product, in this order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Tail {
    /// Normalise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub norm: Option<BatchNormSettings>,
    /// Activate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
    /// Drop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropout: Option<DropoutSettings>,
}

/// A pooling window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PoolPlan {
    /// Height and width of the window.
    pub window: [usize; 2],
    /// Vertical and horizontal step.
    pub stride: [usize; 2],
    /// Elements around the image, per axis, the same before and after.
    pub padding: [usize; 2],
    /// Whether output sizes round up.
    pub ceil: bool,
}

impl PoolPlan {
    /// The two axes as windows, for kernels.
    pub fn windows(&self) -> [Window; 2] {
        [0, 1].map(|axis| Window {
            kernel: self.window[axis],
            stride: self.stride[axis],
            padding: [self.padding[axis]; 2],
            dilation: 1,
        })
    }
}

/// A blurring pool, whose borders are mirrored.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BlurPoolPlan {
    /// Height and width of the window.
    pub window: [usize; 2],
    /// Vertical and horizontal step.
    pub stride: [usize; 2],
}

/// A blurring window has at most so many pixels a side: those of the paper.
pub(in crate::plan) const LARGEST_BLUR: usize = 7;

impl BlurPoolPlan {
    /// The two axes as windows, for kernels. Padding is mirrored pixels, as many as timm's `BlurPool2d` has.
    pub fn windows(&self) -> [Window; 2] {
        [0, 1].map(|axis| {
            let (kernel, stride) = (self.window[axis], self.stride[axis]);
            let padding = (stride + kernel).saturating_sub(2) / 2;
            Window { kernel, stride, padding: [padding; 2], dilation: 1 }
        })
    }

    /// What comes out of maps of this height and width; none if there is nothing to mirror.
    pub(in crate::plan) fn out(&self, size: [usize; 2]) -> Option<[usize; 2]> {
        let [rows, columns] = self.windows();
        let out = |window: Window, size| window.out(size).filter(|_| window.padding[0] < size);
        Some([out(rows, size[0])?, out(columns, size[1])?])
    }
}

/// An average pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AvgPoolPlan {
    /// The windows.
    pub pool: PoolPlan,
    /// Whether zeros of the padding count in the mean.
    pub count_padding: bool,
}

impl LayerPlan {
    /// Whether it learns in `epoch`, counted from 1.
    pub fn learns(&self, epoch: usize) -> bool {
        self.tuning.is_none_or(|tuning| tuning.from_epoch.is_some_and(|first| first <= epoch))
    }

    /// Whether it has no weights, and does the same in training and at test time.
    pub(super) fn is_fixed(&self) -> bool {
        let by_chance = matches!(self.kind, LayerKind::Dropout(_) | LayerKind::StochasticDepth(_));
        self.parameters() == 0 && !by_chance
    }

    /// What it does in a few words, for tables: `conv 32, 3×3, same`.
    pub fn summary(&self) -> String {
        let pair = |pair: &[usize; 2]| format!("{}×{}", pair[0], pair[1]);
        let mut words = Vec::new();
        match &self.kind {
            LayerKind::Conv(conv) => {
                words.push(match conv.dense {
                    true => format!("dense {} on each pixel", conv.filters),
                    false => format!("conv {} {}", conv.filters, pair(&conv.kernel)),
                });
                if conv.whitens.is_some() {
                    words.push("whitens".to_owned());
                }
                if conv.stride != [1, 1] {
                    words.push(format!("stride {}", pair(&conv.stride)));
                }
                if conv.groups > 1 {
                    words.push(format!("groups {}", conv.groups));
                }
                tail_words(&conv.tail, &mut words);
            }
            LayerKind::Dense(dense) => {
                words.push(format!("dense {}", dense.neurons));
                tail_words(&dense.tail, &mut words);
            }
            LayerKind::MaxPool(pool) => words.push(format!("max-pool {}", pair(&pool.window))),
            LayerKind::AvgPool(avg) => words.push(format!("avg-pool {}", pair(&avg.pool.window))),
            LayerKind::AdaptiveAvgPool {} => words.push("adaptive-avg-pool".to_owned()),
            LayerKind::BlurPool(blur) => {
                words.push(format!("blur-pool {}", pair(&blur.window)));
                if blur.stride != [1, 1] {
                    words.push(format!("stride {}", pair(&blur.stride)));
                }
            }
            LayerKind::ChannelPool(ChannelPooling::Mean) => {
                words.push("mean of channels".to_owned())
            }
            LayerKind::ChannelPool(ChannelPooling::Max) => words.push("max of channels".to_owned()),
            LayerKind::Flatten {} => words.push("flatten".to_owned()),
            LayerKind::AdaptiveMaxPool {} => words.push("adaptive-max-pool".to_owned()),
            LayerKind::BatchNorm(_) => words.push("batch-norm".to_owned()),
            LayerKind::LayerNorm(_) => words.push("layer-norm".to_owned()),
            LayerKind::GroupNorm(norm) => words.push(format!("group-norm {}", norm.groups)),
            LayerKind::LocalResponseNorm(norm) => {
                words.push(format!("local-response-norm {}", norm.size));
            }
            LayerKind::GlobalResponseNorm(_) => words.push("global-response-norm".to_owned()),
            LayerKind::LayerScale(_) => words.push("layer-scale".to_owned()),
            LayerKind::ScaleBy(factor) => words.push(format!("scale {factor}")),
            LayerKind::Channels(channels) => words.push(match channels {
                ChannelsPlan::Chunk(part, of) => format!("chunk {part} of {of}"),
                ChannelsPlan::Shuffle(groups) => format!("channel-shuffle {groups}"),
                ChannelsPlan::Pad(before, behind) => format!("pad-channels {before}, {behind}"),
            }),
            LayerKind::Activation(activation) => words.push(activation.to_string()),
            LayerKind::Dropout(dropout) => words.push(dropout.to_string()),
            LayerKind::Sum(sum) => {
                words.push("sum".to_owned());
                words.extend(sum.activation.map(|activation| activation.to_string()));
            }
            LayerKind::AcrossChannels(conv) => {
                words.push(format!("conv across {} channels", conv.kernel));
            }
            LayerKind::Product {} => words.push("product".to_owned()),
            LayerKind::Concat {} => words.push("concat".to_owned()),
            LayerKind::ConcatRows {} => words.push("concat of rows".to_owned()),
            LayerKind::Scale {} => words.push("scale".to_owned()),
            LayerKind::StochasticDepth(p) => words.push(format!("stochastic-depth {p}")),
        }
        words.join(", ")
    }

    /// Multiplications with addition for one image, forward, counted as one each (what papers on
    /// these networks call FLOPs). Only products count, as in torchvision's tables.
    pub fn flops(&self) -> u64 {
        let product = |sides: &[usize]| sides.iter().map(|side| *side as u64).product::<u64>();
        match &self.kind {
            LayerKind::Conv(conv) => {
                product(&self.output)
                    * product(&[self.input[0] / conv.groups])
                    * product(&conv.kernel)
            }
            LayerKind::Dense(_) => product(&self.input) * product(&self.output),
            // A depthwise convolution whose filters are known.
            LayerKind::BlurPool(blur) => product(&self.output) * product(&blur.window),
            LayerKind::AcrossChannels(conv) => product(&self.output) * product(&[conv.kernel]),
            _ => 0,
        }
    }
}

fn tail_words(tail: &Tail, words: &mut Vec<String>) {
    words.extend(tail.norm.map(|_| "batch-norm".to_owned()));
    words.extend(tail.activation.map(|activation| activation.to_string()));
    words.extend(tail.dropout.map(|dropout| dropout.to_string()));
}

impl LayerKind {
    /// The windows of a layer that slides over maps, along height and width.
    pub fn windows(&self) -> Option<[Window; 2]> {
        match self {
            LayerKind::Conv(conv) => Some(conv.windows()),
            LayerKind::MaxPool(pool) => Some(pool.windows()),
            LayerKind::AvgPool(avg) => Some(avg.pool.windows()),
            LayerKind::BlurPool(blur) => Some(blur.windows()),
            _ => None,
        }
    }

    /// The shape that comes out of inputs of these shapes; `said` is what the plan says.
    ///
    /// # Errors
    /// In words, why nothing can come out.
    pub(super) fn output(&self, inputs: &[&[usize]], said: &[usize]) -> Result<Vec<usize>, String> {
        let first = inputs[0];
        let is_merge = matches!(
            self,
            LayerKind::Sum(_)
                | LayerKind::Product {}
                | LayerKind::Concat {}
                | LayerKind::ConcatRows {}
                | LayerKind::Scale {}
        );
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
                if conv.dense && (conv.kernel != [1, 1] || conv.groups != 1) {
                    return Err("the weights of a dense layer have no window".to_owned());
                }
                if let Some(eps) = conv.whitens {
                    positive("eps", eps)?;
                    let patch = channels.saturating_mul(conv.kernel[0] * conv.kernel[1]);
                    in_range("patch", &[patch], 1, LARGEST_PATCH)?;
                    let is_one = conv.filters == 2 * patch && conv.groups == 1 && !conv.dense;
                    if !is_one || conv.stride != [1, 1] || conv.padding != [[0, 0]; 2] {
                        return Err("its filters are not those that whiten a patch".to_owned());
                    }
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
            LayerKind::AdaptiveAvgPool {} | LayerKind::AdaptiveMaxPool {} => {
                let [channels, ..] = maps(first)?;
                let [_, height, width] = maps(said)?;
                in_range("bins", &[height, width], 1, LARGEST_SIDE)?;
                Ok(vec![channels, height, width])
            }
            LayerKind::BlurPool(blur) => {
                let [channels, height, width] = maps(first)?;
                in_range("window", &blur.window, 2, LARGEST_BLUR)?;
                in_range("stride", &blur.stride, 1, LARGEST_SIDE)?;
                let out = blur.out([height, width]);
                let [height, width] = out.ok_or("its window does not fit into its input")?;
                Ok(vec![channels, height, width])
            }
            LayerKind::ChannelPool(_) => {
                let [_, height, width] = maps(first)?;
                Ok(vec![1, height, width])
            }
            LayerKind::Flatten {} => Ok(vec![first.iter().product()]),
            LayerKind::BatchNorm(norm) => check_norm(norm).map(|()| first.to_vec()),
            LayerKind::LayerNorm(eps) | LayerKind::GlobalResponseNorm(eps) => {
                positive("eps", *eps)?;
                if matches!(self, LayerKind::GlobalResponseNorm(_)) {
                    maps(first)?;
                }
                Ok(first.to_vec())
            }
            LayerKind::GroupNorm(norm) => {
                positive("eps", norm.eps)?;
                in_range("groups", &[norm.groups], 1, first[0])?;
                match first[0].is_multiple_of(norm.groups) {
                    true => Ok(first.to_vec()),
                    false => Err(format!("{} groups do not divide its channels", norm.groups)),
                }
            }
            LayerKind::LocalResponseNorm(norm) => {
                maps(first)?;
                in_range("local-response-norm", &[norm.size], 1, LARGEST_WIDTH)?;
                positive("k", norm.k)?;
                let numbers = [norm.alpha, norm.beta];
                match numbers.iter().all(|number| number.is_finite() && *number >= 0.0) {
                    true => Ok(first.to_vec()),
                    false => Err("its alpha and beta are not numbers from 0 on".to_owned()),
                }
            }
            LayerKind::LayerScale(start) => match start.is_finite() {
                true => Ok(first.to_vec()),
                false => Err(format!("{start} is no number to start with")),
            },
            LayerKind::ScaleBy(factor) => match factor.is_finite() {
                true => Ok(first.to_vec()),
                false => Err(format!("{factor} is no factor")),
            },
            LayerKind::Channels(channels) => {
                let [count, height, width] = maps(first)?;
                match channels.wrong(count) {
                    Some(why) => Err(why),
                    None => Ok(vec![channels.order(count).len(), height, width]),
                }
            }
            LayerKind::AcrossChannels(conv) => {
                let [channels, height, width] = maps(first)?;
                in_range("kernel", &[conv.kernel], 1, LARGEST_SIDE)?;
                match [height, width] == [1, 1] && conv.kernel % 2 == 1 {
                    true => Ok(vec![channels, 1, 1]),
                    false => {
                        Err("it sees one number for each channel, by an odd window".to_owned())
                    }
                }
            }
            LayerKind::Activation(_) => Ok(first.to_vec()),
            LayerKind::Dropout(dropout) => probability(dropout.p).map(|()| first.to_vec()),
            LayerKind::StochasticDepth(p) => probability(*p).map(|()| first.to_vec()),
            LayerKind::Sum(_) | LayerKind::Product {} => {
                match inputs.iter().find(|other| **other != first) {
                    Some(other) => {
                        let verb =
                            if *self == (LayerKind::Product {}) { "multiplied" } else { "added" };
                        Err(format!("{} and {} cannot be {verb}", display(first), display(other)))
                    }
                    None => Ok(first.to_vec()),
                }
            }
            LayerKind::Concat {} => {
                let rest = |shape: &[usize]| shape.get(1..).unwrap_or_default().to_vec();
                if first.is_empty() || inputs.iter().any(|other| rest(other) != rest(first)) {
                    return Err("its inputs have different heights or widths".to_owned());
                }
                let channels = inputs.iter().map(|input| input[0]).sum();
                Ok([vec![channels], rest(first)].concat())
            }
            LayerKind::ConcatRows {} => {
                let [channels, _, width] = maps(first)?;
                let mut rows = 0usize;
                for other in inputs {
                    let [other_channels, height, other_width] = maps(other)?;
                    if [other_channels, other_width] != [channels, width] {
                        return Err("its inputs have different channels or widths".to_owned());
                    }
                    rows = rows.saturating_add(height);
                }
                in_range("rows", &[rows], 1, LARGEST_SIDE)?;
                Ok(vec![channels, rows, width])
            }
            LayerKind::Scale {} => {
                let [channels, height, width] = maps(first)?;
                let fits = |factors: &[usize]| {
                    *factors == [channels, 1, 1] || *factors == [1, height, width]
                };
                if inputs.len() != 2 || !fits(inputs[1]) {
                    return Err("it needs a factor for each channel or for each pixel".to_owned());
                }
                Ok(first.to_vec())
            }
        }
    }
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
    let BatchNormSettings { momentum, eps, .. } = *norm;
    let is_one = momentum > 0.0 && momentum <= 1.0 && eps > 0.0 && eps.is_finite();
    let wrong = || format!("a batch norm of momentum {momentum} and eps {eps} is none");
    if is_one { Ok(()) } else { Err(wrong()) }
}

fn positive(what: &str, number: f64) -> Result<(), String> {
    let is_so = number > 0.0 && number.is_finite();
    if is_so { Ok(()) } else { Err(format!("{what} {number} is not positive")) }
}

fn probability(p: f64) -> Result<(), String> {
    if (0.0..1.0).contains(&p) { Ok(()) } else { Err(format!("{p} is not in [0, 1)")) }
}
