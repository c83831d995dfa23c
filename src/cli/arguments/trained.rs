//! Arguments of commands that use a trained network.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use crate::basis::device::Device;
use crate::export::Input;

#[derive(Debug, Args)]
pub(in crate::cli) struct Presets {
    /// The preset to print
    pub(in crate::cli) name: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Examples {
    /// The example to print
    pub(in crate::cli) name: Option<String>,
}

/// A network with its weights. What goes with --preset or --experiment conflicts with the others by name:
/// clap asks for no argument that another one excludes.
#[derive(Clone, Debug, Args)]
#[group(skip)]
pub(in crate::cli) struct Trained {
    /// A checkpoint of wick run (best.safetensors or last.safetensors of a trial), or a results folder
    /// (its best trial)
    #[arg(long, value_name = "CHECKPOINT")]
    pub(in crate::cli) model: Option<PathBuf>,
    /// A built-in network, together with --weights
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) preset: Option<String>,
    /// The network of an experiment file, together with --weights; its [data] and [augment] prepare
    /// the images
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) experiment: Option<PathBuf>,
    /// The weights of --preset or --experiment: safetensors, .pth or .npz
    #[arg(long, value_name = "FILE", conflicts_with = "model")]
    pub(in crate::cli) weights: Option<PathBuf>,
    /// Rename a tensor of the weights file to a parameter; * matches any text in both names; may be
    /// repeated
    #[arg(long, value_name = "FROM=TO", requires = "weights", conflicts_with = "model", value_parser = rename)]
    pub(in crate::cli) rename: Vec<[String; 2]>,
    /// The key of the tensors in a weights file with several sets, such as state_dict_ema
    #[arg(long, value_name = "KEY", requires = "weights", conflicts_with = "model")]
    pub(in crate::cli) state_dict: Option<String>,
    /// A file with the class names for --preset or --experiment, one per line [default: ImageNet's
    /// 1,000 classes; the classes of the experiment's data]
    #[arg(long, value_name = "FILE", conflicts_with = "model")]
    pub(in crate::cli) classes: Option<PathBuf>,
    /// Size of the input for --preset
    #[arg(long, value_name = "HxW", requires = "preset", conflicts_with_all = ["model", "experiment"], default_value = "224x224", value_parser = size)]
    pub(in crate::cli) image_size: [usize; 2],
    /// Set a value of the preset or the experiment, by its dotted path; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", conflicts_with = "model")]
    pub(in crate::cli) sets: Vec<String>,
}

/// How a network looks at images.
#[derive(Debug, Args)]
pub(in crate::cli) struct Looking {
    /// Further views of each image, such as '[["horizontal-flip"]]'; logits are averaged over all views
    /// [default: the views of the checkpoint's test]
    #[arg(long, value_name = "CHAINS")]
    pub(in crate::cli) test_time: Option<String>,
    /// The most pixels that an image file may have [default: data.max-pixels of the trial, at most
    /// 100000000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) max_pixels: Option<u64>,
    /// The device: cpu; cuda:0, cuda:1, …, or metal, if the program was built for it
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub(in crate::cli) device: Device,
}

fn rename(text: &str) -> Result<[String; 2], String> {
    match text.split_once('=') {
        Some((from, to)) => Ok([from.to_owned(), to.to_owned()]),
        None => Err("a name in the file and the parameter that it is: 'backbone.*=*'".to_owned()),
    }
}

fn probability(text: &str) -> Result<f64, String> {
    let probability = text.parse::<f64>().ok().filter(|part| (0.0..=1.0).contains(part));
    probability.ok_or_else(|| "a probability from 0 to 1".to_owned())
}

