//! What a network makes of a set of labelled images.

use rayon::prelude::*;

use crate::augment::Image;
use crate::basis::number::number;
use crate::charts::Chart;
use crate::charts::embedding::{Point, embedding};
use crate::look::maps::Strengths;
use crate::look::patches::Peaks;
use crate::measures::PrincipalComponents;
use crate::plan::model::LayerKind;
use crate::train::card::Card;
use crate::train::said::{Said, is_mistake, seen, surest};

use super::super::error::{Error, Result};
use super::super::labelled::Labelled;
use super::super::trained::{BATCH, Ready};
use super::{Shown, Sight};

/// So many images are looked at: more change little in the pictures.
const MOST_IMAGES: usize = 2000;

/// Of mistakes, and of images that are right, so many are shown.
const OF_EACH: usize = 4;

/// Numbers that a batch may have at the layers that are looked at.
const MOST_NUMBERS: usize = 1 << 25;

/// What a network makes of labelled images.
pub(super) struct Survey {
    labelled: Labelled,
    /// Those that were looked at.
    images: Vec<u32>,
    /// `[images, classes]`.
    logits: Vec<f32>,
    /// What the last layer with weights sees of each image.
    features: Vec<f32>,
    /// For each layer that is looked at.
    pub(super) peaks: Vec<Peaks>,
    /// For each layer that is looked at.
    pub(super) strengths: Vec<Strengths>,
}

impl Survey {
    /// Looks at images with the layers of these numbers.
    pub(super) fn of(ready: &mut Ready, layers: &[usize], labelled: Labelled) -> Result<Survey> {
        let card = ready.card.clone();
        labelled.dataset.check([&card.evaluation]).map_err(Error::wrong)?;
        let count = labelled.images.len().min(MOST_IMAGES);
        // From the first to the last one, as sources often have one class behind the other.
        let spread = |at: usize| labelled.images[at * labelled.images.len() / count.max(1)];
        let images: Vec<u32> = (0..count).map(spread).collect();
        let model = &card.model;
        let shape = |place: usize| <[usize; 3]>::try_from(&model.layers[place - 1].output[..]);
        let shapes: Vec<[usize; 3]> =
            layers.iter().filter_map(|place| shape(*place).ok()).collect();
        let mut peaks: Vec<Peaks> = shapes.iter().map(|shape| Peaks::new(*shape)).collect();
        let mut strengths: Vec<Strengths> =
            shapes.iter().map(|shape| Strengths::new(shape[0])).collect();
        let last = model.layers.len();
        let (before, grid) = penultimate(&card);
        let wanted: Vec<(usize, Option<[usize; 2]>)> = layers
            .iter()
            .map(|place| (*place, None))
            .chain([(before, grid), (last, None)])
            .collect();
        let numbers: usize = shapes.iter().map(|shape| shape.iter().product::<usize>()).sum();
        let batch = (MOST_NUMBERS / numbers.max(1)).clamp(1, BATCH);
        let (mut logits, mut features) = (Vec::new(), Vec::new());
        for images in images.chunks(batch) {
            let views = images.par_iter().map(|image| view_of(&labelled, &card, *image));
            let views = views.collect::<Result<Vec<Image>>>()?;
            let pixels = ready.batch(&views)?;
            let mut found = ready.network().features_at(&pixels, &wanted)?;
            logits.extend(found.pop().unwrap_or_default());
            features.extend(found.pop().unwrap_or_default());
            for ((maps, peaks), strengths) in found.iter().zip(&mut peaks).zip(&mut strengths) {
                let size = (maps.len() / images.len().max(1)).max(1);
                for (image, maps) in images.iter().zip(maps.chunks(size)) {
                    peaks.add(*image, maps);
                    strengths.add(maps);
                }
            }
        }
        Ok(Survey { labelled, images, logits, features, peaks, strengths })
    }

    /// The image as the network sees it.
    pub(super) fn view(&self, card: &Card, image: u32) -> Result<Image> {
        view_of(&self.labelled, card, image)
    }

