//! What a trained network says of images whose labels are known: its classes, its mistakes, and which images show both.

use candle_core::{Device, Result, Tensor};

use crate::augment::Image;
use crate::data::{Dataset, Error};
use crate::plan::data::Task;

use super::card::Card;
use super::metrics::sigmoid;

/// What a network says of an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Said {
    /// The most probable class; of equal ones the first.
    pub class: usize,
    /// Its probability.
    pub probability: f64,
}

impl Said {
    /// By the logits of one image.
    pub fn of(card: &Card, row: &[f32]) -> Said {
        let class =
            (0..row.len()).fold(0, |best, class| if row[class] > row[best] { class } else { best });
        let probability = probabilities(card, row).get(class).copied().unwrap_or(0.0);
        Said { class, probability }
    }
}

/// The probability of each class, by the logits of one image.
pub fn probabilities(card: &Card, row: &[f32]) -> Vec<f64> {
    match card.task {
        Task::SingleLabel => softmax(row),
        Task::MultiLabel => row.iter().map(|logit| f64::from(sigmoid(*logit))).collect(),
    }
}

/// The softmax of a row of logits.
pub fn softmax(row: &[f32]) -> Vec<f64> {
    let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = row.iter().map(|x| libm::exp(f64::from(x - highest))).collect();
    let total: f64 = powers.iter().sum();
    powers.iter().map(|power| power / total).collect()
}

/// Whether the network says something else of an image than its labels. Of classes that it does not know it cannot say
/// anything else.
pub fn is_mistake(card: &Card, row: &[f32], dataset: &Dataset, image: u32) -> bool {
    let has = |class: &String| {
        let labels = dataset.labels_of(image);
        labels.iter().any(|label| dataset.classes()[*label as usize] == *class)
    };
    if !dataset.is_multi_label() {
        let own = dataset.label_names(image);
        return card.classes.contains(&own) && card.classes[Said::of(card, row).class] != own;
    }
    let least = |class: usize| card.thresholds.get(class).copied().unwrap_or(0.5);
    let all = card.classes.iter().zip(probabilities(card, row)).enumerate();
    all.into_iter().any(|(at, (class, probability))| (probability >= least(at)) != has(class))
}

/// Places in `images` of the mistakes that the network is surest of, and of the surest right images, one of a class; at
/// most `most` of each. `logits` are `[images, classes]`.
pub fn surest(
    card: &Card,
    dataset: &Dataset,
    images: &[u32],
    logits: &[f32],
    most: usize,
) -> [Vec<usize>; 2] {
    let rows: Vec<&[f32]> = logits.chunks(card.classes.len().max(1)).collect();
    let mut sure: Vec<(usize, Said)> =
        rows.iter().map(|row| Said::of(card, row)).enumerate().collect();
    sure.sort_by(|a, b| b.1.probability.total_cmp(&a.1.probability).then(a.0.cmp(&b.0)));
    let mut classes = Vec::new();
    let [mut mistakes, mut right] = [const { Vec::new() }; 2];
    for (at, said) in sure {
        if is_mistake(card, rows[at], dataset, images[at]) {
            mistakes.push(at);
        } else if !classes.contains(&said.class) {
            classes.push(said.class);
            right.push(at);
        }
    }
    mistakes.truncate(most);
    right.truncate(most);
    [mistakes, right]
}

/// An image of `dataset` as the network of `card` sees it.
///
/// # Errors
/// If it cannot be decoded.
pub fn seen(card: &Card, dataset: &Dataset, image: u32) -> std::result::Result<Image, Error> {
    let pixels = dataset.image(image)?;
    Ok(card.plain_view(&Image::new(dataset.frame(image), pixels.into_owned())))
}

/// Images as the network of `card` takes them in: `[images, channels, height, width]`.
///
/// # Errors
/// If they have another shape than the network's input.
pub fn batch(card: &Card, views: &[Image]) -> Result<Tensor> {
    let input = &card.model.input;
    let table = card.normalisation().table();
    let bytes: usize = input.iter().product();
    let mut pixels = vec![0.0; views.len() * bytes];
    for (view, out) in views.iter().zip(pixels.chunks_mut(bytes)) {
        table.write(view.pixels(), out);
    }
    let shape: Vec<usize> = [views.len()].into_iter().chain(input.iter().copied()).collect();
    Tensor::from_vec(pixels, shape, &Device::Cpu)
}
