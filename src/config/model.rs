//! `[model]`: the architecture as a list of layers, written as in a paper's table.
//!
//! ```toml
//! [model]
//! defaults = { activation = "relu", norm = "batch", dropout = 0.0, init = "pytorch" }
//! layers = [
//!   { conv = 32, kernel = 3, padding = "same" },
//!   { max-pool = 2 },
//!   "flatten",
//!   { dense = "classes", activation = "none", norm = "none" },
//! ]
//! ```
//!
//! A layer is a table with a key that names its kind and main argument; a kind that needs no
//! argument can be written as its name alone. Each kind is one struct below.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor, value};

use super::path::KeyPath;
use super::problem::Problem;
use super::read::read;
use super::suggest;
use super::tree::{Content, Entry, Node};

/// What `conv` and `dense` layers do after their product unless they say otherwise, in this order:
/// normalise, activate, drop.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Defaults {
    /// The activation function.
    pub activation: Activation,
    /// The normalisation.
    pub norm: Norm,
    /// Probability of dropping an element or a channel.
    pub dropout: Dropout,
    /// How weights and biases start.
    pub init: Init,
}

/// One layer as written.
#[derive(Clone, Debug)]
pub enum Layer {
    /// Convolution.
    Conv(Conv),
    /// Fully connected layer.
    Dense(Dense),
    /// Maximum over windows.
    MaxPool(MaxPool),
    /// Mean over windows.
    AvgPool(AvgPool),
    /// Mean over bins that divide the image evenly; one bin is global pooling.
    AdaptiveAvgPool(AdaptiveAvgPool),
    /// Channels, height and width to one axis.
    Flatten(Flatten),
    /// Batch normalisation on its own.
    BatchNorm(BatchNorm),
    /// Activation on its own.
    Activation(ActivationLayer),
    /// Dropout on its own.
    Dropout(DropoutLayer),
}

/// The kinds of layers. `activation` and `dropout` come last: they are also settings of others.
pub const KINDS: [&str; 9] = [
    "conv",
    "dense",
    "max-pool",
    "avg-pool",
    "adaptive-avg-pool",
    "flatten",
    "batch-norm",
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
            Content::Table(entries) => {
                KINDS.into_iter().find(|kind| entries.iter().any(|entry| entry.key == *kind))
            }
            _ => None,
        }
    }

    /// Reads the layer at `node`, which stands at `path`.
    pub fn read(node: &Node, path: &KeyPath) -> Result<Layer, Problem> {
        let Some(kind) = Layer::kind_of(node) else { return Err(no_kind(node, path)) };
        let table = match &node.content {
            Content::String(name) => as_table(node, kind, name),
            _ => node.clone(),
        };
        let layer = match kind {
            "conv" => read(&table, path).map(Layer::Conv),
            "dense" => read(&table, path).map(Layer::Dense),
            "max-pool" => read(&table, path).map(Layer::MaxPool),
            "avg-pool" => read(&table, path).map(Layer::AvgPool),
            "adaptive-avg-pool" => read(&table, path).map(Layer::AdaptiveAvgPool),
            "flatten" => read(&table, path).map(Layer::Flatten),
            "batch-norm" => read(&table, path).map(Layer::BatchNorm),
            "activation" => read(&table, path).map(Layer::Activation),
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

    /// The name given to the layer, if any.
    pub fn name(&self) -> Option<&str> {
        match self {
            Layer::Conv(layer) => layer.name.as_deref(),
            Layer::Dense(layer) => layer.name.as_deref(),
            Layer::MaxPool(layer) => layer.name.as_deref(),
            Layer::AvgPool(layer) => layer.name.as_deref(),
            Layer::AdaptiveAvgPool(layer) => layer.name.as_deref(),
            Layer::Flatten(layer) => layer.name.as_deref(),
            Layer::BatchNorm(layer) => layer.name.as_deref(),
            Layer::Activation(layer) => layer.name.as_deref(),
            Layer::Dropout(layer) => layer.name.as_deref(),
        }
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
        .map(|item| match (given(item), Layer::kind_of(item)) {
            (Some(name), _) => name,
            (None, None) => String::new(),
            (None, Some(kind)) => loop {
                let count = counts.entry(kind).or_insert(0);
                *count += 1;
                let name = format!("{kind}{count}");
                if !all.contains(&name) {
                    break name;
                }
            },
        })
        .collect()
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
        "dense" => Some("{ dense = 128 } or { dense = \"classes\" }"),
        "max-pool" => Some("{ max-pool = 2 }"),
        "avg-pool" => Some("{ avg-pool = 2 }"),
        "adaptive-avg-pool" => Some("{ adaptive-avg-pool = 1 }"),
        "activation" => Some("\"relu\" or { activation = \"relu\" }"),
        "dropout" => Some("{ dropout = 0.5 }"),
        _ => None,
    }
}

fn no_kind(node: &Node, path: &KeyPath) -> Problem {
    let allowed = KINDS.into_iter().chain(Activation::NAMES).collect::<Vec<_>>();
    let (problem, found) = match &node.content {
        Content::String(name) => (
            Problem::value(path.clone(), format!("there is no layer \"{name}\"")),
            Some(name.clone()),
        ),
        Content::Table(entries) => match entries.first() {
            Some(first) => (
                Problem::key(
                    path.key(&first.key),
                    format!("\"{}\" is not a kind of layer", first.key),
                ),
                Some(first.key.clone()),
            ),
            None => (Problem::value(path.clone(), "an empty layer"), None),
        },
        _ => (Problem::value(path.clone(), "a layer is a table or a name"), None),
    };
    let near = found.and_then(|found| suggest::nearest(&found, &allowed).map(str::to_owned));
    let problem = match &near {
        Some(near) => problem.label(format!("did you mean \"{near}\"?")),
        None => problem.label("no kind of layer is named here"),
    };
    problem.help(format!("the kinds are {}", KINDS.join(", ")))
}

/// Settings that `conv` and `dense` share are repeated in both: `flatten` would lose the places.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Conv {
    /// Number of filters.
    pub conv: usize,
    /// Window: one number, or height and width.
    pub kernel: Pair,
    /// Step of the window.
    pub stride: Option<Pair>,
    /// Zeros around the image: a number, height and width, `"same"` or `"valid"`.
    pub padding: Option<Padding>,
    /// Distance between taps.
    pub dilation: Option<Pair>,
    /// Channel groups; as many as input channels is a depthwise convolution.
    pub groups: Option<usize>,
    /// Whether a bias is added; by default unless batch norm follows, which has its own.
    pub bias: Option<bool>,
    /// Overrides `model.defaults.norm`.
    pub norm: Option<Norm>,
    /// Overrides `model.defaults.activation`.
    pub activation: Option<Activation>,
    /// Overrides `model.defaults.dropout`.
    pub dropout: Option<Dropout>,
    /// Overrides `model.defaults.init`.
    pub init: Option<Init>,
    /// Name of the layer and prefix of its parameters.
    pub name: Option<String>,
}

