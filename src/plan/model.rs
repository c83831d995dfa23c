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

/// One parameter of a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterPlan {
    /// `layer.weight`, `layer.bias`, `layer.norm.weight`, `layer.norm.bias`: PyTorch's words.
    pub name: String,
    /// Its shape: `[filters, channels / groups, height, width]`, `[neurons, inputs]`, `[channels]`.
    pub shape: Vec<usize>,
    /// How it starts.
    pub init: Init,
    /// Inputs of one output.
    pub fan_in: usize,
    /// Outputs that one input reaches.
    pub fan_out: usize,
}

impl LayerPlan {
    /// The trainable tensors of the layer.
    pub fn parameter_plans(&self) -> Vec<ParameterPlan> {
        let mut plans = Vec::new();
        match &self.kind {
            LayerKind::Conv(conv) => {
                let taps = conv.kernel[0] * conv.kernel[1];
                let depth = self.input[0] / conv.groups;
                let shape = vec![conv.filters, depth, conv.kernel[0], conv.kernel[1]];
                let fans = (depth * taps, conv.filters / conv.groups * taps);
                self.product(shape, conv.bias, conv.init, fans, &mut plans);
                self.norm(&self.norm_prefix(), conv.tail.norm, conv.filters, &mut plans);
            }
            LayerKind::Dense(dense) => {
                let fans = (self.input[0], dense.neurons);
                let shape = vec![dense.neurons, self.input[0]];
                self.product(shape, dense.bias, dense.init, fans, &mut plans);
                self.norm(&self.norm_prefix(), dense.tail.norm, dense.neurons, &mut plans);
            }
            LayerKind::BatchNorm(norm) => {
                self.norm(&self.name, Some(*norm), self.input[0], &mut plans)
            }
            LayerKind::MaxPool(_)
            | LayerKind::AvgPool(_)
            | LayerKind::AdaptiveAvgPool {}
            | LayerKind::Flatten {}
            | LayerKind::Activation(_)
            | LayerKind::Dropout(_)
            | LayerKind::Sum(_)
            | LayerKind::Concat {}
            | LayerKind::Scale {}
            | LayerKind::StochasticDepth(_) => {}
        }
        plans
    }

    /// Name and shape of what the layer remembers besides parameters: running statistics.
    pub fn buffers(&self) -> Vec<(String, Vec<usize>)> {
        let (prefix, channels) = match &self.kind {
            LayerKind::Conv(ConvPlan { tail, filters: width, .. })
            | LayerKind::Dense(DensePlan { tail, neurons: width, .. })
                if tail.norm.is_some() =>
            {
                (self.norm_prefix(), *width)
            }
            LayerKind::BatchNorm(_) => (self.name.clone(), self.input[0]),
            _ => return Vec::new(),
        };
        let named = |word: &str| (format!("{prefix}.{word}"), vec![channels]);
        ["running_mean", "running_var"].map(named).into()
    }

    /// What the names of the parameters of a conv or dense layer's norm begin with.
    pub fn norm_prefix(&self) -> String {
        self.norm_name.clone().unwrap_or_else(|| format!("{}.norm", self.name))
    }

    fn product(
        &self,
        shape: Vec<usize>,
        bias: bool,
        init: Init,
        (fan_in, fan_out): (usize, usize),
        plans: &mut Vec<ParameterPlan>,
    ) {
        let outputs = shape[0];
        let name = format!("{}.weight", self.name);
        plans.push(ParameterPlan { name, shape, init, fan_in, fan_out });
        if bias {
            let init = if init == Init::Pytorch { init } else { Init::Constant(0.0) };
            let name = format!("{}.bias", self.name);
            plans.push(ParameterPlan { name, shape: vec![outputs], init, fan_in, fan_out });
        }
    }

    fn norm(
        &self,
        prefix: &str,
        norm: Option<BatchNormPlan>,
        channels: usize,
        plans: &mut Vec<ParameterPlan>,
    ) {
        if norm.is_none() {
            return;
        }
        for (word, value) in [("weight", 1.0), ("bias", 0.0)] {
            plans.push(ParameterPlan {
                name: format!("{prefix}.{word}"),
                shape: vec![channels],
                init: Init::Constant(value),
                fan_in: channels,
                fan_out: channels,
            });
        }
    }

    /// Trainable numbers: (F·F·D + 1)·filters for a convolution, (m + 1)·n for a dense layer.
    pub fn parameters(&self) -> u64 {
        self.parameter_plans()
            .iter()
            .map(|plan| plan.shape.iter().map(|side| *side as u64).product::<u64>())
            .sum()
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
}

fn tail_words(tail: &Tail, words: &mut Vec<String>) {
    words.extend(tail.norm.map(|_| "batch-norm".to_owned()));
    words.extend(tail.activation.map(|activation| activation.to_string()));
    words.extend(tail.dropout.map(|dropout| dropout.to_string()));
}

impl std::fmt::Display for DropoutPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "dropout {}{}", self.p, if self.channels { " of channels" } else { "" })
    }
}

impl std::fmt::Display for Activation {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Activation::Relu => f.write_str("relu"),
            Activation::Relu6 => f.write_str("relu6"),
            Activation::LeakyRelu(slope) => write!(f, "leaky-relu {slope}"),
            Activation::Elu(alpha) => write!(f, "elu {alpha}"),
            Activation::Gelu => f.write_str("gelu"),
            Activation::Silu => f.write_str("silu"),
            Activation::Hardswish => f.write_str("hardswish"),
            Activation::Tanh => f.write_str("tanh"),
            Activation::Sigmoid => f.write_str("sigmoid"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dense_layer_has_m_plus_one_times_n_parameters() {
        let dense = LayerPlan {
            name: "dense1".to_owned(),
            from: Vec::new(),
            norm_name: None,
            input: vec![64 * 64 * 3],
            output: vec![10],
            kind: LayerKind::Dense(DensePlan {
                neurons: 10,
                bias: true,
                init: Init::Pytorch,
                tail: Tail { norm: None, activation: None, dropout: None },
            }),
        };
        assert_eq!(dense.parameters(), 122_880 + 10);
        assert_eq!(dense.flops(), 122_880);
    }

    #[test]
    fn a_convolution_has_window_times_depth_plus_one_times_filters_parameters() {
        let conv = |groups, bias| LayerPlan {
            name: "conv1".to_owned(),
            from: Vec::new(),
            norm_name: None,
            input: vec![16, 8, 8],
            output: vec![32, 8, 8],
            kind: LayerKind::Conv(ConvPlan {
                filters: 32,
                kernel: [3, 3],
                stride: [1, 1],
                padding: [[1, 1]; 2],
                dilation: [1, 1],
                groups,
                bias,
                init: Init::Pytorch,
                tail: Tail { norm: None, activation: None, dropout: None },
            }),
        };
        assert_eq!(conv(1, true).parameters(), (3 * 3 * 16 + 1) * 32);
        assert_eq!(conv(16, false).parameters(), 3 * 3 * 32);
        assert_eq!(conv(1, true).flops(), 32 * 8 * 8 * 16 * 9);
    }
}
