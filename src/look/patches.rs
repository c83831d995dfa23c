//! The patches of images that excite the channels of a layer most.
//!
//! Source of the picture: Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014.

use crate::augment::{Frame, Image};
use crate::charts::plate::{Group, Tile};
use crate::plan::model::{LayerPlan, ReceptiveField};

use super::pictures::colour;

/// Patches of a channel: three rows of three.
pub const PATCHES: usize = SIDE * SIDE;
const SIDE: usize = 3;

/// Pixels of a channel's nine patches on the plate, about.
const PIXELS: usize = 132;

/// Channels in a row.
const ACROSS: usize = 8;

/// What lies outside of the image.
const OUTSIDE: [u8; 3] = [233, 236, 240];

/// Where a channel has its largest number in an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    /// The number.
    pub value: f32,
    /// The image.
    pub image: u32,
    /// Row and column in the layer's maps.
    pub at: [usize; 2],
}

/// The highest peaks of each channel of a layer, at most one in an image.
#[derive(Clone, Debug)]
pub struct Peaks {
    width: usize,
    size: usize,
    of_channels: Vec<Vec<Peak>>,
}

impl Peaks {
    /// Of a layer with maps of this shape: channels, height and width.
    pub fn new([channels, height, width]: [usize; 3]) -> Peaks {
        Peaks { width, size: height * width, of_channels: vec![Vec::new(); channels] }
    }

    /// Looks at the maps of image number `image`. Of equal peaks the first one that was added stays.
    pub fn add(&mut self, image: u32, maps: &[f32]) {
        for (peaks, map) in self.of_channels.iter_mut().zip(maps.chunks(self.size.max(1))) {
            let highest = map.iter().enumerate().filter(|(_, value)| value.is_finite());
            let highest = highest.fold(None, |best: Option<(usize, f32)>, (place, value)| {
                best.filter(|(_, least)| least >= value).or(Some((place, *value)))
            });
            let Some((place, value)) = highest else { continue };
            let rank = peaks.partition_point(|peak| peak.value >= value);
            if rank < PATCHES {
                let at = [place / self.width, place % self.width];
                peaks.insert(rank, Peak { value, image, at });
                peaks.truncate(PATCHES);
            }
        }
    }

    /// The peaks of a channel, the highest first.
    pub fn of(&self, channel: usize) -> &[Peak] {
        &self.of_channels[channel]
    }
}

/// What position `at` of a layer with this receptive field sees of an image, by colours; all of it where there is no
/// field, or one that is as large.
pub fn patch(image: &Image, field: Option<[ReceptiveField; 2]>, at: [usize; 2]) -> Tile {
    let Frame { height, width, .. } = image.frame();
    let sides = [height, width];
    let fields = field.filter(|field| field[0].size < height || field[1].size < width);
    let Some(fields) = fields else { return super::pictures::plain(image) };
    let starts = [0, 1].map(|axis| match fields[axis].size < sides[axis] {
        true => fields[axis].start(at[axis]),
        false => 0,
    });
    let sizes = [0, 1].map(|axis| fields[axis].size.min(sides[axis]));
    Tile::of(sizes, |y, x| {
        let place = [starts[0] + y as i64, starts[1] + x as i64];
        match place.map(usize::try_from) {
            [Ok(y), Ok(x)] if y < height && x < width => colour(image, y, x),
            _ => OUTSIDE,
        }
    })
}

/// Patches of one channel as one picture, three in a row.
pub fn mosaic(patches: &[Tile]) -> Tile {
    let sides = |side: &dyn Fn(&Tile) -> usize| patches.iter().map(side).max().unwrap_or(1);
    let [height, width] = [sides(&|tile| tile.height), sides(&|tile| tile.width)];
    // Lines that can be seen between large patches.
    let line = 1 + height.max(width) / 40;
    let all = |side: usize| SIDE * side + (SIDE - 1) * line;
    Tile::of([all(height), all(width)], |y, x| {
        let [(row, y), (column, x)] =
            [(y / (height + line), y % (height + line)), (x / (width + line), x % (width + line))];
        let found =
            patches.get(row * SIDE + column).filter(|tile| y < tile.height && x < tile.width);
        found.map_or([255; 3], |tile| {
            let from = (y * tile.width + x) * 3;
            std::array::from_fn(|c| tile.rgb[from + c])
        })
    })
}

/// The channels of a layer with their patches, as a part of a plate.
pub fn group(layer: &LayerPlan, field: Option<[ReceptiveField; 2]>, channels: Vec<Tile>) -> Group {
    let [count, ..] = layer.output[..] else { return Group::default() };
    let sees = match field {
        Some([rows, columns]) => {
            format!("a value of its maps sees {}×{} pixels", rows.size, columns.size)
        }
        None => "its maps see the whole image".to_owned(),
    };
    let shown = match channels.len() < count {
        true => format!("{} of {count} channels", channels.len()),
        false => format!("{count} channels"),
    };
    let group = Group {
        heading: format!("{}: {shown}; {sees}", layer.name),
        note: layer.summary(),
        side: PIXELS,
        ..Group::default()
    };
    group.in_rows(channels, ACROSS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_peak_of_each_image_counts_and_the_highest_come_first() {
        let mut peaks = Peaks::new([1, 1, 3]);
        for (image, maps) in
            [[0.0, 2.0, 1.0], [5.0, 4.0, f32::NAN], [2.0, 0.0, 2.0]].iter().enumerate()
        {
            peaks.add(image as u32, maps);
        }
        let found: Vec<(u32, [usize; 2])> =
            peaks.of(0).iter().map(|peak| (peak.image, peak.at)).collect();
        assert_eq!(found, [(1, [0, 0]), (0, [0, 1]), (2, [0, 0])]);
    }

    #[test]
    fn a_patch_is_what_the_window_sees_and_grey_outside_of_the_image() {
        let frame = Frame { height: 4, width: 4, channels: 1 };
        let image = Image::new(frame, (0..16).collect());
        let field = ReceptiveField { size: 3, jump: 2, first: -1 };
        let tile = patch(&image, Some([field; 2]), [0, 1]);
        let grey: Vec<u8> = tile.rgb.chunks(3).map(|pixel| pixel[0]).collect();
        assert_eq!(grey, [233, 233, 233, 1, 2, 3, 5, 6, 7]);
        let whole = ReceptiveField { size: 9, jump: 2, first: -4 };
        assert_eq!(patch(&image, Some([whole; 2]), [1, 1]).height, 4);
        assert_eq!(patch(&image, None, [0, 0]).width, 4);
    }

    #[test]
    fn nine_patches_are_one_picture() {
        let one = Tile::of([2, 2], |_, _| [9, 9, 9]);
        let tile = mosaic(&vec![one; 9]);
        assert_eq!((tile.height, tile.width), (8, 8));
        assert_eq!(tile.rgb.iter().filter(|level| **level == 9).count(), 9 * 4 * 3);
    }
}
