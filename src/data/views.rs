//! The images of a trial as its network sees them: augmented, normalised, in batches.

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::dataset::Dataset;
use super::epochs::{PIECE, TrialEpochs};
use super::error::Error;
use super::labels::Labels;
use super::normalise::{Normalisation, Table};
use super::sampling::Order;
use crate::augment::{Chain, Frame, Image};
use crate::basis::seed::{Stream, derive};
use crate::plan::Plan;
use crate::plan::augment::AugmentPlan;
use crate::plan::data::Fold;

/// Images that one task writes. The size of chunks is fixed; threads only share them out.
const CHUNK: usize = 16;

/// Images on their way to a network.
#[derive(Debug)]
pub struct Views {
    dataset: Arc<Dataset>,
    table: Table,
    plan: AugmentPlan,
    seed: u64,
    fold: Option<Fold>,
    frame: Frame,
    epochs: TrialEpochs,
}

/// A way to see an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Normalised, and nothing else.
    Plain,
    /// Through the training chain, with what chance decides in this epoch.
    Variant(u64),
    /// As validation and test images are.
    Evaluation,
    /// Through one of the test-time views.
    TestTime(usize),
}

/// Images and labels for one step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// [images, channels, height, width]
    pub pixels: Vec<f32>,
    /// Those of each image.
    pub labels: Labels,
    /// In a mixed batch: the labels of each image's partner, and the part that is the image's own.
    pub partners: Option<(Labels, f64)>,
    /// What a teacher says of each image, if there is one: its logits, [images, classes].
    pub taught: Option<Vec<f32>>,
}

impl Views {
    /// The views of a trial of `plan`.
    ///
    /// # Errors
    /// If images have sizes of their own, and one does not fit a step of a chain.
    pub fn new(
        dataset: Arc<Dataset>,
        normalisation: &Normalisation,
        plan: &Plan,
        epochs: TrialEpochs,
    ) -> Result<Views, Error> {
        let AugmentPlan { train, evaluation, test_time, .. } = &*plan.augment;
        dataset.check([train, evaluation].into_iter().chain(test_time))?;
        Ok(Views {
            dataset,
            table: normalisation.table(),
            plan: AugmentPlan::clone(&plan.augment),
            seed: plan.seed,
            fold: plan.data.fold,
            frame: Frame {
                channels: plan.model.input[0],
                height: plan.model.input[1],
                width: plan.model.input[2],
            },
            epochs,
        })
    }

    /// What augmentation costs this trial.
    pub fn epochs(&self) -> &TrialEpochs {
        &self.epochs
    }

    /// The images of an epoch that stand at `places` of its `order`, as batch number `batch`.
    ///
    /// Behind the last epoch with augmentation they are seen as validation images are.
    ///
    /// What is drawn for an image depends on the seed, the fold, the epoch and the image alone; how
    /// a batch is mixed, on the seed, the fold, the epoch and the batch.
    ///
    /// # Errors
    /// If an image cannot be decoded.
    pub fn training(
        &self,
        epoch: u64,
        order: &Order,
        places: Range<usize>,
        batch: usize,
    ) -> Result<Batch, Error> {
        let images = &order.images()[places.clone()];
        if !self.plan.is_on(epoch) {
            return self.evaluation(images);
        }
        let mut batch_of = self.labelled(images);
        if self.plan.train.is_empty() {
            self.write(images, &mut batch_of.pixels)?;
        } else {
            self.write_augmented(epoch, order, places, &mut batch_of.pixels)?;
        }
        let mut stream = mixing_stream(self.seed, self.fold, epoch, batch);
        let mixing = self.plan.mixing.as_ref();
        if let Some(mixed) = mixing.and_then(|m| m.draw(images.len(), self.frame, &mut stream)) {
            mixed.apply(&mut batch_of.pixels, self.frame);
            let partners = mixed.partners.iter().map(|place| *place as usize);
            batch_of.partners = Some((batch_of.labels.at(partners), mixed.own));
        }
        Ok(batch_of)
    }