fn size(text: &str) -> Result<[usize; 2], String> {
    let side = |side: &str| side.trim().parse::<usize>().ok().filter(|s| (1..=4096).contains(s));
    let both = match text.split_once(['x', '×']) {
        Some((height, width)) => side(height).zip(side(width)),
        None => side(text).map(|side| (side, side)),
    };
    both.map(|(height, width)| [height, width])
        .ok_or_else(|| "height and width between 1 and 4096, as 224x224".to_owned())
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("network").required(true).args(["model", "preset", "experiment"])))]
pub(in crate::cli) struct Predict {
    #[command(flatten)]
    pub(in crate::cli) trained: Trained,
    #[command(flatten)]
    pub(in crate::cli) looking: Looking,
    /// Image files (PNG, JPEG, BMP, GIF, WebP, PNM or TIFF), or folders of them with their subfolders
    #[arg(required = true, value_name = "IMAGE")]
    pub(in crate::cli) images: Vec<PathBuf>,
    /// Classes to show for each image [default: 5]. With several labels, all labels above their threshold
    /// are shown
    #[arg(long, value_name = "K")]
    pub(in crate::cli) top: Option<usize>,
    /// With several labels: the threshold for the probability of a label [default: the best threshold of each
    /// label on the validation images, or 0.5]
    #[arg(long, value_name = "P", value_parser = probability)]
    pub(in crate::cli) threshold: Option<f64>,
    /// Write the predictions as CSV instead of printing them: a row per image with the most probable
    /// classes and their probabilities. With several labels: its labels and all probabilities
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) csv: Option<PathBuf>,
    /// Write the logits as CSV, one row per image
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) logits: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("network").required(true).args(["model", "preset", "experiment"])))]
pub(in crate::cli) struct Export {
    #[command(flatten)]
    pub(in crate::cli) trained: Trained,
    /// Without --weights: use the initial weights of this seed
    #[arg(long, value_name = "N", requires = "preset", conflicts_with_all = ["model", "experiment", "weights"])]
    pub(in crate::cli) seed: Option<u64>,
    /// The format
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(in crate::cli) to: Foreign,
    /// The file to write [default: the name of the checkpoint or preset with .onnx or
    /// .weights.safetensors, in the current folder]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// ONNX: fold batch norms into the convolutions and dense layers before them
    #[arg(long)]
    pub(in crate::cli) fold_batch_norm: bool,
    /// ONNX: the form of the input images [default: normalised]
    #[arg(long, value_enum, value_name = "INPUT")]
    pub(in crate::cli) input: Option<Input>,
    /// ONNX: output probabilities instead of logits
    #[arg(long)]
    pub(in crate::cli) softmax: bool,
}

/// Formats of other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Foreign {
    /// The network with its weights, for onnxruntime, tract, TensorRT, OpenVINO and others
    Onnx,
    /// The weights alone, for PyTorch, candle and others
    Safetensors,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("network").required(true).args(["model", "preset", "experiment"])))]
pub(in crate::cli) struct Evaluate {
    #[command(flatten)]
    pub(in crate::cli) trained: Trained,
    #[command(flatten)]
    pub(in crate::cli) looking: Looking,
    /// Labelled images, as in data.source of an experiment file [default: the images of the
    /// checkpoint's trial]
    #[arg(long, value_name = "SOURCE")]
    pub(in crate::cli) data: Option<String>,
    /// The part of these images [default: test images of the trial, else its validation images. Of other
    /// data: the declared test images, else all]
    #[arg(long, value_enum)]
    pub(in crate::cli) part: Option<Part>,
    /// Write the confusion matrix as CSV
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) confusion: Option<PathBuf>,
    /// Write all scores as CSV, one row for each
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) scores: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Look {
    #[command(flatten)]
    pub(in crate::cli) trained: Trained,
    /// A checkpoint, or a results folder (its best trial). With --model, --preset or --experiment: the first image
    #[arg(value_name = "CHECKPOINT")]
    pub(in crate::cli) checkpoint: Option<PathBuf>,
    /// Image files, or folders of them [default: some mistakes and some correct images of --data]
    #[arg(value_name = "IMAGE")]
    pub(in crate::cli) images: Vec<PathBuf>,
    /// Labelled images for patches and features, as in data.source of an experiment file [default: without
    /// IMAGE, the images of the checkpoint's trial]
    #[arg(long, value_name = "SOURCE")]
    pub(in crate::cli) data: Option<String>,
    /// The part of these images [default: validation images of the trial, else its test images. Of other
    /// data: the declared test images, else all]
    #[arg(long, value_enum)]
    pub(in crate::cli) part: Option<Part>,
    /// Layers for maps, patches and saliency, separated by commas [default: the last layer of each map
    /// size; for saliency the last of these]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(in crate::cli) layers: Vec<String>,
    /// The class for saliency [default: the most probable class of each image]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) class: Option<String>,
    /// The number of channels to show per layer, strongest first
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=512))]
    pub(in crate::cli) channels: u16,
    /// The folder for the pictures
    #[arg(long, value_name = "DIR", default_value = "look")]
    pub(in crate::cli) out: PathBuf,
    /// The most pixels that an image file may have [default: data.max-pixels of the trial, at most 100000000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) max_pixels: Option<u64>,
    /// The device: cpu; cuda:0, cuda:1, …, or metal, if the program was built for it
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub(in crate::cli) device: Device,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Part {
    /// The test images of the trial, or the declared test images of other data
    Test,
    /// The validation images of the trial, or the declared validation images of other data
    Validation,
    /// The training images of the trial, or all images of other data that are not declared for testing
    /// or validation
    Train,
    /// All images
    All,
}
