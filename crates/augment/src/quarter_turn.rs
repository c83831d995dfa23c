//! Rows become columns: what transposition and quarter turns have in common.

use super::image::{Frame, Image};
use super::transform::Fault;

/// The side of the tiles in which rows become columns, so that both stay in the cache.
const TILE: usize = 16;

/// Refuses images whose size would change with their orientation: images of one data set have one
/// size.
pub(super) fn square(key: &'static str, frame: Frame) -> Result<Frame, Fault> {
    if frame.height == frame.width {
        return Ok(frame);
    }
    let message = format!("{key} changes the size of {frame} images");
    Err(Fault::new(key, message, "needs square images")
        .help("crop or resize to a square before it, or use the flips instead"))
}

/// Puts at (row, column) of the new image, which is as wide as the old one is high, the pixel at
/// `from(row, column)` of the old one.
pub(super) fn turn(image: &mut Image, from: impl Fn(usize, usize) -> (usize, usize) + Copy) {
    let frame = image.frame();
    let turned = frame.sized(frame.width, frame.height);
    image.rewrite(turned, |old, new| match frame.channels {
        1 => tiles(old.as_chunks::<1>().0, new.as_chunks_mut().0, turned, from),
        _ => tiles(old.as_chunks::<3>().0, new.as_chunks_mut().0, turned, from),
    });
}

fn tiles<const C: usize>(
    old: &[[u8; C]],
    new: &mut [[u8; C]],
    turned: Frame,
    from: impl Fn(usize, usize) -> (usize, usize),
) {
    let Frame { height, width, .. } = turned;
    for top in (0..height).step_by(TILE) {
        for left in (0..width).step_by(TILE) {
            for row in top..(top + TILE).min(height) {
                let right = (left + TILE).min(width);
                for (column, pixel) in (left..right).zip(&mut new[row * width + left..]) {
                    let (old_row, old_column) = from(row, column);
                    *pixel = old[old_row * height + old_column];
                }
            }
        }
    }
}
