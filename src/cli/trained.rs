//! A network with its weights, from a checkpoint or from a preset and a file of weights.

#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::path::{Path, PathBuf};

use candle_core::Tensor;

use crate::analysis::Answers;
use crate::augment::{Chain, Frame, Image};
use crate::basis::regular;
use crate::config::augment::Augment;
use crate::config::layering::preset;
use crate::config::presets::IMAGENET_CLASSES;
use crate::data::{decode_centre, decode_image, decode_own_size};
use crate::document::{KeyPath, Node, Problems};
use crate::kernels::device as kernels;
use crate::kernels::tape::values;
use crate::model;
use crate::model::network::{Network, Weights};
use crate::model::weights::LoadError;
use crate::plan::augment::augment;
use crate::plan::data::{self, Fit, MOST_PIXELS, Task};
use crate::plan::model::{LayerPlan, WeightsPlan};
use crate::plan::network::network;
use crate::results::layout::BEST;
use crate::results::trials;
use crate::sweep::memory::installed;
use crate::sweep::store::TrialStore;
use crate::train::card::Card;
use crate::train::checkpoint::Checkpoint;
use crate::train::said;

use super::arguments::{Looking, Trained};
use super::error::{Error, Result};
use super::exit::Exit;
use super::output::say;
use super::own_network::own_card;

/// Mean and standard deviation of ImageNet's pixels, which torchvision's weights expect.
const IMAGENET: [[f32; 3]; 2] = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]];

/// Images in a batch.
pub(super) const BATCH: usize = 32;

/// A network and its weights, as files give them.
pub(super) struct Loaded {
    /// Classes, preprocessing, plan.
    pub(super) card: Card,
    /// All of the network's tensors, and perhaps others.
    pub(super) weights: Weights,
    /// The checkpoint; none with a preset.
    pub(super) checkpoint: Option<PathBuf>,
}

impl Loaded {
    /// What was asked for.
    pub(super) fn new(asked: &Trained) -> Result<Loaded> {
        match (&asked.model, &asked.preset, &asked.weights) {
            (Some(model), _, _) => Loaded::of_checkpoint(&checkpoint(model)?),
            (None, Some(preset), Some(weights)) => Loaded::of_preset(asked, preset, weights),
            (None, Some(preset), None) => {
                Err(Error::wrong(format!("--preset {preset} needs its weights: --weights FILE")))
            }
            (None, None, weights) => match (&asked.experiment, weights) {
                (Some(experiment), Some(weights)) => {
                    Loaded::with_weights(own_card(asked, experiment)?, asked, weights)
                }
                (Some(experiment), None) => Err(Error::wrong(format!(
                    "the network of {} needs its weights: --weights FILE; for a network trained with wick, use \
                     --model best.safetensors",
                    experiment.display()
                ))),
                (None, _) => Err(Error::wrong(
                    "name a network: --model, or --preset or --experiment with --weights",
                )),
            },
        }
    }

    /// A preset with the weights that it starts to train with.
    pub(super) fn untrained(asked: &Trained, name: &str, seed: u64) -> Result<Loaded> {
        let card = card(asked, name)?;
        let weights = Network::new(&card.model, seed).and_then(|mut network| network.weights());
        let weights = weights.map_err(Error::wrong)?;
        Ok(Loaded { card, weights, checkpoint: None })
    }

    fn of_checkpoint(path: &Path) -> Result<Loaded> {
        let wrong = |error: &dyn Display| Error::wrong(format!("{}: {error}", path.display()));
        let bytes = regular::read(path).map_err(|error| wrong(&error))?;
        let checkpoint = Checkpoint::from_bytes(&bytes).map_err(|error| {
            wrong(&format!(
                "{error}\na checkpoint is best.safetensors or last.safetensors of a trial; for other weights use \
                 --preset NAME --weights FILE. To replace a damaged checkpoint, remove the file and run its experiment"
            ))
        })?;
        // Of several moments of one trial its outcome says which is the one that counts.
        if path.file_name().is_some_and(|name| name == BEST)
            && let Some(folder) = path.parent()
            && let Err(damage) = TrialStore::at(folder.to_owned()).vouch(BEST)
            && damage.path.file_name() == path.file_name()
        {
            return Err(Error::wrong(format!("{damage}\n  = help: {}", damage.way_out())));
        }
        let card = Card::of(&checkpoint).map_err(|error| wrong(&error))?;
        let mut weights = checkpoint.tensors;
        complete(&card, &mut weights, path).map_err(|error| wrong(&error))?;
        let names = card.model.tensors().into_iter().map(|(name, _)| name);
        match names.into_iter().find(|name| !weights.contains_key(name)) {
            Some(name) => Err(wrong(&format!("{name} is missing from the weights"))),
            None => Ok(Loaded { card, weights, checkpoint: Some(path.to_owned()) }),
        }
    }

