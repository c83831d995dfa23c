//! The best trial's network with its images, for pictures of what it sees.

use std::sync::Arc;

use candle_core::Result as Candle;

use crate::analysis::Answers;
use crate::augment::Image;
use crate::basis::regular;
use crate::charts::plate::Tile;
use crate::data::{Cache, Dataset, Error, split};
use crate::look::filters::Filters;
use crate::look::saliency::{Method, heated};
use crate::model::network::{Network, Weights};
use crate::plan::Plan;
use crate::results::layout::BEST;
use crate::sweep::store::TrialStore;
use crate::train::card::Card;
use crate::train::checkpoint::Checkpoint;
use crate::train::said::{batch, seen};

use super::images::dataset;

/// Checkpoints that are larger are not read for a few pictures.
const MOST_BYTES: u64 = 300 << 20;

/// Multiplications that the page may take for looking at images: a few seconds on two cores.
const MOST_FLOPS: u64 = 20_000_000_000;

/// Images that are looked at, where these are few enough.
const MOST_IMAGES: usize = 256;

/// Numbers that all layers together may have for one batch.
const MOST_NUMBERS: usize = 1 << 24;

/// The network, and what its trial knows of images.
pub(super) struct Sight {
    /// The number of its trial.
    pub(super) trial: usize,
    pub(super) plan: Plan,
    pub(super) card: Card,
    pub(super) dataset: Arc<Dataset>,
    network: Network,
}

/// Images that were looked at.
pub(super) struct Survey {
    /// `validation` or `test`.
    pub(super) set: &'static str,
    /// How many images the set has.
    pub(super) all: usize,
    pub(super) images: Vec<u32>,
    /// `[images, classes]`.
    pub(super) logits: Vec<f32>,
}

impl Sight {
    /// The network of the best trial, and its images; or why there is none.
    pub(super) fn of_best(answers: &Answers, images: &Cache) -> Result<Sight, String> {
        let trial = answers.best_trial().ok_or("no trial was completed")?;
        let store = TrialStore::at(answers.folder(trial));
        let path = store.folder().join(BEST);
        let size = std::fs::metadata(&path).map_err(|_| "its checkpoint is not there")?.len();
        if size > MOST_BYTES {
            return Err("its checkpoint is too large to be read for a few pictures".to_owned());
        }
        let plan = store.plan().map_err(|_| "its plan cannot be read")?;
        let dataset = dataset(answers, &plan, images)?;
        store.vouch(BEST).map_err(|_| "its checkpoint is not the one that it ended with")?;
        let bytes = regular::read(&path).map_err(|_| "its checkpoint cannot be read")?;
        let checkpoint =
            Checkpoint::from_bytes(&bytes).map_err(|_| "its checkpoint cannot be read")?;
        let card = Card::of(&checkpoint).map_err(|_| "its checkpoint cannot be read")?;
        let fingerprint = dataset.fingerprint().map_err(|error| error.to_string())?;
        if fingerprint != card.images {
            return Err("the images are other ones than those that it was trained on".to_owned());
        }
        dataset.check([&card.evaluation]).map_err(|error| error.to_string())?;
        let missing =
            card.model.tensors().into_iter().find(|it| !checkpoint.tensors.contains_key(&it.0));
        if missing.is_some() {
            return Err("its checkpoint lacks some of its weights".to_owned());
        }
        let network = Network::starting_from(&card.model, 0, checkpoint.tensors);
        let network = network.map_err(|error| error.to_string())?;
        Ok(Sight { trial: trial.number, plan, card, dataset, network })
    }

    /// The first `most` filters of its first layer; none where that does not see pixels.
    pub(super) fn filters(&mut self, most: usize) -> Option<Filters> {
        let weights = self.weights()?;
        Filters::of(&self.card.model, &weights, most)
    }

    /// Its weights, without those of norms.
    pub(super) fn weights(&mut self) -> Option<Weights> {
        self.network.weights_called(|name| name.ends_with(".weight")).ok()
    }

    /// The layer whose saliency is shown, counted from 1: the last one with maps.
    pub(super) fn place(&self) -> Option<usize> {
        self.card.model.stages().last().copied()
    }

    /// How many images may be looked at.
    fn affordable(&self) -> usize {
        ((MOST_FLOPS / self.card.model.flops().max(1)) as usize).min(MOST_IMAGES)
    }

    /// How many images go through the network at once.
    fn batch(&self) -> usize {
        let numbers = |shape: &[usize]| shape.iter().product::<usize>();
        let all: usize = self.card.model.layers.iter().map(|layer| numbers(&layer.output)).sum();
        (MOST_NUMBERS / all.max(1)).clamp(1, 64)
    }

    /// What it says of its validation images, or of its test images where there are none.
    pub(super) fn survey(&mut self) -> Result<Survey, String> {
        let most = self.affordable();
        if most < 8 {
            return Err("the network is too large to look at images for a page".to_owned());
        }
        let split = split(&self.dataset, &self.plan.data, self.plan.seed);
        let split = split.map_err(|error| error.to_string())?;
        let (set, all) = match split.validation.is_empty() {
            true => ("test", split.test),
            false => ("validation", split.validation),
        };
        if all.is_empty() {
            return Err("its trial has kept no images for validation or testing".to_owned());
        }
        // From the first to the last one, as sources often have one class behind the other.
        let count = all.len().min(most);
        let images: Vec<u32> = (0..count).map(|at| all[at * all.len() / count]).collect();
        let mut logits = Vec::new();
        for images in images.chunks(self.batch()) {
            logits.extend(self.logits(images)?);
        }
        Ok(Survey { set, all: all.len(), images, logits })
    }

    fn views(&self, images: &[u32]) -> Result<Vec<Image>, String> {
        let view = |image: &u32| seen(&self.card, &self.dataset, *image);
        images
            .iter()
            .map(view)
            .collect::<Result<Vec<Image>, Error>>()
            .map_err(|error| error.to_string())
    }

    fn logits(&mut self, images: &[u32]) -> Result<Vec<f32>, String> {
        let views = self.views(images)?;
        let mut found = || -> Candle<Vec<f32>> {
            let last = self.card.model.layers.len();
            self.network.features(&batch(&self.card, &views)?, last)
        };
        found().map_err(|error| error.to_string())
    }

    /// Each image as the network sees it, and beside it where it looks for the class that stands there, by Grad-CAM.
    pub(super) fn saliency(
        &mut self,
        images: &[u32],
        classes: &[usize],
    ) -> Result<Vec<[Tile; 2]>, String> {
        let place = self.place().ok_or("no layer of it has maps")?;
        let [_, rows, columns] = self.card.model.layers[place - 1].output[..] else {
            return Err("no layer of it has maps".to_owned());
        };
        let mut tiles = Vec::new();
        let size = self.batch();
        for (images, classes) in images.chunks(size).zip(classes.chunks(size)) {
            let views = self.views(images)?;
            let mut found = || {
                let pixels = batch(&self.card, &views)?;
                self.network.sensitivity(&pixels, place, classes)
            };
            let found = found().map_err(|error| error.to_string())?;
            let each = found.outputs.len() / views.len().max(1);
            for (at, view) in views.iter().enumerate() {
                let maps = [&found.outputs, &found.gradients].map(|all| &all[at * each..][..each]);
                let map = heated(Method::GradCam, view, maps, [rows, columns]);
                tiles.push([crate::look::pictures::plain(view), map]);
            }
        }
        Ok(tiles)
    }

    /// How many mistakes may have saliency beside them.
    pub(super) fn affordable_maps(&self) -> usize {
        // Forward, and back through some of it.
        self.affordable() / 4
    }
}
