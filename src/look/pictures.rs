//! Images as pictures of a plate, plain or with a map of heat over them.

use crate::augment::{Frame, Image};
use crate::charts::plate::Tile;
use crate::charts::scale::heat;

/// The image as it is.
pub fn plain(image: &Image) -> Tile {
    let Frame { height, width, .. } = image.frame();
    Tile::of([height, width], |y, x| colour(image, y, x))
}

/// The image in grey under a map of as many numbers from 0 to 1, half of each.
pub fn heated(image: &Image, map: &[f32]) -> Tile {
    let Frame { height, width, .. } = image.frame();
    Tile::of([height, width], |y, x| {
        let grey = u32::from(grey(colour(image, y, x)));
        let heat = heat(map.get(y * width + x).copied().unwrap_or(0.0));
        heat.map(|level| ((grey + u32::from(level)) / 2) as u8)
    })
}

/// The colour of a pixel, of grey images too.
pub fn colour(image: &Image, y: usize, x: usize) -> [u8; 3] {
    let Frame { width, channels, .. } = image.frame();
    let pixel = &image.pixels()[(y * width + x) * channels..][..channels];
    std::array::from_fn(|c| pixel[c.min(channels - 1)])
}

/// Its lightness (ITU-R BT.601).
fn grey([r, g, b]: [u8; 3]) -> u8 {
    ((299 * u32::from(r) + 587 * u32::from(g) + 114 * u32::from(b) + 500) / 1000) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heat_lies_half_over_grey() {
        let frame = Frame { height: 1, width: 2, channels: 3 };
        let image = Image::new(frame, vec![255, 0, 0, 255, 255, 255]);
        let tile = heated(&image, &[0.0, 1.0]);
        assert_eq!(tile.rgb, [38, 38, 40, 253, 255, 209]);
        assert_eq!(plain(&image).rgb, image.pixels());
    }
}