    fn of_preset(asked: &Trained, name: &str, file: &Path) -> Result<Loaded> {
        Loaded::with_weights(card(asked, name)?, asked, file)
    }

    /// The network of `card` with the weights of `file`, which has to have all of them.
    fn with_weights(mut card: Card, asked: &Trained, file: &Path) -> Result<Loaded> {
        // Files for use often lack the heads that only training needs.
        card.model = card.model.without_auxiliary();
        let mut plan = WeightsPlan::new(file.to_owned(), asked.rename.clone(), false);
        plan.state_dict = asked.state_dict.clone();
        let wrong = |error: &dyn Display| Error::wrong(format!("{}: {error}", file.display()));
        let read = model::weights::read(&plan, &card.model);
        let (weights, report) = read.map_err(|error| match error {
            // It names the file itself.
            LoadError::File(error) => Error::wrong(error),
            other => wrong(&other),
        })?;
        if !report.complete() || !report.unused.is_empty() {
            return Err(wrong(&report));
        }
        for line in report.notes() {
            say(&format!("note: {}: {line}\n", file.display()));
        }
        Ok(Loaded { card, weights, checkpoint: None })
    }
}

/// The names of classes that a file was named for.
pub(super) fn class_names(asked: &Trained) -> Result<Option<Vec<String>>> {
    let Some(path) = &asked.classes else { return Ok(None) };
    let names = regular::read_to_string(path)
        .map_err(|error| Error::wrong(format!("{}: {error}", path.display())))?;
    Ok(Some(names.lines().map(str::to_owned).collect()))
}

/// The checkpoint that `--model` names: a file, a trial's folder, or a results folder, which stands for its best
/// trial.
fn checkpoint(model: &Path) -> Result<PathBuf> {
    if !model.is_dir() {
        return Ok(model.to_owned());
    }
    let own = model.join(BEST);
    if own.exists() {
        return Ok(own);
    }
    let shown = model.display();
    if !model.join(trials::FILE).exists() {
        return Err(Error::wrong(format!(
            "{shown} is neither the folder of a trial, with {BEST}, nor a results folder, with {}",
            trials::FILE
        )));
    }
    let answers = Answers::read(model, None).map_err(Error::wrong)?;
    let Some(best) = answers.best_trial() else {
        return Err(Error::wrong(format!("{shown} has no completed trial")));
    };
    let file = answers.folder(best).join(BEST);
    let metric = answers.measure;
    let value = answers.value(best).map_or(String::new(), |value| {
        format!(", {} {}{}", metric.words(), metric.show(value), metric.unit())
    });
    say(&format!("trial {}{value}: {}\n", best.number, file.display()));
    Ok(file)
}

/// What can be said of the preset `name` without its weights.
fn card(asked: &Trained, name: &str) -> Result<Card> {
    let classes = class_names(asked)?
        .unwrap_or_else(|| IMAGENET_CLASSES.lines().map(str::to_owned).collect());
    let root = model_of(name, &asked.sets)?;
    let image = data::Image { size: asked.image_size, channels: 3 };
    let model = network(&root, [3, image.size[0], image.size[1]], classes.len()).map_err(wrong)?;
    Ok(Card {
        program: String::new(),
        seed: 0,
        images: String::new(),
        task: Task::SingleLabel,
        classes,
        thresholds: Vec::new(),
        top_k: None,
        mean: IMAGENET[0].to_vec(),
        std: IMAGENET[1].to_vec(),
        image,
        fit: Fit::Stretch,
        own_size: None,
        centre: true,
        evaluation: Chain::default(),
        test_time: Vec::new(),
        data: None,
        model,
    })
}