    /// The pixels of `images` seen in one way, without a batch around them.
    ///
    /// # Shapes
    /// `[images, channels, height, width]`
    ///
    /// # Errors
    /// If an image cannot be decoded.
    pub fn pixels(&self, view: View, images: &[u32]) -> Result<Vec<f32>, Error> {
        match view {
            View::Plain => {
                let mut pixels = vec![0.0; images.len() * self.frame.bytes()];
                self.write(images, &mut pixels)?;
                Ok(pixels)
            }
            View::Variant(variant) => {
                let bytes = self.augment(variant, images, |_| 0)?;
                let mut pixels = vec![0.0; bytes.len()];
                let size = self.frame.bytes();
                pixels
                    .par_chunks_mut(size)
                    .zip(bytes.par_chunks(size))
                    .for_each(|(out, image)| self.table.write(image, out));
                Ok(pixels)
            }
            View::Evaluation => Ok(self.evaluation(images)?.pixels),
            View::TestTime(view) => Ok(self.test_view(images, view)?.pixels),
        }
    }

    /// How training images are seen in variant `variant` of them, counted from 1.
    pub fn variant(&self, variant: u64) -> View {
        if self.plan.train.is_empty() { View::Plain } else { View::Variant(variant) }
    }

    /// How validation and test images are seen.
    pub fn at_evaluation(&self) -> View {
        if self.plan.evaluation.is_empty() { View::Plain } else { View::Evaluation }
    }

    /// How training images are seen in epoch `epoch`, counted from 1, if nothing in it is left to chance.
    pub fn settled_in(&self, epoch: u64) -> Option<View> {
        if !self.plan.is_on(epoch) {
            return Some(self.at_evaluation());
        }
        (self.plan.train.is_empty() && self.plan.mixing.is_none()).then_some(View::Plain)
    }

    /// Whether whole batches are mixed.
    pub fn mixes(&self) -> bool {
        self.plan.mixing.is_some()
    }

