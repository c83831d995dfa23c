//! Which sizes images have before they are brought to one, by the headers of some of them.

use std::io::Cursor;

use rayon::prelude::*;

use super::decode::{measure, measure_file};
use super::error::Error;
use super::listing::Images;
use super::source::list_classes;
use crate::augment::Frame;
use crate::plan::data::DataPlan;

/// Sizes of images as they are stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Sizes {
    /// How many images were looked at.
    pub looked_at: usize,
    /// The least and the greatest height, and the median.
    pub heights: [usize; 3],
    /// The same of widths.
    pub widths: [usize; 3],
    /// The same of width divided by height.
    pub ratios: [f64; 3],
}

/// The sizes of the images of the source of `plan`, of which at most `most` are looked at, evenly among all of
/// them; none if no header can be read.
pub fn sizes(plan: &DataPlan, most: usize) -> Result<Option<Sizes>, Error> {
    let listing = list_classes(&plan.source, plan)?;
    let picks = listing.picks(|_| true);
    // Where each image is reached through those before it, the first ones have to do.
    let step = match listing.images.is_sequential() {
        true => 1,
        false => picks.len().div_ceil(most.max(1)).max(1),
    };
    let picks: Vec<usize> = picks.into_iter().step_by(step).take(most.max(1)).collect();
    let frames: Vec<Frame> = match &listing.images {
        Images::Files(files) => picks
            .par_iter()
            .filter_map(|pick| measure_file(&files[*pick].path, plan.max_pixels).ok())
            .collect(),
        Images::Encoded(files) => picks
            .par_iter()
            .filter_map(|pick| {
                let bytes = files[*pick];
                measure(Cursor::new(bytes), bytes.len() as u64, plan.max_pixels).ok()
            })
            .collect(),
        Images::Inside(images) => picks
            .par_iter()
            .filter_map(|pick| {
                let bytes = images.read(*pick, plan.max_pixels).ok()?;
                measure(Cursor::new(&bytes), bytes.len() as u64, plan.max_pixels).ok()
            })
            .collect(),
        Images::Blocks(blocks) => {
            let frame = |pick: &usize| {
                let mut first = 0;
                let holds = |block: &&super::listing::Block| {
                    first += block.count;
                    *pick < first
                };
                let block = blocks.iter().find(holds)?;
                let (height, width, channels) = (block.height, block.width, block.channels);
                Some(Frame { height, width, channels })
            };
            picks.iter().filter_map(frame).collect()
        }
    };
    let mut heights: Vec<usize> = frames.iter().map(|frame| frame.height).collect();
    let mut widths: Vec<usize> = frames.iter().map(|frame| frame.width).collect();
    let ratio = |frame: &Frame| frame.width as f64 / frame.height as f64;
    let mut ratios: Vec<f64> = frames.iter().map(ratio).collect();
    heights.sort_unstable();
    widths.sort_unstable();
    ratios.sort_by(f64::total_cmp);
    let Some(last) = frames.len().checked_sub(1) else { return Ok(None) };
    let places = [0, last, last / 2];
    Ok(Some(Sizes {
        looked_at: frames.len(),
        heights: places.map(|place| heights[place]),
        widths: places.map(|place| widths[place]),
        ratios: places.map(|place| ratios[place]),
    }))
}
