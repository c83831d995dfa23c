//! A network as an ONNX file: its graph at test time, its weights, and what one has to know to use it.

mod activation;
mod graph;
mod layers;
mod messages;
mod norms;
mod pool;

use prost::Message;
use serde::Serialize;

use crate::augment::Chain;
use crate::model::network::Weights;
use crate::model::weights::bytes;
use crate::plan::data::{CropSettings, Fit, Interpolation, PadSettings, Task};
use crate::train::card::Card;

use super::error::ExportError;
use super::fold::fold;
use graph::Graph;
use messages::{DataType, Model, OperatorSet, Property, Value};

/// The set of operators that files are written in: the newest that tract is tested with, and one that
/// runtimes have read since early 2023. Later sets bring nothing that a network here needs: pools that
/// round up are written with paddings, and GELU in its parts.
pub const OPSET: i64 = 18;

/// The version of the file format that came with it.
const IR_VERSION: i64 = 8;

/// What a file of protocol buffers holds, less some room for the graph itself.
const MOST_BYTES: u64 = (1 << 31) - (1 << 24);

/// What images are when they come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Input {
    /// [N, channels, H, W], f32: (value / 255 − mean) / std, as torchvision's transforms give it
    Normalised,
    /// [N, channels, H, W], f32 from 0 to 255; the graph scales and normalises
    Pixels,
    /// [N, H, W, channels], u8, as image libraries hold it; the graph does the rest
    Bytes,
}

impl Input {
    /// As the option names it.
    fn name(self) -> &'static str {
        match self {
            Input::Normalised => "normalised",
            Input::Pixels => "pixels",
            Input::Bytes => "bytes",
        }
    }
}

/// How a network is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What comes in.
    pub input: Input,
    /// Whether batch norms are worked into the products before them.
    pub fold_batch_norm: bool,
    /// Whether probabilities come out instead of logits.
    pub softmax: bool,
}

/// A file that can be written.
pub struct Exported {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Nodes of its graph.
    pub nodes: usize,
    /// How many of them are batch norms.
    pub batch_norms: usize,
}

/// What happens to an image before it is the network's input.
#[derive(Serialize)]
struct Preprocessing<'a> {
    /// Height and width to which images are brought.
    size: [usize; 2],
    channels: usize,
    /// "stretch", "crop" or "pad", as data.fit is; or "none", where the chain brings images of any size to this
    /// one; or "centre": the shorter side to 8/7 of the size, then the centre is cut out.
    resize: &'static str,
    /// Of "crop" and "pad": "linear" (OpenCV's) or "antialias".
    #[serde(skip_serializing_if = "Option::is_none")]
    interpolation: Option<Interpolation>,
    /// Of "pad": the value of each channel around the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    fill: Option<Vec<u8>>,
    /// Transforms behind that.
    #[serde(skip_serializing_if = "Option::is_none")]
    chain: Option<Chain>,
    /// (value / 255 − mean) / std.
    mean: &'a [f32],
    std: &'a [f32],
}

