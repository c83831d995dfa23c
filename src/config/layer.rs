//! The layers of `[model]`, written as in a paper's table.
//!
//! ```toml
//! layers = [
//!   { conv = 32, kernel = 3, padding = "same" },
//!   { max-pool = 2 },
//!   "flatten",
//!   { dense = "classes" },
//! ]
//! ```
//!
//! A layer is a table with a key that names its kind and main argument; a kind that needs no
//! argument can be written as its name alone. Each kind is one struct below. `block` and `repeat`
//! stand for other layers: [`template`](super::template) unfolds them.

use schemars::{JsonSchema, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::layer_settings::{DropoutSettings, Init, Norm};
use super::layer_values::{Nested, NestedLists, Padding, Pair, Squeeze, Width, Yes};
use super::written::Written;
use crate::basis::activation::Activation;
use crate::basis::written::written;
use crate::document::{Content, Entry, KeyPath, Node, Problem, read};

/// One layer as written.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub enum Layer {
    /// Convolution.
    Conv(Conv),
    /// Convolution whose filters whiten patches of images.
    Whiten(Whiten),
    /// Fully connected layer.
    Dense(Dense),
    /// Maximum over windows.
    MaxPool(MaxPool),
    /// Mean over windows.
    AvgPool(AvgPool),
    /// Mean over bins that divide the image evenly; one bin is global pooling.
    AdaptiveAvgPool(AdaptiveAvgPool),
    /// Maximum over bins that divide the image evenly.
    AdaptiveMaxPool(AdaptiveMaxPool),
    /// Mean over windows with binomial weights.
    BlurPool(BlurPool),
    /// Mean or maximum over the channels of each pixel.
    ChannelPool(ChannelPool),
    /// Channels, height and width to one axis.
    Flatten(Flatten),
    /// Batch normalisation on its own.
    BatchNorm(BatchNorm),
    /// Each pixel normalised over its channels.
    LayerNorm(LayerNorm),
    /// Each image normalised over groups of channels.
    GroupNorm(GroupNorm),
    /// Each channel of each image normalised.
    InstanceNorm(InstanceNorm),
    /// Each number divided by those of the channels around it.
    LocalResponseNorm(LocalResponseNorm),
    /// Channels compared by their norms.
    GlobalResponseNorm(GlobalResponseNorm),
    /// Each channel times a learnt number.
    LayerScale(LayerScale),
    /// All numbers times one.
    Scale(Scale),
    /// One of several equal parts of the channels.
    Chunk(Chunk),
    /// Channels of groups mixed.
    ChannelShuffle(ChannelShuffle),
    /// Channels of zeros around the channels.
    PadChannels(PadChannels),
    /// Activation on its own.
    Activation(ActivationLayer),
    /// Dropout on its own.
    Dropout(DropoutLayer),
    /// Depthwise convolution, then a pointwise one.
    SeparableConv(SeparableConv),
    /// Channels weighted by what all of them hold.
    SqueezeExcite(SqueezeExcite),
    /// Channels weighted by what those around them hold.
    Eca(Eca),
    /// Layers whose result is added to their input.
    Residual(Residual),
    /// Lists of layers side by side.
    Branches(Branches),
    /// Layers that give logits of their own to the loss.
    Auxiliary(Auxiliary),
}

/// A layer and where it comes from.
#[derive(Clone, Debug)]
pub struct Element {
    /// The layer.
    pub layer: Layer,
    /// Where it was written.
    pub at: KeyPath,
    /// Its name behind those of the containers around it: `layer1.0.conv1`.
    pub name: String,
    /// What the names around it begin with: `layer1.0.`.
    pub scope: String,
    /// What the names within it begin with: `layer1.0.conv1.`.
    pub inner: String,
    /// Whether the user gave the name.
    pub is_named: bool,
    /// The blocks that it came through, innermost last, in words.
    pub through: Vec<String>,
}

