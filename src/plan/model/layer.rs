//! One layer of a network: what it does, in words and in numbers.

use serde::{Deserialize, Serialize};

use crate::basis::activation::Activation;
use crate::basis::shape::Window;
use crate::config::layer_settings::{BatchNormSettings, DropoutSettings, Init};

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
    /// Channels, height and width to one axis, in this order.
    Flatten {},
    /// Batch normalisation.
    BatchNorm(BatchNormSettings),
    /// Activation function.
    Activation(Activation),
    /// Dropout.
    Dropout(DropoutSettings),
    /// The sum of two or more inputs, then an activation.
    Sum(SumPlan),
    /// Inputs one behind the other along the first axis.
    Concat {},
    /// Each channel of the first input times its number in the second, `[channels, 1, 1]`.
    Scale {},
    /// 0 for whole images with this probability in training; the others are divided by 1 − p.
    StochasticDepth(f64),
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
    /// How the weights start.
    pub init: Init,
    /// What follows the product.
    pub tail: Tail,
}

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
                words.push(format!("conv {} {}", conv.filters, pair(&conv.kernel)));
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
            LayerKind::Flatten {} => words.push("flatten".to_owned()),
            LayerKind::BatchNorm(_) => words.push("batch-norm".to_owned()),
            LayerKind::Activation(activation) => words.push(activation.to_string()),
            LayerKind::Dropout(dropout) => words.push(dropout.to_string()),
            LayerKind::Sum(sum) => {
                words.push("sum".to_owned());
                words.extend(sum.activation.map(|activation| activation.to_string()));
            }
            LayerKind::Concat {} => words.push("concat".to_owned()),
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
            _ => 0,
        }
    }
}

fn tail_words(tail: &Tail, words: &mut Vec<String>) {
    words.extend(tail.norm.map(|_| "batch-norm".to_owned()));
    words.extend(tail.activation.map(|activation| activation.to_string()));
    words.extend(tail.dropout.map(|dropout| dropout.to_string()));
}
