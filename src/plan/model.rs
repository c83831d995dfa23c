//! The network of one trial: every layer with its name, shapes, parameters and cost.
//!
//! Shapes leave the batch axis out: `[channels, height, width]` or `[features]`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::basis::shape::Window;

/// The network, first layer first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ModelPlan {
    /// `[channels, height, width]` of an image.
    pub input: Vec<usize>,
    /// Number of classes, the length of the output.
    pub classes: usize,
    /// The layers in order: each stands behind those that it takes its input from. The last one
    /// gives the logits.
    pub layers: Vec<LayerPlan>,
    /// Heads that give logits of their own to the loss.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub auxiliary: Vec<AuxiliaryPlan>,
    /// A file of weights to start from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<WeightsPlan>,
    /// What holds for a network whose lower part is that of another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<TransferPlan>,
}

/// Transfer, beyond what each layer says in its [`Tuning`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TransferPlan {
    /// Strength α of L2-SP (Li et al., 2018): α/2 · ‖w − w₀‖² is added to the loss, over all weights
    /// that started as pretrained.
    pub l2_sp: f64,
    /// So many augmented variants of each image go round while leading layers are frozen; 0: each
    /// epoch has its own.
    pub feature_variants: usize,
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

/// A file of weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct WeightsPlan {
    /// Where it is; no part of a plan's identity.
    pub file: PathBuf,
    /// blake3 of the file.
    pub hash: String,
    /// Pairs of names: in the file, and the parameter; a `*` stands for any part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rename: Vec<[String; 2]>,
    /// Whether every parameter has to be there and every tensor used.
    pub strict: bool,
}

/// A head that takes part in training only.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AuxiliaryPlan {
    /// Number of the layer that gives its logits, counted from 1.
    pub logits: usize,
    /// Weight of its loss.
    pub loss_weight: f64,
}

impl ModelPlan {
    /// Trainable numbers.
    pub fn parameters(&self) -> u64 {
        self.layers.iter().map(LayerPlan::parameters).sum()
    }

    /// Multiplications with addition for one image, forward, as at test time: without auxiliary
    /// heads.
    pub fn flops(&self) -> u64 {
        let needed = self.needed(false);
        let layers = self.layers.iter().zip(needed);
        layers.filter(|(_, needed)| *needed).map(|(layer, _)| layer.flops()).sum()
    }

    /// The network as evaluation sees it: without auxiliary heads and their layers.
    pub fn without_auxiliary(&self) -> ModelPlan {
        let needed = self.needed(false);
        // The new number of each layer that stays; 0 is the image.
        let mut numbers = vec![0; self.layers.len() + 1];
        let mut layers: Vec<LayerPlan> = Vec::new();
        for (index, layer) in self.layers.iter().enumerate().filter(|(index, _)| needed[*index]) {
            let mut from: Vec<usize> =
                self.sources(index).into_iter().map(|source| numbers[source]).collect();
            if from == [layers.len()] {
                from.clear();
            }
            layers.push(LayerPlan { from, ..layer.clone() });
            numbers[index + 1] = layers.len();
        }
        ModelPlan { layers, auxiliary: Vec::new(), ..self.clone() }
    }

