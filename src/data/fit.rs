//! Brings a picture of any shape to the one size of the data: stretched, cropped or padded.
//!
//! Sizes, windows and room are rounded as in Albumentations 2.0.8: `SmallestMaxSize` and `CenterCrop`,
//! `LongestMaxSize` and `PadIfNeeded`.

use fast_image_resize::Resizer;

use super::decode::Picture;
use super::linear;
use super::resize::{stretch, stretch_part};
use crate::augment::{BBox, Frame};
use crate::plan::data::{CropSettings, Fit, Image, Interpolation, PadSettings};

/// Writes `picture`, brought to the size and channels of `image` as `how` says, into `out`.
///
/// # Shapes
/// `out`: [height, width, channels]
pub(super) fn fit(
    picture: Picture,
    image: &Image,
    how: &Fit,
    resizer: &mut Resizer,
    out: &mut [u8],
) {
    // Colour becomes gray before resizing, gray becomes colour after it: either way the resizing itself
    // works on as few channels as it can.
    let picture = if image.channels == 1 { picture.with_channels(1) } else { picture };
    if [picture.height, picture.width] == image.size {
        out.copy_from_slice(&picture.with_channels(image.channels).pixels);
        return;
    }
    let placed = Placed::of(how, [picture.height, picture.width], image.size);
    match how {
        Fit::Stretch => stretch(&picture, image, resizer, out),
        Fit::Crop(CropSettings { interpolation }) => {
            let cut = match interpolation {
                Interpolation::Linear => {
                    linear::resize(&picture, placed.scaled, placed.cut(), image.size)
                }
                Interpolation::Antialias => stretch_part(&picture, image.size, resizer),
            };
            write(&cut, picture.channels, image.size, image, [0, 0], out);
        }
        Fit::Pad(PadSettings { interpolation, fill }) => {
            let fill = &fill.channels()[..image.channels];
            out.chunks_exact_mut(fill.len()).for_each(|pixel| pixel.copy_from_slice(fill));
            let scaled = match interpolation {
                Interpolation::Linear => {
                    linear::resize(&picture, placed.scaled, [0, 0], placed.scaled)
                }
                Interpolation::Antialias => {
                    let [height, width] = placed.scaled;
                    let mut scaled = vec![0; height * width * picture.channels];
                    let image = Image { size: placed.scaled, channels: picture.channels };
                    stretch(&picture, &image, resizer, &mut scaled);
                    scaled
                }
            };
            write(&scaled, picture.channels, placed.scaled, image, placed.room(), out);
        }
    }
}

/// As [`fit`], with the box in the picture: where it is then, if a part of it is left.
pub(super) fn fit_with_box(
    picture: Picture,
    bbox: Option<BBox>,
    image: &Image,
    how: &Fit,
    resizer: &mut Resizer,
    out: &mut [u8],
) -> Option<BBox> {
    let size = [picture.height, picture.width];
    fit(picture, image, how, resizer, out);
    bbox.and_then(|bbox| fit_box(&bbox, size, image, how))
}

/// Where `bbox` of a picture of `size` lies once that is brought to the size of `image`; none if no part
/// of it is left.
fn fit_box(bbox: &BBox, size: [usize; 2], image: &Image, how: &Fit) -> Option<BBox> {
    let Placed { scaled, corner } = Placed::of(how, size, image.size);
    let [y_scale, x_scale] = [0, 1].map(|side| scaled[side] as f64 / size[side] as f64);
    let [top, left] = corner.map(|corner| corner as f64);
    let moved = bbox.moved(|x, y| (x * x_scale + left, y * y_scale + top));
    if how.is_stretch() {
        return Some(moved);
    }
    let [height, width] = image.size;
    let frame = Frame { height, width, channels: image.channels };
    Some(moved.clipped(frame)).filter(|bbox| bbox.area() > 0.0)
}

/// A scaled picture and the place of its upper left corner in the image that it becomes: beyond the edge
/// where it is cropped.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Placed {
    scaled: [usize; 2],
    corner: [isize; 2],
}