// As it is written: a layer, its name alone, a repeat or the use of a block.
written!(Element, "Layer", |types| = {
    let Some(Value::Array(mut forms)) = Layer::json_schema(types).remove("anyOf") else {
        unreachable!("an untagged enum is any of its variants")
    };
    forms.push(types.subschema_for::<Repeat>().into());
    forms.push(types.subschema_for::<Use>().into());
    forms.push(json!({
        "description": "A layer that needs no argument, or an activation.",
        "enum": names_alone().collect::<Vec<_>>(),
    }));
    json_schema!({ "anyOf": forms })
});

/// The kinds of layers. `activation` and `dropout` come last: they are also settings of others.
pub const KINDS: [&str; 31] = [
    "conv",
    "whiten",
    "dense",
    "max-pool",
    "avg-pool",
    "adaptive-avg-pool",
    "adaptive-max-pool",
    "blur-pool",
    "channel-pool",
    "flatten",
    "batch-norm",
    "layer-norm",
    "group-norm",
    "instance-norm",
    "local-response-norm",
    "global-response-norm",
    "layer-scale",
    "scale",
    "chunk",
    "channel-shuffle",
    "pad-channels",
    "separable-conv",
    "squeeze-excite",
    "eca",
    "residual",
    "branches",
    "auxiliary",
    "repeat",
    "block",
    "activation",
    "dropout",
];

impl Layer {
    /// The name of the kind of the layer at `node`, if it has one.
    pub fn kind_of(node: &Node) -> Option<&'static str> {
        match &node.content {
            Content::String(name) if Activation::NAMES.contains(&name.as_str()) => {
                Some("activation")
            }
            Content::String(name) => KINDS.into_iter().find(|kind| kind == name),
            // The arguments of a block may be called like kinds.
            Content::Table(entries) if entries.iter().any(|entry| entry.key == "block") => {
                Some("block")
            }
            Content::Table(entries) => {
                KINDS.into_iter().find(|kind| entries.iter().any(|entry| entry.key == *kind))
            }
            _ => None,
        }
    }

    /// Reads the layer at `node`, which stands at `path`: no `block` and no `repeat`, which stand
    /// for other layers. Lists inside the layer are left empty.
    pub fn read(node: &Node, path: &KeyPath) -> Result<Layer, Problem> {
        let Some(kind) = Layer::kind_of(node) else { return Err(no_kind(node, path)) };
        let table = match &node.content {
            Content::String(name) => as_table(node, kind, name),
            _ => node.clone(),
        };
        let layer = match kind {
            "conv" => read(&table, path).map(Layer::Conv),
            "whiten" => read(&table, path).map(Layer::Whiten),
            "dense" => read(&table, path).map(Layer::Dense),
            "max-pool" => read(&table, path).map(Layer::MaxPool),
            "avg-pool" => read(&table, path).map(Layer::AvgPool),
            "adaptive-avg-pool" => read(&table, path).map(Layer::AdaptiveAvgPool),
            "adaptive-max-pool" => read(&table, path).map(Layer::AdaptiveMaxPool),
            "blur-pool" => read(&table, path).map(Layer::BlurPool),
            "channel-pool" => read(&table, path).map(Layer::ChannelPool),
            "flatten" => read(&table, path).map(Layer::Flatten),
            "batch-norm" => read(&table, path).map(Layer::BatchNorm),
            "layer-norm" => read(&table, path).map(Layer::LayerNorm),
            "group-norm" => read(&table, path).map(Layer::GroupNorm),
            "instance-norm" => read(&table, path).map(Layer::InstanceNorm),
            "local-response-norm" => read(&table, path).map(Layer::LocalResponseNorm),
            "global-response-norm" => read(&table, path).map(Layer::GlobalResponseNorm),
            "layer-scale" => read(&table, path).map(Layer::LayerScale),
            "scale" => read(&table, path).map(Layer::Scale),
            "chunk" => read(&table, path).map(Layer::Chunk),
            "channel-shuffle" => read(&table, path).map(Layer::ChannelShuffle),
            "pad-channels" => read(&table, path).map(Layer::PadChannels),
            "activation" => read(&table, path).map(Layer::Activation),
            "separable-conv" => read(&table, path).map(Layer::SeparableConv),
            "squeeze-excite" => read(&table, path).map(Layer::SqueezeExcite),
            "eca" => read(&table, path).map(Layer::Eca),
            "residual" => read(&table, path).map(Layer::Residual),
            "branches" => read(&table, path).map(Layer::Branches),
            "auxiliary" => read(&table, path).map(Layer::Auxiliary),
            _ => read(&table, path).map(Layer::Dropout),
        };
        layer.map_err(|problem| match (&node.content, example(kind)) {
            (Content::String(_), Some(example)) => {
                Problem::value(path.clone(), format!("the layer \"{kind}\" needs its argument"))
                    .label("alone here")
                    .help(format!("write {example}"))
            }
            _ => problem,
        })
    }
}

