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
    /// A checkpoint that wick run wrote: best.safetensors or last.safetensors of a trial; or a results folder, for its
    /// best trial
    #[arg(long, value_name = "CHECKPOINT")]
    pub(in crate::cli) model: Option<PathBuf>,
    /// A built-in network, with --weights
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) preset: Option<String>,
    /// The network of an experiment file, with --weights from elsewhere; its [data] and [augment] say how
    /// images reach it
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) experiment: Option<PathBuf>,
    /// The weights of --preset or --experiment: safetensors, .pth or .npz
    #[arg(long, value_name = "FILE", conflicts_with = "model")]
    pub(in crate::cli) weights: Option<PathBuf>,
    /// A name in the file of weights and the parameter that it is; * stands for any part of both; may be
    /// repeated
    #[arg(long, value_name = "FROM=TO", requires = "weights", conflicts_with = "model", value_parser = rename)]
    pub(in crate::cli) rename: Vec<[String; 2]>,
    /// The key of the file of weights that holds the tensors, where it holds several sets, such as
    /// state_dict_ema
    #[arg(long, value_name = "KEY", requires = "weights", conflicts_with = "model")]
    pub(in crate::cli) state_dict: Option<String>,
    /// Class names for --preset or --experiment, one on a line [default: ImageNet's 1,000; those of the
    /// experiment's data]
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
    /// Further views of each image, as '[["horizontal-flip"]]': logits are averaged over all
    /// [default: what the checkpoint was tested with]
    #[arg(long, value_name = "CHAINS")]
    pub(in crate::cli) test_time: Option<String>,
    /// The most pixels that an image file may have [default: data.max-pixels of the trial, at most
    /// 100000000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) max_pixels: Option<u64>,
    /// What computes: cpu, or cuda:0, cuda:1, …, metal with a program that was built for it
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
    /// Image files (PNG, JPEG, BMP, GIF, WebP or PNM), or folders of them, which are searched to the
    /// bottom
    #[arg(required = true, value_name = "IMAGE")]
    pub(in crate::cli) images: Vec<PathBuf>,
    /// Classes to show for each image [default: 5]; of several labels for an image, all that reach their threshold are
    /// shown
    #[arg(long, value_name = "K")]
    pub(in crate::cli) top: Option<usize>,
    /// Of several labels for an image: the least probability of a label [default: that of each class that was best on
    /// the validation images, or 0.5]
    #[arg(long, value_name = "P", value_parser = probability)]
    pub(in crate::cli) threshold: Option<f64>,
    /// Write the predictions as CSV instead of showing them: a row per image, with the most probable
    /// classes and their probabilities; or with its labels, and the probability of each class
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
    /// Without --weights: the weights with which the preset starts to train with this seed
    #[arg(long, value_name = "N", requires = "preset", conflicts_with_all = ["model", "experiment", "weights"])]
    pub(in crate::cli) seed: Option<u64>,
    /// The format
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(in crate::cli) to: Foreign,
    /// The file to write [default: the name of the checkpoint or preset with .onnx or
    /// .weights.safetensors, here]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// ONNX: work batch norms into the convolutions and dense layers before them
    #[arg(long)]
    pub(in crate::cli) fold_batch_norm: bool,
    /// ONNX: what images are when they come in [default: normalised]
    #[arg(long, value_enum, value_name = "INPUT")]
    pub(in crate::cli) input: Option<Input>,
    /// ONNX: give probabilities instead of logits
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
    /// Labelled images, written as data.source in an experiment file [default: those of the trial whose
    /// checkpoint it is]
    #[arg(long, value_name = "SOURCE")]
    pub(in crate::cli) data: Option<String>,
    /// Which of these images [default: of the trial's own the test images, or, if there are none, the validation
    /// images; of others the declared test images, or all if none are]
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
    /// A checkpoint, or a results folder for its best trial; with --model, --preset or --experiment the first image
    #[arg(value_name = "CHECKPOINT")]
    pub(in crate::cli) checkpoint: Option<PathBuf>,
    /// Image files, or folders of them [default: some mistakes and some images that the network gets right, of --data]
    #[arg(value_name = "IMAGE")]
    pub(in crate::cli) images: Vec<PathBuf>,
    /// Labelled images, written as data.source in an experiment file, for patches and the map of features [default: with
    /// no IMAGE, those of the trial whose checkpoint it is]
    #[arg(long, value_name = "SOURCE")]
    pub(in crate::cli) data: Option<String>,
    /// Which of these images [default: of the trial's own the validation images, or, if there are none, the test images;
    /// of others the declared test images, or all if none are]
    #[arg(long, value_enum)]
    pub(in crate::cli) part: Option<Part>,
    /// Layers whose maps, patches and saliency are shown, separated by commas [default: the last one with maps of each
    /// size; saliency of the last of these]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(in crate::cli) layers: Vec<String>,
    /// The class for which saliency is shown [default: of each image the most probable one]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) class: Option<String>,
    /// The most channels of a layer that are shown: the strongest ones
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=512))]
    pub(in crate::cli) channels: u16,
    /// The folder for the pictures
    #[arg(long, value_name = "DIR", default_value = "look")]
    pub(in crate::cli) out: PathBuf,
    /// The most pixels that an image file may have [default: data.max-pixels of the trial, at most 100000000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) max_pixels: Option<u64>,
    /// What computes: cpu, or cuda:0, cuda:1, …, metal with a program that was built for it
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub(in crate::cli) device: Device,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Part {
    /// The trial's own test images; of other data what the source declares for testing
    Test,
    /// The trial's own validation images; of other data what the source declares for that
    Validation,
    /// The images that the trial has learnt from; of other data everything that is for neither testing nor
    /// validation
    Train,
    /// Every image
    All,
}
