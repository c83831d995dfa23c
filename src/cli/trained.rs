//! A network with its weights, from a checkpoint or from a preset and a file of weights.

use std::path::Path;

use candle_core::{Device, Tensor};

use crate::config::layering::preset;
use crate::config::presets::IMAGENET_CLASSES;
use crate::data::{decode_centre, decode_image};
use crate::kernels::tape::numbers;
use crate::model;
use crate::model::network::{Network, Weights};
use crate::plan::data::ImagePlan;
use crate::plan::model::WeightsPlan;
use crate::plan::resolve::network;
use crate::train::card::Card;
use crate::train::checkpoint::Checkpoint;

use super::arguments::Trained;

/// Mean and standard deviation of ImageNet's pixels, which torchvision's weights expect.
const IMAGENET: [[f32; 3]; 2] = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]];

/// Images in a batch.
pub(super) const BATCH: usize = 32;

/// A network that is ready to look at images.
pub(super) struct Ready {
    /// Classes, preprocessing, plan.
    pub(super) card: Card,
    network: Network,
    /// Whether images are cut to their centre instead of being stretched.
    centre: bool,
}

impl Ready {
    /// The network that was asked for; or what is wrong, to be shown as it is.
    pub(super) fn new(asked: &Trained) -> Result<Ready, String> {
        match (&asked.model, &asked.preset, &asked.weights) {
            (Some(checkpoint), _, _) => Ready::of_checkpoint(checkpoint),
            (None, Some(preset), Some(weights)) => Ready::of_preset(asked, preset, weights),
            _ => Err("error: name a network: --model, or --preset with --weights\n".to_owned()),
        }
    }

    fn of_checkpoint(path: &Path) -> Result<Ready, String> {
        let wrong = |error: &dyn std::fmt::Display| format!("error: {}: {error}\n", path.display());
        let bytes = std::fs::read(path).map_err(|error| wrong(&error))?;
        let checkpoint = Checkpoint::from_bytes(&bytes).map_err(|error| {
            wrong(&error)
                + "a checkpoint is best.safetensors or last.safetensors of a trial; other weights go \
                   with --preset NAME --weights FILE\n"
        })?;
        let card = Card::of(&checkpoint).map_err(|error| wrong(&error))?;
        Ready::with(card, &checkpoint.tensors, false).map_err(|error| wrong(&error))
    }

    fn of_preset(asked: &Trained, name: &str, file: &Path) -> Result<Ready, String> {
        let names = match &asked.classes {
            None => IMAGENET_CLASSES.to_owned(),
            Some(path) => std::fs::read_to_string(path)
                .map_err(|error| format!("error: {}: {error}\n", path.display()))?,
        };
        let classes: Vec<String> = names.lines().map(str::to_owned).collect();
        let root = preset(name, &asked.sets).map_err(|problems| problems.render(false))?;
        let image = ImagePlan { size: asked.image_size, channels: 3 };
        let model = network(&root, [3, image.size[0], image.size[1]], classes.len())
            .map_err(|problems| problems.render(false))?;
        // Files for use often lack the heads that only training needs.
        let without = model.without_auxiliary();
        let plan = WeightsPlan {
            file: file.to_owned(),
            hash: String::new(),
            rename: Vec::new(),
            strict: false,
        };
        let weights = model::weights::read(&plan, &without)
            .and_then(|(weights, report)| {
                if report.complete() {
                    Ok(weights)
                } else {
                    Err(report.strict().unwrap_err().into())
                }
            })
            .map_err(|error| format!("error: {}: {error}\n", file.display()))?;
        let card = Card {
            program: String::new(),
            seed: 0,
            images: String::new(),
            classes,
            mean: IMAGENET[0].to_vec(),
            std: IMAGENET[1].to_vec(),
            image,
            model: without,
        };
        Ready::with(card, &weights, true).map_err(|error| format!("error: {error}\n"))
    }

    fn with(card: Card, weights: &Weights, centre: bool) -> candle_core::Result<Ready> {
        let mut network = Network::new(&card.model, 0)?;
        network.load(weights)?;
        Ok(Ready { card, network, centre })
    }

    /// The pixels of an image file, `[height, width, channels]`.
    pub(super) fn decode(&self, path: &Path) -> Result<Vec<u8>, String> {
        let decode = if self.centre { decode_centre } else { decode_image };
        decode(path, &self.card.image).map_err(|error| error.to_string())
    }

    /// The logits `[images, classes]` of images of the right size.
    pub(super) fn logits(&mut self, images: &[&[u8]]) -> candle_core::Result<Vec<f32>> {
        let ImagePlan { size: [height, width], channels } = self.card.image;
        let table = self.card.normalisation().table();
        let mut pixels = vec![0.0; images.len() * height * width * channels];
        for (image, out) in images.iter().zip(pixels.chunks_mut(height * width * channels)) {
            table.write(image, out);
        }
        let shape = (images.len(), channels, height, width);
        let batch = Tensor::from_vec(pixels, shape, &Device::Cpu)?;
        let pass = self.network.forward(&batch, false, 0)?;
        let logits = numbers(pass.logits.tensor())?.to_vec();
        Ok(logits)
    }
}

/// The softmax of a row of logits.
pub(super) fn softmax(row: &[f32]) -> Vec<f64> {
    let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = row.iter().map(|x| f64::from(x - highest).exp()).collect();
    let total: f64 = powers.iter().sum();
    powers.iter().map(|power| power / total).collect()
}