/// The names by which the elements of the layer list are addressed: as written, or the kind and a
/// number. An element that is no layer has an empty name.
pub fn default_names(items: &[Node]) -> Vec<String> {
    let given = |item: &Node| match item.get("name").map(|name| &name.content) {
        Some(Content::String(name)) => Some(name.clone()),
        _ => None,
    };
    let all: Vec<String> = items.iter().filter_map(given).collect();
    let mut counts = std::collections::BTreeMap::new();
    items
        .iter()
        .map(|item| match (given(item), word(item)) {
            (Some(name), _) => name,
            (None, None) => String::new(),
            (None, Some(word)) => loop {
                let count = counts.entry(word).or_insert(0);
                *count += 1;
                let name = format!("{word}{count}");
                if !all.contains(&name) {
                    break name;
                }
            },
        })
        .collect()
}

/// What the default name of an element begins with: its kind, or the name of its block.
fn word(item: &Node) -> Option<&str> {
    match Layer::kind_of(item)? {
        "block" => match &item.get("block")?.content {
            Content::String(name) => Some(name),
            _ => Some("block"),
        },
        kind => Some(kind),
    }
}

/// `"flatten"` as `{ flatten = true }` and `"relu"` as `{ activation = "relu" }`.
fn as_table(node: &Node, kind: &str, name: &str) -> Node {
    let content =
        if name == kind { Content::Boolean(true) } else { Content::String(name.to_owned()) };
    let value = Node { content, place: node.place.clone() };
    let entry = Entry { key: kind.to_owned(), key_place: node.place.clone(), value };
    Node { content: Content::Table(vec![entry]), place: node.place.clone() }
}

/// How a kind that needs an argument is written.
fn example(kind: &str) -> Option<&'static str> {
    match kind {
        "conv" => Some("{ conv = 32, kernel = 3 }"),
        "whiten" => Some("{ whiten = 2 } for patches of 2×2 pixels"),
        "dense" => Some("{ dense = 128 } or { dense = \"classes\" }"),
        "max-pool" => Some("{ max-pool = 2 }"),
        "avg-pool" => Some("{ avg-pool = 2 }"),
        "adaptive-avg-pool" => Some("{ adaptive-avg-pool = 1 }"),
        "adaptive-max-pool" => Some("{ adaptive-max-pool = 1 }"),
        "blur-pool" => Some("{ blur-pool = 3, stride = 2 }"),
        "channel-pool" => Some("{ channel-pool = \"max\" } or { channel-pool = \"mean\" }"),
        "group-norm" => Some("{ group-norm = 32 } for 32 groups"),
        "local-response-norm" => Some("{ local-response-norm = 5 } for 5 channels"),
        "layer-scale" => Some("{ layer-scale = 1e-6 }, the first value of the factors"),
        "scale" => Some("{ scale = 0.125 } to divide all values by 8"),
        "chunk" => Some("{ chunk = 0, of = 2 } for the first half of the channels"),
        "channel-shuffle" => Some("{ channel-shuffle = 2 } for two groups"),
        "pad-channels" => Some("{ pad-channels = [8, 8] }"),
        "activation" => Some("\"relu\" or { activation = \"relu\" }"),
        "dropout" => Some("{ dropout = 0.5 }"),
        "separable-conv" => Some("{ separable-conv = 32, kernel = 3 }"),
        "squeeze-excite" => Some("{ squeeze-excite = 16 }"),
        "eca" => Some("{ eca = 3 } for a window of 3 channels"),
        "residual" => Some("{ residual = [{ conv = 32, kernel = 3, padding = \"same\" }] }"),
        "branches" => Some("{ branches = [[…], […]], merge = \"concat\" }"),
        "auxiliary" => Some("{ auxiliary = [\"flatten\", { dense = \"classes\" }] }"),
        "repeat" => {
            Some("{ repeat = 3, layers = [{ conv = 32, kernel = 3, padding = \"same\" }] }")
        }
        "block" => Some("{ block = \"name\" } for [model.blocks.name]"),
        _ => None,
    }
}