/// Fully connected layer on a flat input.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Dense {
    /// Number of neurons, or `"classes"`.
    pub dense: Neurons,
    /// Whether a bias is added; by default unless batch norm follows.
    pub bias: Option<bool>,
    /// Overrides `model.defaults.norm`.
    pub norm: Option<Norm>,
    /// Overrides `model.defaults.activation`.
    pub activation: Option<Activation>,
    /// Overrides `model.defaults.dropout`.
    pub dropout: Option<Dropout>,
    /// Overrides `model.defaults.init`.
    pub init: Option<Init>,
    /// Name of the layer and prefix of its parameters.
    pub name: Option<String>,
}

/// Maximum over windows.
#[derive(Clone, Debug, Deserialize)]
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

/// Mean over windows.
#[derive(Clone, Debug, Deserialize)]
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

/// Mean over `adaptive-avg-pool` bins per axis; 1 is global average pooling.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AdaptiveAvgPool {
    /// Output height and width.
    pub adaptive_avg_pool: Pair,
    /// Name of the layer.
    pub name: Option<String>,
}

/// Channels, height and width to one axis.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Flatten {
    /// Always true.
    pub flatten: Yes,
    /// Name of the layer.
    pub name: Option<String>,
}

/// Batch normalisation on its own (conv and dense layers have it as a setting).
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BatchNorm {
    /// Always true.
    pub batch_norm: Yes,
    /// Weight of the batch in the running statistics.
    pub momentum: Option<f64>,
    /// Added to the variance.
    pub eps: Option<f64>,
    /// Name of the layer and prefix of its parameters.
    pub name: Option<String>,
}

/// An activation on its own.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ActivationLayer {
    /// Which one.
    pub activation: Activation,
    /// Name of the layer.
    pub name: Option<String>,
}

/// Dropout on its own.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DropoutLayer {
    /// Probability, or `{ channels = p }`.
    pub dropout: Dropout,
    /// Name of the layer.
    pub name: Option<String>,
}

/// The main argument of a kind that has none: `true`.
#[derive(Clone, Copy, Debug)]
pub struct Yes;