    /// Which images were looked at, in words.
    pub(super) fn which(&self) -> String {
        let all = self.labelled.images.len();
        let shown = match self.images.len() < all {
            true => {
                format!("{} of {} images", number(self.images.len() as u64), number(all as u64))
            }
            false => format!("{} images", number(all as u64)),
        };
        format!("{shown} of {}{}", self.labelled.dataset.origin(), self.labelled.which)
    }

    /// Some of the network's mistakes, the surest first, and the surest right one of some classes.
    pub(super) fn some(&self, sight: &Sight) -> Result<Vec<Shown>> {
        let card = &sight.ready.card;
        let dataset = &self.labelled.dataset;
        let [mistakes, right] = surest(card, dataset, &self.images, &self.logits, OF_EACH);
        // One of each kind after the other, so that the first sheets show both.
        let chosen = (0..OF_EACH).flat_map(|at| [right.get(at), mistakes.get(at)]).flatten();
        let shown = chosen.map(|at| {
            let image = self.images[*at];
            Ok(Shown {
                name: dataset.names()[image as usize].clone(),
                truth: Some(dataset.label_names(image)),
                view: self.view(card, image)?,
            })
        });
        shown.collect()
    }

    /// The images by their features, with the name of each class. None for images with several labels, and where
    /// features do not differ.
    pub(super) fn embedding(&self, card: &Card) -> Option<Chart> {
        let dataset = &self.labelled.dataset;
        if dataset.is_multi_label() {
            return None;
        }
        let width = self.features.len() / self.images.len().max(1);
        let found = PrincipalComponents::of(&self.features, width, 2)?;
        let point = |(at, image): (usize, &u32)| {
            let along = &found.coordinates[at];
            let said = Said::of(card, self.row(card, at));
            Point {
                at: [along[0], along.get(1).copied().unwrap_or(0.0)],
                class: dataset.label(*image) as usize,
                is_mistake: is_mistake(card, self.row(card, at), dataset, *image),
                title: format!(
                    "{}: {}, taken for {} ({:.1} %)",
                    dataset.names()[*image as usize],
                    dataset.label_names(*image),
                    card.classes[said.class],
                    100.0 * said.probability
                ),
            }
        };
        let points: Vec<Point> = self.images.iter().enumerate().map(point).collect();
        let share = |axis: usize| 100.0 * found.shares.get(axis).copied().unwrap_or(0.0);
        let axes = ["first", "second"].map(|axis| format!("{axis} principal component"));
        let axes: Vec<String> = axes
            .iter()
            .enumerate()
            .map(|(at, axis)| format!("{axis}, {:.0} % of the variance", share(at)))
            .collect();
        let title = format!(
            "{}; computed from the {} input features of the last layer",
            self.which(),
            number(width as u64)
        );
        Some(embedding("features", &title, [&axes[0], &axes[1]], dataset.classes(), &points))
    }

    fn row(&self, card: &Card, at: usize) -> &[f32] {
        let classes = card.classes.len();
        &self.logits[at * classes..][..classes]
    }
}

/// The image as the network sees it.
fn view_of(labelled: &Labelled, card: &Card, image: u32) -> Result<Image> {
    seen(card, &labelled.dataset, image).map_err(Error::wrong)
}

/// The number of the layer before the last one with weights, counted from 1, and how its maps become features.
fn penultimate(card: &Card) -> (usize, Option<[usize; 2]>) {
    let model = &card.model;
    let needed = model.needed(false);
    let has_weights = |index: &usize| {
        needed[*index]
            && matches!(model.layers[*index].kind, LayerKind::Conv(_) | LayerKind::Dense(_))
    };
    let last = (0..model.layers.len()).rev().find(has_weights).unwrap_or(0);
    let grid =
        (model.layers.get(last).is_some_and(|layer| layer.input.len() == 3)).then_some([1, 1]);
    let before = if model.layers.is_empty() { 0 } else { model.sources(last)[0] };
    (before, grid)
}
