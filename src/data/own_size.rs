//! Images that keep their own sizes until transforms bring them to one.

use super::decode::Picture;
use crate::augment::{BBox, Image};
use crate::basis::seed::derive;
use crate::plan::data::OwnSize;

/// What becomes of `picture` and the box in it as it is read, with so many channels; or why it cannot be.
pub(super) fn arrive(
    picture: Picture,
    bbox: Option<BBox>,
    channels: usize,
    how: &OwnSize,
) -> Result<(Image, Option<BBox>), String> {
    let picture = picture.with_channels(channels);
    let frame = picture.frame();
    how.chain
        .check(frame)
        .map_err(|fault| format!("its {frame} pixels do not fit [augment]: {fault}"))?;
    let mut image = Image::new(frame, picture.pixels.into_owned());
    let mut boxes = Vec::from_iter(bbox);
    // The steps leave nothing to chance.
    let mut nothing = derive(0, "images of their own sizes", &[]);
    how.chain.apply(&mut image, &mut boxes, how.boxes, &mut nothing, None);
    Ok((image, boxes.first().copied()))
}