impl Placed {
    /// Of a picture of `size` in an image of size `to`.
    fn of(how: &Fit, size: [usize; 2], to: [usize; 2]) -> Placed {
        let scales = [0, 1].map(|side| to[side] as f64 / size[side] as f64);
        let scale = match how {
            Fit::Stretch => return Placed { scaled: to, corner: [0, 0] },
            Fit::Crop(_) => scales[0].max(scales[1]),
            Fit::Pad(_) => scales[0].min(scales[1]),
        };
        let scaled = size.map(|side| ((side as f64 * scale).round_ties_even() as usize).max(1));
        // Both ways the smaller half stands above and to the left.
        let corner = [0, 1].map(|side| match to[side].checked_sub(scaled[side]) {
            Some(room) => (room / 2) as isize,
            None => -(((scaled[side] - to[side]) / 2) as isize),
        });
        Placed { scaled, corner }
    }

    /// What is cut off above and to the left.
    fn cut(&self) -> [usize; 2] {
        self.corner.map(|corner| (-corner).max(0) as usize)
    }

    /// The room above and to the left.
    fn room(&self) -> [usize; 2] {
        self.corner.map(|corner| corner.max(0) as usize)
    }
}

/// Copies `pixels` of `size` into `out`, an image like `image`, at `corner`.
fn write(
    pixels: &[u8],
    channels: usize,
    size: [usize; 2],
    image: &Image,
    [top, left]: [usize; 2],
    out: &mut [u8],
) {
    let row_length = image.size[1] * image.channels;
    for (old, y) in pixels.chunks_exact(size[1] * channels).zip(top..) {
        let new = &mut out[y * row_length + left * image.channels..][..size[1] * image.channels];
        if channels == image.channels {
            new.copy_from_slice(old);
        } else {
            for (rgb, value) in new.chunks_exact_mut(3).zip(old) {
                rgb.fill(*value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_go_along_with_the_picture_and_what_is_cut_off_is_gone() {
        let image = Image { size: [40, 40], channels: 1 };
        let bbox =
            |[x_min, y_min, x_max, y_max]: [f64; 4]| BBox { x_min, y_min, x_max, y_max, label: 0 };
        let corners = |how: Fit, numbers| {
            let found = fit_box(&bbox(numbers), [60, 240], &image, &how);
            found.map(|it| [it.x_min, it.y_min, it.x_max, it.y_max])
        };
        let pad = Fit::Pad(PadSettings::default());
        let crop = Fit::Crop(CropSettings::default());
        assert_eq!(corners(pad, [0.0, 0.0, 240.0, 60.0]), Some([0.0, 15.0, 40.0, 25.0]));
        assert_eq!(corners(crop, [90.0, 0.0, 120.0, 30.0]), Some([0.0, 0.0, 20.0, 20.0]));
        assert_eq!(corners(crop, [60.0, 0.0, 120.0, 30.0]), Some([0.0, 0.0, 20.0, 20.0]));
        assert_eq!(corners(crop, [0.0, 0.0, 60.0, 60.0]), None);
        let stretched = corners(Fit::Stretch, [60.0, 0.0, 120.0, 30.0]);
        assert_eq!(stretched, Some([10.0, 0.0, 20.0, 20.0]));
    }

    #[test]
    fn a_line_of_pixels_is_cropped_and_padded_without_room_for_a_whole_line() {
        let pixels: Vec<u8> = (0..10_000_u32).map(|x| (x / 40) as u8).collect();
        let line = || Picture { height: 1, width: 10_000, channels: 1, pixels: (&pixels).into() };
        let image = Image { size: [224, 224], channels: 1 };
        let mut out = vec![0; 224 * 224];
        for interpolation in [Interpolation::Linear, Interpolation::Antialias] {
            let crop = Fit::Crop(CropSettings { interpolation });
            fit(line(), &image, &crop, &mut Resizer::new(), &mut out);
            assert!(out.iter().all(|value| value.abs_diff(124) <= 1), "{out:?}");
            let pad = Fit::Pad(PadSettings { interpolation, ..PadSettings::default() });
            fit(line(), &image, &pad, &mut Resizer::new(), &mut out);
            let rows: Vec<bool> =
                out.chunks(224).map(|row| row.iter().any(|value| *value > 0)).collect();
            assert_eq!(rows.iter().filter(|row| **row).count(), 1);
            assert!(rows[111]);
        }
    }
}