/// The preset `name` with `sets`, of which each has to say something of the network.
pub(super) fn model_of(name: &str, sets: &[String]) -> Result<Node> {
    let is_idle = |set: &&String| {
        let dotted = set.split_once('=').map_or(set.as_str(), |(dotted, _)| dotted.trim());
        let path = KeyPath::split(dotted);
        let second = path.get(1).map(String::as_str);
        path.first().is_none_or(|first| first != "model")
            || matches!(second, Some("preset" | "weights"))
    };
    let idle: Vec<&str> = sets.iter().filter(is_idle).map(String::as_str).collect();
    if !idle.is_empty() {
        return Err(Error::wrong(format!(
            "--set {}: with a preset, only its network can be set, by paths such as model.defaults.activation\n\
             its name, weights, classes and image size have their own options; pixels are normalised as for ImageNet",
            idle.join(", --set ")
        )));
    }
    preset(name, sets).map_err(wrong)
}

/// Adds to the weights of the checkpoint at `path` what transfer never changes: while a trial is under
/// way and in its last checkpoint, only the best one may have it.
fn complete(card: &Card, weights: &mut Weights, path: &Path) -> Result<(), String> {
    let is_missing = |name: &String| !weights.contains_key(name);
    let missing: Vec<String> = Network::fixed(&card.model).into_iter().filter(is_missing).collect();
    let Some(first) = missing.first() else { return Ok(()) };
    let beside = path.with_file_name(BEST);
    let best = regular::read(&beside).ok().and_then(|bytes| Checkpoint::from_bytes(&bytes).ok());
    // Only of the same trial are they the same.
    let is_same = |other: Card| Card { thresholds: card.thresholds.clone(), ..other } == *card;
    let best = best.filter(|best| Card::of(best).is_ok_and(is_same));
    let mut best = best.map(|best| best.tensors).unwrap_or_default();
    for name in &missing {
        let Some(tensor) = best.remove(name) else {
            return Err(format!(
                "it does not contain the frozen layers, such as {first}; the {BEST} of a finished trial contains \
                 all layers"
            ));
        };
        weights.insert(name.clone(), tensor);
    }
    Ok(())
}

/// Finds out whether a batch of images can go through the network at all: whoever asks for more memory than there
/// is, is ended.
fn check_memory(card: &Card) -> Result<(), String> {
    let model = &card.model;
    let size = |shape: &[usize]| shape.iter().map(|side| *side as u64).product::<u64>();
    // A layer's input, its output, and what stands between.
    let layer = |layer: &LayerPlan| 2 * (size(&layer.input) + size(&layer.output));
    let numbers = model.layers.iter().map(layer).max().unwrap_or(0);
    let needed = 4 * BATCH as u64 * numbers;
    match installed().filter(|there| needed > *there) {
        Some(there) => Err(format!(
            "a batch of {BATCH} images takes about {} MB there, and this machine has {} MB",
            needed / 1_000_000,
            there / 1_000_000
        )),
        None => Ok(()),
    }
}

/// A network that is ready to look at images.
pub(super) struct Ready {
    /// Classes, preprocessing, plan.
    pub(super) card: Card,
    /// The checkpoint; none with a preset.
    pub(super) checkpoint: Option<PathBuf>,
    /// The most pixels that an image file may have.
    pub(super) max_pixels: u64,
    network: Network,
}

impl Ready {
    /// The network that was asked for, which looks at images as `looking` says.
    pub(super) fn new(asked: &Trained, looking: &Looking) -> Result<Ready> {
        let Loaded { mut card, weights, checkpoint } = Loaded::new(asked)?;
        let source = checkpoint.as_ref().or(asked.weights.as_ref());
        let place = source.map(|path| format!("{}: ", path.display())).unwrap_or_default();
        check_memory(&card).map_err(|error| Error::wrong(format!("{place}{error}")))?;
        let network = Network::starting_from(&card.model, 0, weights);
        let network = network.map_err(|error| Error::wrong(format!("{place}{error}")))?;
        let on_device = |error: &dyn Display| Error::wrong(format!("--device: {error}"));
        let device = kernels::Device::open(looking.device).map_err(|error| on_device(&error))?;
        let network = network.on(&device).map_err(|error| on_device(&error))?;
        if let Some(views) = &looking.test_time {
            test_time(views, &mut card)?;
        }
        // A checkpoint from elsewhere does not lift the bound on files from elsewhere.
        let of_card =
            card.data.as_ref().map_or(MOST_PIXELS, |data| data.max_pixels.min(MOST_PIXELS));
        let max_pixels = looking.max_pixels.unwrap_or(of_card);
        Ok(Ready { card, checkpoint, max_pixels, network })
    }

    /// What makes pixels of image files.
    pub(super) fn decoder(&self) -> Decoder {
        Decoder { card: self.card.clone(), max_pixels: self.max_pixels }
    }