    /// Name and shape of everything that weights hold: parameters and running statistics.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        self.layers
            .iter()
            .flat_map(|layer| {
                let parameters = layer.parameter_plans().into_iter().map(|p| (p.name, p.shape));
                parameters.chain(layer.buffers())
            })
            .collect()
    }

    /// Name and shape of everything that a file of weights has to give: all of a network that starts
    /// from a file, or of a transfer what starts as pretrained.
    pub fn pretrained_tensors(&self) -> Vec<(String, Vec<usize>)> {
        if self.transfer.is_none() {
            return self.tensors();
        }
        let pretrained = |layer: &&LayerPlan| layer.tuning.is_some_and(|tuning| tuning.pretrained);
        let layers = self.layers.iter().filter(pretrained).cloned().collect();
        ModelPlan { layers, ..self.clone() }.tensors()
    }

    /// How many leading layers do not learn in `epoch`, counted from 1, with nothing behind them
    /// that looks at anything but the last one's result. What they give for an image is then the
    /// same all the time.
    pub fn frozen_prefix(&self, epoch: usize) -> usize {
        let learns = |layer: &LayerPlan| layer.learns(epoch) && layer.parameters() > 0;
        let first = self.layers.iter().position(learns).unwrap_or(self.layers.len());
        // Behind the last frozen layer with weights nothing is gained; dropout there is the head's.
        let frozen = self.layers[..first].iter().rposition(|layer| layer.parameters() > 0);
        let Some(last) = frozen else { return 0 };
        let pooled = self.layers[last + 1..first].iter().take_while(|layer| layer.is_fixed());
        (1..=last + 1 + pooled.count()).rev().find(|place| self.is_neck(*place)).unwrap_or(0)
    }

    /// Whether all layers behind number `place`, counted from 1, see what stands before them through
    /// its result alone.
    pub fn is_neck(&self, place: usize) -> bool {
        (place..self.layers.len())
            .all(|index| self.sources(index).into_iter().all(|source| source >= place))
            && self.auxiliary.iter().all(|head| head.logits > place)
    }

    /// Numbers that learn at one time or another.
    pub fn trainable(&self) -> u64 {
        let learns = |layer: &&LayerPlan| layer.learns(usize::MAX);
        self.layers.iter().filter(learns).map(LayerPlan::parameters).sum()
    }

    /// Where the inputs of layer `index` come from: 0 is the image, else the number of a layer,
    /// counted from 1.
    pub fn sources(&self, index: usize) -> Vec<usize> {
        let from = &self.layers[index].from;
        if from.is_empty() { vec![index] } else { from.clone() }
    }

    /// Which layers a pass needs: those that the logits depend on and, in training, those of
    /// auxiliary heads.
    pub fn needed(&self, training: bool) -> Vec<bool> {
        let mut needed = vec![false; self.layers.len() + 1];
        needed[self.layers.len()] = true;
        if training {
            self.auxiliary.iter().for_each(|head| needed[head.logits] = true);
        }
        for index in (0..self.layers.len()).rev() {
            if needed[index + 1] {
                self.sources(index).into_iter().for_each(|source| needed[source] = true);
            }
        }
        needed.split_off(1)
    }
}

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
    BatchNorm(BatchNormPlan),
    /// Activation function.
    Activation(Activation),
    /// Dropout.
    Dropout(DropoutPlan),
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
    pub norm: Option<BatchNormPlan>,
    /// Activate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
    /// Drop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropout: Option<DropoutPlan>,
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

/// Batch normalisation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BatchNormPlan {
    /// Weight of the batch in the running statistics.
    pub momentum: f64,
    /// Added to the variance.
    pub eps: f64,
}

/// Inverted dropout.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DropoutPlan {
    /// Probability of being dropped, 0 < p < 1.
    pub p: f64,
    /// Whether whole channels are dropped.
    pub channels: bool,
}

/// Activation functions that do something.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// max(0, x).
    Relu,
    /// min(max(0, x), 6).
    Relu6,
    /// x above 0, this slope below.
    LeakyRelu(f64),
    /// x above 0, this alpha times (eˣ − 1) below.
    Elu(f64),
    /// x · Φ(x).
    Gelu,
    /// x · sigmoid(x).
    Silu,
    /// x · relu6(x + 3) / 6.
    Hardswish,
    /// Hyperbolic tangent.
    Tanh,
    /// 1 / (1 + e⁻ˣ).
    Sigmoid,
}

impl Activation {
    /// Whether the derivative can be told from the result alone; then the function can be applied
    /// in place at the end of another operation.
    pub fn is_known_by_result(self) -> bool {
        match self {
            Activation::Relu | Activation::Relu6 | Activation::Tanh | Activation::Sigmoid => true,
            Activation::LeakyRelu(number) | Activation::Elu(number) => number as f32 > 0.0,
            Activation::Gelu | Activation::Silu | Activation::Hardswish => false,
        }
    }
}

/// How weights start; biases start at 0, except with [`Init::Pytorch`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Init {
    /// Weights and biases uniform within ±1/√fan-in.
    Pytorch,
    /// Normal with variance 2/fan-in.
    KaimingNormal,
    /// Uniform with variance 2/fan-in.
    KaimingUniform,
    /// Normal with variance 2/(fan-in + fan-out).
    XavierNormal,
    /// Uniform with variance 2/(fan-in + fan-out).
    XavierUniform,
    /// Normal with variance 1/fan-in.
    LecunNormal,
    /// Uniform with variance 1/fan-in.
    LecunUniform,
    /// One number everywhere.
    Constant(f64),
}

impl LayerPlan {
    /// Whether it learns in `epoch`, counted from 1.
    pub fn learns(&self, epoch: usize) -> bool {
        self.tuning.is_none_or(|tuning| tuning.from_epoch.is_some_and(|first| first <= epoch))
    }

    /// Whether it has no weights, and does the same in training and at test time.
    fn is_fixed(&self) -> bool {
        let by_chance = matches!(self.kind, LayerKind::Dropout(_) | LayerKind::StochasticDepth(_));
        self.parameters() == 0 && !by_chance
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