/// The names of layers that may stand alone.
fn names_alone() -> impl Iterator<Item = &'static str> {
    KINDS.into_iter().filter(|kind| example(kind).is_none()).chain(Activation::NAMES)
}

fn no_kind(node: &Node, path: &KeyPath) -> Problem {
    let allowed = KINDS.into_iter().chain(Activation::NAMES).collect::<Vec<_>>();
    let (problem, found) = match &node.content {
        Content::String(name) => (
            Problem::value(path.clone(), format!("there is no layer \"{name}\"")),
            Some(name.as_str()),
        ),
        Content::Table(entries) => match entries.first() {
            Some(first) => (
                Problem::key(
                    path.key(&first.key),
                    format!("\"{}\" is not a kind of layer", first.key),
                ),
                Some(first.key.as_str()),
            ),
            None => (Problem::value(path.clone(), "an empty layer"), None),
        },
        _ => (Problem::value(path.clone(), "a layer is a table or a name"), None),
    };
    let found = found.unwrap_or_default();
    let problem = problem.did_you_mean(found, &allowed, "no kind of layer is named here");
    problem.help(format!("the kinds are {}", KINDS.join(", ")))
}

// Settings that `conv` and `dense` share are repeated in both: `flatten` would lose the places.
/// Convolution: `{ conv = 32, kernel = 3, padding = "same" }`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Conv {
    /// Number of filters, `"classes"` or `"channels"`.
    pub conv: Width,
    /// Window: one number, or height and width.
    pub kernel: Pair,
    /// Step of the window.
    pub stride: Option<Pair>,
    /// Zeros around the image: a number, height and width, `"same"` or `"valid"`.
    pub padding: Option<Padding>,
    /// Distance between taps.
    pub dilation: Option<Pair>,
    /// Channel groups; `"channels"` is a depthwise convolution.
    pub groups: Option<Width>,
    /// Whether a bias is added; by default unless batch norm follows, which has its own.
    pub bias: Option<bool>,
    /// Overrides `model.defaults.norm`.
    pub norm: Option<Norm>,
    /// Overrides `model.defaults.activation`.
    pub activation: Option<Written<Option<Activation>>>,
    /// Overrides `model.defaults.dropout`.
    pub dropout: Option<Written<DropoutSettings>>,
    /// Overrides `model.defaults.init`.
    pub init: Option<Init>,
    /// Name of the layer and prefix of its parameters.
    pub name: Option<String>,
    /// Prefix of the norm's parameters; the layer's name and `.norm` if not given.
    pub norm_name: Option<String>,
}

/// Convolution of the images themselves whose filters do not learn: they whiten the patches of training images, as in
/// airbench (Jordan, 2024), twice as many as numbers in a patch. Its biases learn.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Whiten {
    /// Window.
    pub whiten: Pair,
    /// Added to the variance; 5e-4 if not given.
    pub eps: Option<f64>,
    /// Overrides `model.defaults.activation`.
    pub activation: Option<Written<Option<Activation>>>,
    /// Name of the layer and prefix of its parameters.
    pub name: Option<String>,
}

/// Fully connected layer on a flat input: `{ dense = 128 }`, `{ dense = "classes" }`; or on each pixel of
/// maps.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Dense {
    /// Number of neurons, or `"classes"`.
    pub dense: Width,
    /// Whether it works on the channels of each pixel of maps (as PyTorch's Linear does where channels
    /// come last): a convolution of window 1 with the weights of a dense layer; false if not given.
    pub each_pixel: Option<bool>,
    /// Whether a bias is added; by default unless batch norm follows.
    pub bias: Option<bool>,
    /// Overrides `model.defaults.norm`.
    pub norm: Option<Norm>,
    /// Overrides `model.defaults.activation`.
    pub activation: Option<Written<Option<Activation>>>,
    /// Overrides `model.defaults.dropout`.
    pub dropout: Option<Written<DropoutSettings>>,
    /// Overrides `model.defaults.init`.
    pub init: Option<Init>,
    /// Name of the layer and prefix of its parameters.
    pub name: Option<String>,
    /// Prefix of the norm's parameters; the layer's name and `.norm` if not given.
    pub norm_name: Option<String>,
}

