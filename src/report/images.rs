//! Pictures inside the page: images of the data set, if they are the ones that trials were run on.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use image::imageops::thumbnail;
use image::{GrayImage, RgbImage};

use super::sheet::png;
use crate::analysis::Answers;
use crate::augment::Frame;
use crate::charts::plate::Tile;
use crate::data::{Cache, Dataset};
use crate::plan::Plan;
use crate::sweep::store::{Store, TrialStore};

/// The longer side of a picture in pixels, at most.
const SIDE: u32 = 64;

/// Sets of images that take more bytes than this are not loaded for a few pictures.
const MOST_BYTES: usize = 1 << 29;

/// The images of a trial; or why there are none.
pub(super) fn dataset(
    answers: &Answers,
    plan: &Plan,
    images: &Cache,
) -> Result<Arc<Dataset>, String> {
    let known = Store::of(&answers.root).images();
    let bytes = plan.data.image.size.iter().product::<usize>() * plan.data.image.channels;
    let most = known.iter().map(|(_, images)| images.images).max().unwrap_or(0);
    if most.saturating_mul(bytes) > MOST_BYTES {
        return Err("the data set is too large to load it for a few images".to_owned());
    }
    let dataset = images.get(&plan.data).map_err(|error| error.to_string())?;
    let fingerprint = dataset.fingerprint().map_err(|error| error.to_string())?;
    let is_known = known.iter().any(|(_, images)| images.fingerprint == fingerprint);
    if is_known {
        Ok(dataset)
    } else {
        Err("the images have changed since the trials ran".to_owned())
    }
}

/// The plan of the best setting's first trial, and its images; or why there are none.
pub(super) fn of_best(answers: &Answers, images: &Cache) -> Result<(Plan, Arc<Dataset>), String> {
    let trial = answers.best().and_then(|best| answers.completed(best).next());
    let trial = trial.ok_or("no trial was completed")?;
    let plan = TrialStore::at(answers.folder(trial)).plan().map_err(|error| error.to_string())?;
    let dataset = dataset(answers, &plan, images)?;
    Ok((plan, dataset))
}

/// The longer side of a picture of a plate.
const TILE_SIDE: u32 = 96;

/// A picture of a plate as a data URI.
pub(super) fn tile_uri(tile: &Tile) -> Option<String> {
    let frame = Frame { height: tile.height, width: tile.width, channels: 3 };
    let pixels = || tile.rgb.chunks_exact(3);
    if pixels().all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]) {
        let grey: Vec<u8> = pixels().map(|pixel| pixel[0]).collect();
        return uri(Frame { channels: 1, ..frame }, &grey, TILE_SIDE);
    }
    uri(frame, &tile.rgb, TILE_SIDE)
}

/// An image as a data URI.
pub(super) fn data_uri(frame: Frame, pixels: &[u8]) -> Option<String> {
    uri(frame, pixels, SIDE)
}

fn uri(frame: Frame, pixels: &[u8], side: u32) -> Option<String> {
    let [height, width] = [frame.height as u32, frame.width as u32];
    let longer = height.max(width);
    let bytes = if longer <= side {
        png(frame, pixels).ok()?
    } else {
        let [height, width] = [height, width].map(|length| (length * side / longer).max(1));
        let small = match frame.channels {
            1 => {
                let image =
                    GrayImage::from_raw(frame.width as u32, frame.height as u32, pixels.to_vec())?;
                thumbnail(&image, width, height).into_raw()
            }
            _ => {
                let image =
                    RgbImage::from_raw(frame.width as u32, frame.height as u32, pixels.to_vec())?;
                thumbnail(&image, width, height).into_raw()
            }
        };
        let [height, width] = [height, width].map(|side| side as usize);
        png(Frame { height, width, channels: frame.channels }, &small).ok()?
    };
    Some(format!("data:image/png;base64,{}", BASE64_STANDARD.encode(bytes)))
}
