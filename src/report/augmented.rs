//! Training images as training sees them: each in some epoch, and mixed with each other.

use std::sync::Arc;

use serde_json::Value;

use crate::augment::{Applied, BBox, Image, Mixing};
use crate::data::{Dataset, Error, augmentation_stream, mixing_stream};
use crate::plan::Plan;

use super::sheet::Picture;

/// The images of a trial.
pub struct Augmented<'a> {
    /// What the trial does with them.
    pub plan: &'a Plan,
    /// The images.
    pub dataset: Arc<Dataset>,
}

/// An image as it is in some epoch.
pub struct Variant {
    /// Its pixels.
    pub image: Image,
    /// Its boxes.
    pub boxes: Vec<BBox>,
    /// What was done.
    pub applied: Vec<Applied>,
}

impl Augmented<'_> {
    /// `count` of the images `train`, from one class after the other.
    pub fn some_of_each_class(&self, train: &[u32], count: usize) -> Vec<u32> {
        let classes = self.dataset.classes().len();
        let mut by_class = vec![Vec::new(); classes];
        for image in train {
            // Of several labels the first one counts, and images without one are of the first class.
            let label = self.dataset.labels_of(*image).first().copied().unwrap_or(0);
            by_class[label as usize].push(*image);
        }
        let most = by_class.iter().map(Vec::len).max().unwrap_or(0);
        let rounds = (0..most)
            .flat_map(|round| by_class.iter().filter_map(move |images| images.get(round)).copied());
        rounds.take(count).collect()
    }

    /// The image as the data set has it.
    ///
    /// # Errors
    /// If it cannot be decoded.
    pub fn original(&self, image: u32) -> Result<Variant, Error> {
        let pixels = self.dataset.image(image)?.into_owned();
        Ok(Variant {
            image: Image::new(self.dataset.frame(image), pixels),
            boxes: Vec::from_iter(self.dataset.bbox(image)),
            applied: Vec::new(),
        })
    }

    /// Exactly what training sees of `image` in epoch `epoch`.
    ///
    /// # Errors
    /// If it cannot be decoded.
    pub fn variant(&self, image: u32, epoch: u64) -> Result<Variant, Error> {
        let plan = self.plan;
        let mut variant = self.original(image)?;
        let mut stream = augmentation_stream(plan.seed, plan.data.fold, epoch, image, 0);
        plan.augment.train.apply(
            &mut variant.image,
            &mut variant.boxes,
            plan.augment.boxes,
            &mut stream,
            Some(&mut variant.applied),
        );
        Ok(variant)
    }

    /// The image as the data set has it, with its class.
    ///
    /// # Errors
    /// If it cannot be decoded.
    pub fn original_picture(&self, image: u32) -> Result<Picture, Error> {
        let Variant { image: pixels, boxes, .. } = self.original(image)?;
        let words = vec![self.dataset.label_names(image)];
        Ok(Picture { image: pixels, boxes, words })
    }

    /// The images `chosen` in epoch `epoch`, with what was done to each in words. Where batches are mixed,
    /// they are mixed with each other.
    ///
    /// # Errors
    /// If one cannot be decoded.
    pub fn epoch(&self, chosen: &[u32], epoch: u64) -> Result<Vec<Picture>, Error> {
        let picture = |image: &u32| {
            let Variant { image, boxes, applied } = self.variant(*image, epoch)?;
            let words = match &applied[..] {
                [] => vec!["as it was".to_owned()],
                applied => applied.iter().map(in_words).collect(),
            };
            Ok(Picture { image, boxes, words })
        };
        let mut column = chosen.iter().map(picture).collect::<Result<Vec<_>, Error>>()?;
        if let Some(mixing) = &self.plan.augment.mixing {
            self.mix(mixing, epoch, &mut column);
        }
        Ok(column)
    }

    /// Mixes the pictures of a column with each other, as training mixes those of a batch.
    fn mix(&self, mixing: &Mixing, epoch: u64, column: &mut [Picture]) {
        let Some(frame) = column.first().map(|picture| picture.image.frame()) else { return };
        let plan = self.plan;
        let mut stream = mixing_stream(plan.seed, plan.data.fold, epoch, 0);
        let Some(mixed) = mixing.draw(column.len(), frame, &mut stream) else { return };
        let area = frame.height * frame.width;
        let mut pixels = vec![0.0; column.len() * frame.bytes()];
        for (picture, planes) in column.iter().zip(pixels.chunks_mut(frame.bytes())) {
            for (place, value) in picture.image.pixels().iter().enumerate() {
                planes[place % frame.channels * area + place / frame.channels] = f32::from(*value);
            }
        }
        mixed.apply(&mut pixels, frame);
        let kind = if mixed.window.is_some() { "cutmix" } else { "mixup" };
        for (row, (picture, planes)) in
            column.iter_mut().zip(pixels.chunks(frame.bytes())).enumerate()
        {
            for (place, value) in picture.image.pixels_mut().iter_mut().enumerate() {
                let from = planes[place % frame.channels * area + place / frame.channels];
                *value = from.round_ties_even() as u8;
            }
            let partner = mixed.partners[row] + 1;
            picture.words.push(format!("{kind} own {:.2} with image {partner}", mixed.own));
        }
    }
}

/// `rotate angle -12.3`; keys of random streams and long lists say nothing to people.
pub fn in_words((kind, drawn): &Applied) -> String {
    let mut words = vec![(*kind).to_owned()];
    let mut say = |key: &str, value: &Value| {
        if key != "key" && !key.ends_with("_key") {
            words.extend(short(value).map(|value| format!("{key} {value}").trim().to_owned()));
        }
    };
    match drawn {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| say(key, value)),
        other => say("", other),
    }
    words.join(" ")
}

/// Numbers with up to three digits behind the point, short lists of them, names.
fn short(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) if number.is_f64() => {
            // No zero has a sign.
            let text = format!("{:.3}", (number.as_f64()? * 1000.0).round() / 1000.0 + 0.0);
            Some(text.trim_end_matches('0').trim_end_matches('.').to_owned())
        }
        Value::Number(number) => Some(number.to_string()),
        Value::String(name) => Some(name.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Array(items) if items.len() <= 4 => {
            Some(items.iter().filter_map(short).collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => Some(format!("{} of them", items.len())),
        Value::Object(fields) => {
            let inner =
                fields.iter().filter_map(|(key, value)| Some(format!("{key} {}", short(value)?)));
            Some(inner.collect::<Vec<_>>().join(" "))
        }
        Value::Null => None,
    }
}