/// Maximum over windows: `{ max-pool = 2 }`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MaxPool {
    /// Window.
    pub max_pool: Pair,
    /// Step; by default the window, so that windows do not overlap.
    pub stride: Option<Pair>,
    /// Elements around the image that never win.
    pub padding: Option<Pair>,
    /// Round the output size up instead of down.
    pub ceil: Option<bool>,
    /// Name of the layer.
    pub name: Option<String>,
}

/// Mean over windows: `{ avg-pool = 2 }`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AvgPool {
    /// Window.
    pub avg_pool: Pair,
    /// Step; by default the window.
    pub stride: Option<Pair>,
    /// Zeros around the image.
    pub padding: Option<Pair>,
    /// Round the output size up instead of down.
    pub ceil: Option<bool>,
    /// Whether zeros of the padding count in the mean (they do by default, as in PyTorch).
    pub count_padding: Option<bool>,
    /// Name of the layer.
    pub name: Option<String>,
}

/// Mean over `adaptive-avg-pool` bins per axis; `{ adaptive-avg-pool = 1 }` is global average
/// pooling.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AdaptiveAvgPool {
    /// Output height and width.
    pub adaptive_avg_pool: Pair,
    /// Name of the layer.
    pub name: Option<String>,
}

/// Maximum over `adaptive-max-pool` bins per axis; `{ adaptive-max-pool = 1 }` is global max pooling.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AdaptiveMaxPool {
    /// Output height and width.
    pub adaptive_max_pool: Pair,
    /// Name of the layer.
    pub name: Option<String>,
}

/// Mean over windows with binomial weights, (1 2 1)/4 for three (Zhang, 2019): pixels are blurred before some of them are
/// left out. Borders are mirrored, by (window + stride - 2)/2 pixels, rounded down, as in timm's `BlurPool2d`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BlurPool {
    /// Window.
    pub blur_pool: Pair,
    /// Step; 1 if not given, so that it only blurs.
    pub stride: Option<Pair>,
    /// Name of the layer.
    pub name: Option<String>,
}

/// Mean or maximum over the channels of each pixel: one channel is left (Woo et al., 2018).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ChannelPool {
    /// Which of both.
    pub channel_pool: ChannelPooling,
    /// Name of the layer.
    pub name: Option<String>,
}

/// What is taken over channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelPooling {
    /// The mean.
    Mean,
    /// The largest number.
    Max,
}

/// Channels, height and width to one axis.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Flatten {
    /// Always true.
    pub flatten: Yes,
    /// Name of the layer.
    pub name: Option<String>,
}

/// Batch normalisation on its own (conv and dense layers have it as a setting).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BatchNorm {
    /// Always true.
    pub batch_norm: Yes,
    /// Weight of the batch in the running statistics.
    pub momentum: Option<f64>,
    /// Added to the variance.
    pub eps: Option<f64>,
    /// Whether each channel has a learnt factor; true if not given.
    pub weight: Option<bool>,
    /// Name of the layer and prefix of its parameters.
    pub name: Option<String>,
}

/// Layer normalisation (Ba et al., 2016) of each pixel over its channels, or of flat features, with a weight
/// and a bias for each: what ConvNeXt has.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LayerNorm {
    /// Always true.
    pub layer_norm: Yes,
    /// Added to the variance; 1e-5 if not given.
    pub eps: Option<f64>,
    /// Name of the layer and prefix of its parameters.
    pub name: Option<String>,
}