    /// Equal for views in which the same image of the same data set has the same pixels.
    ///
    /// # Errors
    /// If an image cannot be decoded.
    pub fn identity(&self, view: View) -> Result<[u8; 32], Error> {
        let fold = fold_number(self.fold);
        let AugmentPlan { train, evaluation, test_time, boxes, .. } = &self.plan;
        let how = match view {
            View::Plain => "plain".to_owned(),
            View::Variant(variant) => {
                let drawn = (self.seed, fold, variant);
                serde_json::to_string(&("training", train, boxes, drawn)).expect("plain data")
            }
            View::Evaluation => {
                let what = ("evaluation", evaluation, boxes, self.seed);
                serde_json::to_string(&what).expect("plain data")
            }
            View::TestTime(index) => {
                let what = ("evaluation", &test_time[index], boxes, self.seed, index);
                serde_json::to_string(&what).expect("plain data")
            }
        };
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.dataset.fingerprint()?.as_bytes());
        hasher.update(self.table.identity().as_bytes());
        hasher.update(how.as_bytes());
        Ok(*hasher.finalize().as_bytes())
    }

    /// The data set.
    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// Validation or test `images`, with nothing left to chance.
    ///
    /// # Errors
    /// If one cannot be decoded.
    pub fn evaluation(&self, images: &[u32]) -> Result<Batch, Error> {
        self.seen_through(images, &self.plan.evaluation, 0)
    }

    /// The further views of test images that are looked at beside the plain one.
    pub fn test_time(&self) -> usize {
        self.plan.test_time.len()
    }

    /// View `view` of test `images`.
    ///
    /// # Errors
    /// If one cannot be decoded.
    pub fn test_view(&self, images: &[u32], view: usize) -> Result<Batch, Error> {
        self.seen_through(images, &self.plan.test_time[view], view as u64 + 1)
    }

    fn seen_through(&self, images: &[u32], chain: &Chain, view: u64) -> Result<Batch, Error> {
        let mut batch = self.labelled(images);
        if chain.is_empty() {
            self.write(images, &mut batch.pixels)?;
        } else {
            let purpose = "evaluation views";
            self.in_chunks(images, &mut batch.pixels, |image, index, out| {
                let mut boxes = Vec::from_iter(self.dataset.bbox(index));
                image.reset(self.dataset.frame(index), &self.dataset.image(index)?);
                let mut stream = derive(self.seed, purpose, &[view, u64::from(index)]);
                chain.apply(image, &mut boxes, self.plan.boxes, &mut stream, None);
                self.table.write(image.pixels(), out);
                Ok(())
            })?;
        }
        Ok(batch)
    }

    fn labelled(&self, images: &[u32]) -> Batch {
        Batch {
            pixels: vec![0.0; images.len() * self.frame.bytes()],
            labels: self.dataset.labels_at(images),
            partners: None,
            taught: None,
        }
    }

    fn write(&self, images: &[u32], into: &mut [f32]) -> Result<(), Error> {
        self.in_chunks(images, into, |_, index, out| {
            self.table.write(&self.dataset.image(index)?, out);
            Ok(())
        })
    }

    fn in_chunks(
        &self,
        images: &[u32],
        into: &mut [f32],
        write: impl Fn(&mut Image, u32, &mut [f32]) -> Result<(), Error> + Sync,
    ) -> Result<(), Error> {
        let bytes = self.frame.bytes();
        let fresh = || Image::new(self.frame, vec![0; bytes]);
        into.par_chunks_mut(CHUNK * bytes).zip(images.par_chunks(CHUNK)).try_for_each_init(
            fresh,
            |image, (out, images)| {
                let mut pairs = out.chunks_exact_mut(bytes).zip(images);
                pairs.try_for_each(|(out, index)| write(image, *index, out))
            },
        )
    }

    fn write_augmented(
        &self,
        epoch: u64,
        order: &Order,
        places: Range<usize>,
        into: &mut [f32],
    ) -> Result<(), Error> {
        let bytes = self.frame.bytes();
        let pieces = places.start / PIECE..places.end.div_ceil(PIECE);
        // Each piece with the part of the output that it fills.
        let mut rest = into;
        let mut tasks = Vec::new();
        for piece in pieces {
            let whole = piece * PIECE..((piece + 1) * PIECE).min(order.images().len());
            let part = whole.start.max(places.start)..whole.end.min(places.end);
            let (out, after) = std::mem::take(&mut rest).split_at_mut(part.len() * bytes);
            rest = after;
            tasks.push((piece, whole, part, out));
        }
        tasks.into_par_iter().try_for_each(|(piece, whole, part, out)| {
            let images = &order.images()[whole.clone()];
            let size = images.len() * bytes;
            let again = part.end < whole.end;
            let make = || self.augment(epoch, images, |place| order.repeat(whole.start + place));
            let pixels = self.epochs.piece(epoch, piece, images.len(), size, again, make)?;
            let from = (part.start - whole.start) * bytes;
            let pixels = pixels[from..].chunks_exact(bytes);
            for (out, image) in out.chunks_exact_mut(bytes).zip(pixels) {
                self.table.write(image, out);
            }
            Ok(())
        })
    }

    /// The pixels of `images` in epoch `epoch`; `repeat` says how often the one at a place has come before.
    fn augment(
        &self,
        epoch: u64,
        images: &[u32],
        repeat: impl Fn(usize) -> u32,
    ) -> Result<Vec<u8>, Error> {
        let mut pixels = Vec::with_capacity(images.len() * self.frame.bytes());
        let mut image = Image::new(self.frame, vec![0; self.frame.bytes()]);
        let mut boxes = Vec::new();
        for (place, index) in images.iter().enumerate() {
            image.reset(self.dataset.frame(*index), &self.dataset.image(*index)?);
            boxes.clear();
            boxes.extend(self.dataset.bbox(*index));
            let mut stream =
                augmentation_stream(self.seed, self.fold, epoch, *index, repeat(place));
            let AugmentPlan { train, boxes: rules, .. } = &self.plan;
            train.apply(&mut image, &mut boxes, *rules, &mut stream, None);
            pixels.extend_from_slice(image.pixels());
        }
        Ok(pixels)
    }
}

/// Everything that chance decides about image `image` in epoch `epoch` when it comes after so many times before.
pub fn augmentation_stream(
    seed: u64,
    fold: Option<Fold>,
    epoch: u64,
    image: u32,
    repeat: u32,
) -> Stream {
    let counters = [fold_number(fold), epoch, u64::from(image), u64::from(repeat)];
    let counters = if repeat == 0 { &counters[..3] } else { &counters };
    derive(seed, "augmentation", counters)
}

/// Everything that chance decides about the mixing of batch `batch` of epoch `epoch`.
pub fn mixing_stream(seed: u64, fold: Option<Fold>, epoch: u64, batch: usize) -> Stream {
    derive(seed, "mixing", &[fold_number(fold), epoch, batch as u64])
}

pub(super) fn fold_number(fold: Option<Fold>) -> u64 {
    fold.map_or(0, |fold| fold.index as u64 + 1)
}