/// The network of `card` as ONNX. The axis of images is of any length; heights and widths are the
/// card's.
///
/// # Errors
/// If a tensor is missing from `weights` or has another shape, or all of them are too large.
pub fn onnx(card: &Card, mut weights: Weights, options: Options) -> Result<Exported, ExportError> {
    let hash = hash(card, &weights);
    let mut network = card.model.without_auxiliary();
    if options.fold_batch_norm {
        network = fold(network, &mut weights)?;
    }
    let size = 4 * network.tensors().iter().map(|(_, shape)| count(shape)).sum::<u64>();
    if size > MOST_BYTES {
        return Err(ExportError::TooLarge(size));
    }
    let mut graph = Graph::new(&mut weights);
    let (output, title) = match options.softmax {
        true => ("probabilities", "softmax of the logits, classes as in the metadata"),
        false => ("logits", "classes as in the metadata"),
    };
    let images = graph.name("images");
    let output = graph.name(output);
    let mut values = vec![graph.preprocessing(card, options.input, &images)];
    for (index, layer) in network.layers.iter().enumerate() {
        let sources = network.sources(index);
        let inputs: Vec<&str> = sources.iter().map(|source| values[*source].as_str()).collect();
        let value = graph.layer(layer, &inputs)?;
        values.push(value);
    }
    let mut last = values.pop().unwrap_or(images.clone());
    if options.softmax {
        last = graph.softmax(&last);
    }
    graph.rename(&last, &output);
    let [channels, height, width] = [0, 1, 2].map(|axis| network.input[axis]);
    let input = match options.input {
        Input::Normalised | Input::Pixels => Value::new(
            &images,
            DataType::Float,
            &[channels, height, width],
            if options.input == Input::Pixels { "0 to 255" } else { "normalised" },
        ),
        Input::Bytes => {
            Value::new(&images, DataType::Uint8, &[height, width, channels], "0 to 255")
        }
    };
    let output = Value::new(&output, DataType::Float, &[network.classes], title);
    let graph = graph.finish("candlewick", input, output);
    let batch_norms = graph.node.iter().filter(|node| node.op_type == "BatchNormalization").count();
    let nodes = graph.node.len();
    let model = Model {
        ir_version: IR_VERSION,
        opset_import: vec![OperatorSet { domain: String::new(), version: OPSET }],
        producer_name: "candlewick".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(graph),
        metadata_props: metadata(card, options.input, hash),
    };
    Ok(Exported { bytes: model.encode_to_vec(), nodes, batch_norms })
}

/// Numbers of a tensor.
fn count(shape: &[usize]) -> u64 {
    shape.iter().map(|side| *side as u64).product()
}

/// blake3 of the network's tensors, each behind its name and shape, in order of names.
fn hash(card: &Card, weights: &Weights) -> String {
    let names: std::collections::BTreeSet<String> =
        card.model.tensors().into_iter().map(|(name, _)| name).collect();
    let mut hasher = blake3::Hasher::new();
    for (name, (shape, values)) in weights.iter().filter(|(name, _)| names.contains(*name)) {
        hasher.update(format!("{name} {shape:?}\n").as_bytes());
        hasher.update(&bytes(values));
    }
    hasher.finalize().to_hex().to_string()
}

fn metadata(card: &Card, input: Input, hash: String) -> Vec<Property> {
    fn json(value: &impl Serialize) -> String {
        serde_json::to_string(value).expect("plain data")
    }
    let interpolation = match card.fit {
        Fit::Stretch => None,
        Fit::Crop(CropSettings { interpolation }) | Fit::Pad(PadSettings { interpolation, .. }) => {
            Some(interpolation)
        }
    };
    let fill = match card.fit {
        Fit::Pad(PadSettings { fill, .. }) => Some(fill.channels()[..card.image.channels].to_vec()),
        Fit::Stretch | Fit::Crop(_) => None,
    };
    let preprocessing = Preprocessing {
        size: card.image.size,
        channels: card.image.channels,
        resize: match (card.centre, &card.own_size) {
            (true, _) => "centre",
            (false, Some(_)) => "none",
            (false, None) => card.fit.name(),
        },
        interpolation,
        fill,
        chain: Some(card.chain()).filter(|chain| !chain.is_empty()),
        mean: &card.mean,
        std: &card.std,
    };
    let seed = if card.program.is_empty() { String::new() } else { card.seed.to_string() };
    let (task, thresholds) = match card.task {
        Task::SingleLabel => (String::new(), String::new()),
        Task::MultiLabel if card.thresholds.is_empty() => ("multi-label".to_owned(), String::new()),
        Task::MultiLabel => ("multi-label".to_owned(), json(&card.thresholds)),
    };
    let words = [
        ("task", task),
        ("thresholds", thresholds),
        ("classes", json(&card.classes)),
        ("input", input.name().to_owned()),
        ("preprocessing", json(&preprocessing)),
        ("weights", hash),
        ("trained-by", card.program.clone()),
        ("seed", seed),
        ("images", card.images.clone()),
    ];
    let known = words.into_iter().filter(|(_, value)| !value.is_empty());
    known.map(|(key, value)| Property { key: key.to_owned(), value }).collect()
}