/// Group normalisation (Wu and He, 2018): each image over groups of its channels, with a weight and a bias for
/// each channel.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GroupNorm {
    /// Number of groups, which divides that of the channels; with 1, all of an image.
    pub group_norm: usize,
    /// Added to the variance; 1e-5 if not given.
    pub eps: Option<f64>,
    /// Name of the layer and prefix of its parameters.
    pub name: Option<String>,
}

/// Instance normalisation (Ulyanov et al., 2016): each channel of each image, with a weight and a bias.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct InstanceNorm {
    /// Always true.
    pub instance_norm: Yes,
    /// Added to the variance; 1e-5 if not given.
    pub eps: Option<f64>,
    /// Name of the layer and prefix of its parameters.
    pub name: Option<String>,
}

/// Local response normalisation (Krizhevsky et al., 2012): x / (k + alpha / size · Σ x²)^beta, the sum over
/// `size` channels around each one.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LocalResponseNorm {
    /// Channels of a sum.
    pub local_response_norm: usize,
    /// 1e-4 if not given.
    pub alpha: Option<f64>,
    /// 0.75 if not given.
    pub beta: Option<f64>,
    /// 1 if not given; the paper has 2.
    pub k: Option<f64>,
    /// Name of the layer.
    pub name: Option<String>,
}

/// Global response normalisation (Woo et al., 2023): x + weight · x · n + bias, where n is the 2-norm of a
/// channel of an image over the mean of those of all channels. Weights and biases start at 0.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GlobalResponseNorm {
    /// Always true.
    pub global_response_norm: Yes,
    /// Added to the mean of the norms; 1e-6 if not given.
    pub eps: Option<f64>,
    /// Name of the layer and prefix of its parameters.
    pub name: Option<String>,
}

/// Each channel times a learnt number (Touvron et al., 2021), for the end of a residual's layers.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LayerScale {
    /// The first value of the factors.
    pub layer_scale: f64,
    /// Name of the layer and of its parameter.
    pub name: Option<String>,
}

/// All numbers times one that is not learnt: `{ scale = 0.125 }`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Scale {
    /// The factor.
    pub scale: f64,
    /// Name of the layer.
    pub name: Option<String>,
}

/// One of several equal parts of the channels: `{ chunk = 0, of = 2 }` is the first half.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Chunk {
    /// Which part, counted from 0.
    pub chunk: usize,
    /// Number of parts.
    pub of: usize,
    /// Name of the layer.
    pub name: Option<String>,
}

/// Channels dealt out among groups (Zhang et al., 2018): the first ones of all groups, then the second ones.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ChannelShuffle {
    /// Number of groups, which divides that of the channels.
    pub channel_shuffle: usize,
    /// Name of the layer.
    pub name: Option<String>,
}

/// Channels of zeros around the channels: the shortcut without weights of He et al. (2016).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PadChannels {
    /// The number of zero channels before and after.
    pub pad_channels: Pair,
    /// Name of the layer.
    pub name: Option<String>,
}

/// An activation on its own: `{ activation = "relu" }`, or its name alone.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ActivationLayer {
    /// Which one.
    pub activation: Written<Option<Activation>>,
    /// Name of the layer.
    pub name: Option<String>,
}

/// Dropout on its own: `{ dropout = 0.5 }`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DropoutLayer {
    /// Probability, or `{ channels = p }`.
    pub dropout: Written<DropoutSettings>,
    /// Name of the layer.
    pub name: Option<String>,
}

/// A convolution of each channel on its own, then one of window 1 across channels (Chollet, 2017).
/// Both do what their settings or the defaults say after their products.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SeparableConv {
    /// Number of filters of the second convolution.
    pub separable_conv: Width,
    /// Window of the first.
    pub kernel: Pair,
    /// Step of the window.
    pub stride: Option<Pair>,
    /// Zeros around the image: a number, height and width, `"same"` or `"valid"`.
    pub padding: Option<Padding>,
    /// Distance between taps.
    pub dilation: Option<Pair>,
    /// Whether biases are added; by default unless batch norm follows.
    pub bias: Option<bool>,
    /// Overrides `model.defaults.norm`.
    pub norm: Option<Norm>,
    /// Overrides `model.defaults.activation`.
    pub activation: Option<Written<Option<Activation>>>,
    /// Overrides `model.defaults.dropout`, after the second convolution; the first has none.
    pub dropout: Option<Written<DropoutSettings>>,
    /// Overrides `model.defaults.init`.
    pub init: Option<Init>,
    /// Name of the layer: its convolutions are `NAME.depthwise` and `NAME.pointwise`.
    pub name: Option<String>,
}