    /// The logits `[images, classes]` of images as they were decoded: the mean over the plain view
    /// and those of test-time augmentation.
    pub(super) fn logits(&mut self, images: &[(Frame, &[u8])]) -> candle_core::Result<Vec<f32>> {
        let chains: Vec<Chain> =
            [&self.card.evaluation].into_iter().chain(&self.card.test_time).cloned().collect();
        let mut sum = vec![0.0; images.len() * self.card.classes.len()];
        for (view, chain) in chains.iter().enumerate() {
            let logits = self.seen_through(chain, view as u64, images)?;
            sum.iter_mut().zip(logits).for_each(|(sum, logit)| *sum += logit);
        }
        let share = 1.0 / chains.len() as f32;
        sum.iter_mut().for_each(|logit| *logit *= share);
        Ok(sum)
    }

    fn seen_through(
        &mut self,
        chain: &Chain,
        view: u64,
        images: &[(Frame, &[u8])],
    ) -> candle_core::Result<Vec<f32>> {
        let views =
            images.iter().map(|(frame, decoded)| self.card.view(chain, view, *frame, decoded));
        let batch = self.batch(&views.collect::<Vec<_>>())?;
        let pass = self.network.forward(&batch, false, 0)?;
        values(pass.logits.tensor())
    }

    /// Views as the network takes them in: `[images, channels, height, width]`.
    pub(super) fn batch(&self, views: &[Image]) -> candle_core::Result<Tensor> {
        said::batch(&self.card, views)
    }

    /// The network itself.
    pub(super) fn network(&mut self) -> &mut Network {
        &mut self.network
    }
}

/// Reads images as a network wants them.
pub(super) struct Decoder {
    card: Card,
    max_pixels: u64,
}

impl Decoder {
    /// The pixels of an image file.
    pub(super) fn decode(&self, path: &Path) -> Result<Image, String> {
        let Card { image, fit, own_size, centre, evaluation, test_time, .. } = &self.card;
        let Some(own_size) = own_size else {
            let pixels = match centre {
                true => decode_centre(path, image, self.max_pixels),
                false => decode_image(path, image, fit, self.max_pixels),
            };
            let pixels = pixels.map_err(|error| error.to_string())?;
            return Ok(Image::new(frame(&self.card), pixels));
        };
        let decoded = decode_own_size(path, image.channels, own_size, self.max_pixels);
        let decoded = decoded.map_err(|error| error.to_string())?;
        for chain in [evaluation].into_iter().chain(test_time) {
            let frame = decoded.frame();
            chain.check(frame).map_err(|fault| {
                format!(
                    "{}: its {frame} pixels do not fit the network's chain: {fault}",
                    path.display()
                )
            })?;
        }
        Ok(decoded)
    }
}

/// Images as they are decoded for a network.
fn frame(card: &Card) -> Frame {
    let data::Image { size: [height, width], channels } = card.image;
    Frame { height, width, channels }
}

/// Has `card` look at images through the views that were written on the command line.
fn test_time(text: &str, card: &mut Card) -> Result {
    // Any preset will do: only the views are looked at.
    let root = preset("plain", &[format!("augment.test-time={text}")]).map_err(wrong)?;
    let written = Augment::read(root.get("augment").unwrap_or(&root));
    let mut written = written.map_err(|found| wrong(Problems::located(found, &root)))?;
    // The card says how images come to the network's size; views may start from there.
    written.train.chain = card.chain();
    let augmentation =
        augment(&written, frame(card)).map_err(|found| wrong(Problems::located(found, &root)))?;
    card.own_size = augmentation.own_size;
    card.evaluation = augmentation.plan.evaluation;
    card.test_time = augmentation.plan.test_time;
    Ok(())
}

/// The chain that was written on the command line as `augment.train`.
pub(super) fn chain(text: &str, frame: Frame) -> Result<Chain> {
    // Any preset will do: only the chain is looked at.
    let root = preset("plain", &[format!("augment.train={text}")]).map_err(wrong)?;
    let wrong = |found| wrong(Problems::located(found, &root));
    let written = Augment::read(root.get("augment").unwrap_or(&root)).map_err(wrong)?;
    augment(&written, frame).map_err(wrong)?;
    Ok(written.train.chain)
}

/// What is wrong with what the command line says in the language of the file.
pub(super) fn wrong(problems: Problems) -> Error {
    Error::new(Exit::Wrong, problems.render(false))
}