impl<'de> Deserialize<'de> for Yes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Yes;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("true (leave the layer out instead of switching it off)")
            }
            fn visit_bool<E: Error>(self, yes: bool) -> Result<Yes, E> {
                if yes {
                    Ok(Yes)
                } else {
                    Err(E::invalid_value(serde::de::Unexpected::Bool(false), &self))
                }
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// One number for both axes, or height and width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair(pub [usize; 2]);

impl<'de> Deserialize<'de> for Pair {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Pair;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a whole number, or two for height and width")
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Pair, E> {
                let side = usize::try_from(number)
                    .map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(number), &self))?;
                Ok(Pair([side; 2]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Pair, A::Error> {
                <[usize; 2]>::deserialize(value::SeqAccessDeserializer::new(seq)).map(Pair)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// Zeros around the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// The same number before and after, per axis.
    Each([usize; 2]),
    /// As many as keep the size at stride 1.
    Same,
}

impl<'de> Deserialize<'de> for Padding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Padding;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a whole number, two for height and width, \"same\" or \"valid\"")
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Padding, E> {
                let side = usize::try_from(number)
                    .map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(number), &self))?;
                Ok(Padding::Each([side; 2]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Padding, A::Error> {
                <[usize; 2]>::deserialize(value::SeqAccessDeserializer::new(seq)).map(Padding::Each)
            }
            fn visit_str<E: Error>(self, name: &str) -> Result<Padding, E> {
                match name {
                    "same" => Ok(Padding::Same),
                    "valid" => Ok(Padding::Each([0; 2])),
                    other => Err(E::unknown_variant(other, &["same", "valid"])),
                }
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// A number of neurons, or one for each class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Neurons {
    /// So many.
    Count(usize),
    /// `"classes"`.
    Classes,
}

impl<'de> Deserialize<'de> for Neurons {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Neurons;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a number of neurons, or \"classes\"")
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Neurons, E> {
                usize::try_from(number)
                    .map(Neurons::Count)
                    .map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(number), &self))
            }
            fn visit_str<E: Error>(self, name: &str) -> Result<Neurons, E> {
                match name {
                    "classes" => Ok(Neurons::Classes),
                    other => Err(E::unknown_variant(other, &["classes"])),
                }
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// Activation functions: a name, or `{ leaky-relu = slope }`, `{ elu = alpha }`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// The identity.
    None,
    /// max(0, x).
    Relu,
    /// min(max(0, x), 6).
    Relu6,
    /// x for x > 0, slope · x below; slope 0.01 if not given.
    LeakyRelu(Option<f64>),
    /// x for x > 0, alpha · (eˣ − 1) below; alpha 1 if not given.
    Elu(Option<f64>),
    /// x · Φ(x), with the exact normal distribution.
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
    /// The names that may stand alone as a layer.
    pub const NAMES: [&'static str; 9] =
        ["relu", "relu6", "leaky-relu", "elu", "gelu", "silu", "hardswish", "tanh", "sigmoid"];
}

/// Normalisation: `"none"`, `"batch"`, or `{ batch = { momentum = 0.1, eps = 1e-5 } }`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Norm {
    /// No normalisation.
    None,
    /// Batch normalisation.
    Batch(Option<BatchNormSettings>),
}

/// The numbers of batch normalisation.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BatchNormSettings {
    /// Weight of the batch in the running statistics; 0.1 if not given.
    pub momentum: Option<f64>,
    /// Added to the variance; 1e-5 if not given.
    pub eps: Option<f64>,
}

/// A probability for single elements, or `{ channels = p }` for whole channels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Dropout {
    /// Each element on its own.
    Elements(f64),
    /// Whole channels (Tompson et al., 2015).
    Channels(f64),
}

impl<'de> Deserialize<'de> for Dropout {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        enum Table {
            Elements(f64),
            Channels(f64),
        }
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Dropout;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a probability such as 0.5, or { channels = 0.2 }")
            }
            fn visit_f64<E: Error>(self, p: f64) -> Result<Dropout, E> {
                Ok(Dropout::Elements(p))
            }
            fn visit_i64<E: Error>(self, p: i64) -> Result<Dropout, E> {
                Ok(Dropout::Elements(p as f64))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Dropout, A::Error> {
                let table = Table::deserialize(value::MapAccessDeserializer::new(map))?;
                Ok(match table {
                    Table::Elements(p) => Dropout::Elements(p),
                    Table::Channels(p) => Dropout::Channels(p),
                })
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// How weights start. Biases start at 0, except with `pytorch`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Init {
    /// Weights and biases uniform within ±1/√fan-in: what PyTorch's layers do.
    Pytorch,
    /// Normal with variance 2/fan-in (He et al., 2015).
    KaimingNormal,
    /// Uniform with variance 2/fan-in.
    KaimingUniform,
    /// Normal with variance 2/(fan-in + fan-out) (Glorot and Bengio, 2010).
    XavierNormal,
    /// Uniform with variance 2/(fan-in + fan-out).
    XavierUniform,
    /// Normal with variance 1/fan-in (LeCun et al., 1998).
    LecunNormal,
    /// Uniform with variance 1/fan-in.
    LecunUniform,
    /// One number everywhere.
    Constant(f64),
}