/// Squeeze and excitation (Hu et al., 2018): each channel is multiplied by a number in [0, 1] that
/// two small dense layers compute from the means of all channels.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SqueezeExcite {
    /// Channels for each neuron in between, 16 in the paper; or how many neurons.
    pub squeeze_excite: Squeeze,
    /// In between; `"relu"` if not given.
    pub activation: Option<Written<Option<Activation>>>,
    /// The activation that gives the factors; `"sigmoid"` if not given.
    pub gate: Option<Written<Option<Activation>>>,
    /// Overrides `model.defaults.init`.
    pub init: Option<Init>,
    /// Name of the layer: its products are `NAME.fc1` and `NAME.fc2`.
    pub name: Option<String>,
}

/// Efficient channel attention (Wang et al., 2020): each channel is multiplied by a number in [0, 1] that a
/// convolution across the means of the channels around it gives.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Eca {
    /// Channels that the window of the convolution sees: an odd number.
    pub eca: usize,
    /// The activation that gives the factors; `"sigmoid"` if not given.
    pub gate: Option<Written<Option<Activation>>>,
    /// Overrides `model.defaults.init`.
    pub init: Option<Init>,
    /// Name of the layer: its convolution is `NAME.conv`.
    pub name: Option<String>,
}

/// Layers whose result is added to their input (He et al., 2016):
/// `{ residual = [{ conv = 32, kernel = 3, padding = "same" }] }`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Residual {
    /// The layers.
    pub residual: Nested<Element>,
    /// Layers on the way around; none if not given: the input as it is.
    pub shortcut: Option<Nested<Element>>,
    /// Of the sum; overrides `model.defaults.activation`. `"none"` for pre-activation.
    pub activation: Option<Written<Option<Activation>>>,
    /// Probability of leaving the layers out for an image in training (Huang et al., 2016).
    pub stochastic_depth: Option<f64>,
    /// Prefix of the names within; `""` for none.
    pub name: Option<String>,
}

/// Lists of layers side by side on one input: `{ branches = [[{ conv = 8, kernel = 1 }], []] }`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Branches {
    /// The lists; an empty one passes the input on.
    pub branches: NestedLists<Element>,
    /// How their results become one; `"concat"` if not given.
    pub merge: Option<Merge>,
    /// Prefix of the names within; `""` for none.
    pub name: Option<String>,
}

/// How the results of branches become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Merge {
    /// Along channels (Inception; Szegedy et al., 2015).
    Concat,
    /// Along height: maps of the first branch above those of the second.
    Rows,
    /// Added element by element.
    Sum,
    /// Multiplied element by element. Of two branches, the second may have one number for each channel, or one channel.
    Multiply,
}

/// A head that gives logits of its own to the loss, in training only (Szegedy et al., 2015). Its
/// input passes on to the next layer.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Auxiliary {
    /// Layers that end with one score for each class.
    pub auxiliary: Nested<Element>,
    /// Weight of its loss; 0.3 if not given; 0 removes the head.
    pub loss_weight: Option<f64>,
    /// Prefix of the names within; `""` for none.
    pub name: Option<String>,
}

/// Layers that are repeated: `{ repeat = 3, layers = ["relu"] }`.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Repeat {
    /// How often.
    pub repeat: usize,
    /// The layers; in them `$index` counts from 0.
    pub layers: Nested<Element>,
    /// Prefix of the names inside, followed by the number; `""` for none.
    pub name: Option<String>,
}

/// The layers of a block: `{ block = "basic", filters = 64 }`. All other keys are its parameters.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "kebab-case", extend("additionalProperties" = true))]
pub struct Use {
    /// The name of a table under `model.blocks`.
    pub block: String,
    /// Prefix of the names within; `""` for none.
    pub name: Option<String>,
}
