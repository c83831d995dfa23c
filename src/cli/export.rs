//! `wick export`: a trained network for other programs.

use std::path::{Path, PathBuf};

use crate::basis::number::number;
use crate::basis::shape::display;
use crate::export::{ExportError, Input, OPSET, Options, onnx, safetensors};
use crate::sweep::store::write_whole;
use crate::train::card::Card;

use super::arguments::{Export, Foreign, Trained};
use super::error::{Error, Result};
use super::output::{print, say};
use super::trained::Loaded;

/// Runs the command.
pub(super) fn export(arguments: &Export) -> Result {
    check(arguments)?;
    let loaded = load(arguments)?;
    let sources = [loaded.checkpoint.clone(), arguments.trained.weights.clone()];
    let made = make(arguments, loaded).map_err(Error::wrong)?;
    let out = arguments.out.clone().unwrap_or_else(|| out(arguments));
    if is_one(&out, sources.iter().flatten()) {
        let out = out.display();
        return Err(Error::wrong(format!("{out} is the input: name another file with --out")));
    }
    write_whole(&out, &made.bytes)?;
    say(&made.notes);
    print(&format!("{}: {}\n", out.display(), made.summary));
    Ok(())
}

/// What will be written, and what there is to say about it.
struct Made {
    bytes: Vec<u8>,
    summary: String,
    notes: String,
}

/// Options that do nothing are mistakes.
fn check(arguments: &Export) -> Result {
    let of_onnx = [
        ("--fold-batch-norm", arguments.fold_batch_norm),
        ("--input", arguments.input.is_some()),
        ("--softmax", arguments.softmax),
    ];
    match of_onnx.iter().find(|(_, is_given)| *is_given && arguments.to == Foreign::Safetensors) {
        Some((option, _)) => Err(Error::wrong(format!(
            "{option} needs --to onnx: a safetensors file has the unchanged weights"
        ))),
        None => Ok(()),
    }
}

fn load(arguments: &Export) -> Result<Loaded> {
    match (&arguments.trained, arguments.seed) {
        (Trained { preset: Some(name), .. }, Some(seed)) => {
            Loaded::untrained(&arguments.trained, name, seed)
        }
        (Trained { model: None, preset: Some(name), weights: None, .. }, None) => {
            Err(Error::wrong(format!(
                "--preset {name} needs its weights: --weights FILE, or --seed N for initial weights"
            )))
        }
        (trained, _) => Loaded::new(trained),
    }
}

fn make(arguments: &Export, loaded: Loaded) -> Result<Made, ExportError> {
    let Loaded { card, weights, .. } = loaded;
    if arguments.to == Foreign::Safetensors {
        let tensors = card.model.tensors().len();
        let summary =
            format!("{} parameters in {tensors} tensors", number(card.model.parameters()));
        return Ok(Made { bytes: safetensors(&card, weights)?, summary, notes: String::new() });
    }
    if arguments.softmax && card.task.is_multi_label() {
        return Err(ExportError::SeveralLabels);
    }
    let options = Options {
        input: arguments.input.unwrap_or(Input::Normalised),
        fold_batch_norm: arguments.fold_batch_norm,
        softmax: arguments.softmax,
    };
    let exported = onnx(&card, weights, options)?;
    let mut notes = String::new();
    if options.fold_batch_norm && exported.batch_norms > 0 {
        notes += &format!(
            "note: {} batch norms follow no convolution or dense layer, and stay\n",
            exported.batch_norms
        );
    }
    if !card.chain().is_empty() {
        notes += "note: the file does not contain the chain of transforms for its images: see preprocessing in \
                  its metadata\n";
    }
    if !card.test_time.is_empty() {
        notes += &format!(
            "note: the network was tested with the mean logits of {} views of each image; the file uses one view\n",
            1 + card.test_time.len()
        );
    }
    let nodes = exported.nodes;
    let summary = format!("opset {OPSET}, {nodes} nodes, {}", shapes(&card, options));
    Ok(Made { bytes: exported.bytes, summary, notes })
}

/// What goes in and what comes out.
fn shapes(card: &Card, options: Options) -> String {
    let [channels, height, width] = [0, 1, 2].map(|axis| card.model.input[axis]);
    let (shape, kind) = match options.input {
        Input::Normalised => ([channels, height, width], "f32, normalised"),
        Input::Pixels => ([channels, height, width], "f32 from 0 to 255"),
        Input::Bytes => ([height, width, channels], "u8"),
    };
    let output = if options.softmax { "probabilities" } else { "logits" };
    format!("images N×{} ({kind}) → {output} N×{}", display(&shape), card.model.classes)
}

/// Where it is written if nothing else is said.
fn out(arguments: &Export) -> PathBuf {
    let Trained { model, preset, experiment, .. } = &arguments.trained;
    let stem = model.as_ref().or(experiment.as_ref()).and_then(|path| path.file_stem());
    let stem = stem.map(Path::new);
    let stem = stem.or(preset.as_ref().map(Path::new)).unwrap_or(Path::new("network"));
    let mut name = stem.as_os_str().to_owned();
    name.push(match arguments.to {
        Foreign::Onnx => ".onnx",
        Foreign::Safetensors => ".weights.safetensors",
    });
    PathBuf::from(name)
}

/// Whether `out` is one of the files that the network came from.
fn is_one<'a>(out: &Path, mut sources: impl Iterator<Item = &'a PathBuf>) -> bool {
    let Ok(out) = out.canonicalize() else { return false };
    sources.any(|source| source.canonicalize().is_ok_and(|it| it == out))
}
