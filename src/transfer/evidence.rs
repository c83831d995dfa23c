//! What advice is made of: features of a pretrained network at several depths, measured on the new
//! images, beside what is there without any learning.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use crate::config::template::HEAD;
use crate::data::{Split, Views};
use crate::model::network::{Network, Weights};
use crate::plan::Plan;
use crate::plan::model::LayerKind::{Dropout, Flatten};
use crate::plan::model::{LayerPlan, ModelPlan};
use crate::plan::transfer::grid;

use super::advise::{Border, Depth, Evidence};
use super::extractor::IMAGES;
use crate::measures::{LabelledFeatures, Unmeasurable, measure, nearest_centroid, sample};

/// More images than these add to the time and little to the answer: accuracies are known to one part
/// in a hundred then.
const SAMPLE: usize = 1000;

/// More depths would tell no more.
const DEPTHS: usize = 10;

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The network could not be run.
    #[error("an operation failed: {0}")]
    Operation(#[from] candle_core::Error),
    /// An image cannot be decoded.
    #[error(transparent)]
    Images(#[from] crate::data::Error),
    /// Its features have no measure.
    #[error("the features behind {layer} cannot be measured: {cause}")]
    Unmeasurable {
        /// The layer, or the pixels.
        layer: String,
        /// Why.
        cause: Unmeasurable,
    },
}

/// Measures the network of `plan`, which keeps all of a pretrained one but its end, with the
/// pretrained `weights`, on the training images. It takes the threads of the current pool.
pub fn evidence(
    plan: &Plan,
    weights: &Weights,
    views: &Views,
    split: &Split,
    border: Border,
) -> Result<Evidence, EvidenceError> {
    let model = &plan.model;
    let images = &split.train;
    let dataset = views.dataset();
    let all: Vec<u32> = images.iter().map(|image| dataset.label(*image)).collect();
    let chosen = sample(&all, model.classes, SAMPLE, 0);
    let images: Vec<u32> = chosen.iter().map(|place| images[*place]).collect();
    let labels: Vec<u32> = chosen.iter().map(|place| all[*place]).collect();
    let places = depths(model);
    let mut network = Network::new(model, 0)?;
    let random = rows(&mut network, model, &places, views, &images)?;
    let mut network = Network::starting_from(model, 0, weights.clone())?;
    let pretrained = rows(&mut network, model, &places, views, &images)?;
    let layer = |place: usize| model.layers[place - 1].name.as_str();
    let labelled = |layer: &str, values| {
        LabelledFeatures::new(values, &labels, model.classes)
            .map_err(|cause| EvidenceError::Unmeasurable { layer: layer.to_owned(), cause })
    };
    // Of random weights the best depth counts, and centroids find it at hardly any cost.
    let mut at_random: Option<(f64, &str, &Vec<f32>)> = None;
    for (place, values) in places.iter().zip(&random[1..]) {
        let value = nearest_centroid(&labelled(layer(*place), values)?).value();
        if at_random.is_none_or(|(best, ..)| value >= best) {
            at_random = Some((value, layer(*place), values));
        }
    }
    let named: Vec<(&str, &Vec<f32>)> = std::iter::once(("the pixels", &pretrained[0]))
        .chain(at_random.map(|(_, layer, values)| (layer, values)))
        .chain(places.iter().map(|place| layer(*place)).zip(&pretrained[1..]))
        .collect();
    // Each with one thread, so that threads change nothing.
    let measured: Vec<Result<Depth, EvidenceError>> = named
        .par_iter()
        .map(|(layer, values)| {
            let measures = measure(&labelled(layer, values)?, 0);
            let measures = measures.map_err(|cause| EvidenceError::Unmeasurable {
                layer: (*layer).to_owned(),
                cause,
            })?;
            let width = values.len() / images.len().max(1);
            Ok(Depth { layer: (*layer).to_owned(), width, measures })
        })
        .collect();
    let mut measured = measured.into_iter().collect::<Result<Vec<Depth>, _>>()?;
    let depths = measured.split_off(1 + usize::from(at_random.is_some()));
    let random = measured.split_off(1);
    let pixels = measured.remove(0).measures;
    Ok(Evidence {
        images: split.train.len(),
        classes: model.classes,
        border,
        depths,
        pixels,
        random,
    })
}

/// How many leading layers of `model` are the pretrained network's: its head stands behind these.
pub fn kept_layers(model: &ModelPlan) -> usize {
    model.layers.iter().take_while(|layer| !layer.name.starts_with(HEAD)).count()
}

/// The depths to look at, as numbers of layers counted from 1: behind each layer with weights and
/// what follows it without any, but not inside of blocks.
fn depths(model: &ModelPlan) -> Vec<usize> {
    let kept = kept_layers(model);
    let weighted = |layer: &LayerPlan| layer.parameters() > 0;
    let mut places: Vec<usize> = Vec::new();
    for place in 1..=kept {
        // How maps become features is for a head to say, and so is dropout.
        let of_head = matches!(model.layers[place - 1].kind, Flatten {} | Dropout(_));
        if of_head || !model.is_neck(place) {
            continue;
        }
        let from = places.last().copied().unwrap_or(0);
        let adds_weights = model.layers[from..place].iter().any(weighted);
        match places.last_mut() {
            // Pooling behind a layer belongs to it.
            Some(before) if !adds_weights => *before = place,
            None if !adds_weights => {}
            _ => places.push(place),
        }
    }
    // A layer at which its block branches, such as the squeeze of a fire module.
    let inside = |pair: &[usize]| {
        let block =
            |index: usize| model.layers[index].name.rsplit_once('.').map(|(block, _)| block);
        let branches = !(pair[0] + 1..pair[1]).all(|place| model.is_neck(place));
        branches && block(pair[0] - 1).is_some() && block(pair[0] - 1) == block(pair[0])
    };
    let hidden: Vec<usize> =
        places.windows(2).filter(|pair| inside(pair)).map(|pair| pair[0]).collect();
    places.retain(|place| !hidden.contains(place));
    let count = places.len();
    if count > DEPTHS {
        // Evenly, and the last one always.
        let step = |index: usize| (index + 1) * count / DEPTHS - 1;
        places = (0..DEPTHS).map(|index| places[step(index)]).collect();
    }
    places
}

/// The pixels of `images`, and the features behind each of `places`, pooled as the default head does.
fn rows(
    network: &mut Network,
    model: &ModelPlan,
    places: &[usize],
    views: &Views,
    images: &[u32],
) -> Result<Vec<Vec<f32>>, EvidenceError> {
    let shape = |place: usize| match place {
        0 => &model.input,
        place => &model.layers[place - 1].output,
    };
    let wanted: Vec<(usize, Option<[usize; 2]>)> = std::iter::once(0)
        .chain(places.iter().copied())
        .map(|place| (place, grid(shape(place))))
        .collect();
    let mut all = vec![Vec::new(); wanted.len()];
    for chunk in images.chunks(IMAGES) {
        let pixels = views.pixels(views.at_evaluation(), chunk)?;
        let mut dims = vec![chunk.len()];
        dims.extend_from_slice(&model.input);
        let inputs = Tensor::from_vec(pixels, dims, &Device::Cpu)?;
        for (all, more) in all.iter_mut().zip(network.features_at(&inputs, &wanted)?) {
            all.extend(more);
        }
    }
    Ok(all)
}
