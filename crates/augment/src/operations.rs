//! The operations that policies of augmentation choose from, as torchvision does them with bytes:
//! the nearest pixel, and values cut to whole numbers.

use serde::{Deserialize, Serialize};

use super::boxes::BBox;
use super::bytes::truncated;
use super::image::{Frame, Image};
use super::lut::{Lut, look_up, look_up_channels};
use super::parameters::Fill;
use super::simd::vectorised;

/// An operation with its magnitude.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Nothing.
    Identity,
    /// Rows are shifted by so many columns per row.
    ShearX(f64),
    /// Columns are shifted by so many rows per column.
    ShearY(f64),
    /// Columns to the right; the fraction is dropped.
    TranslateX(f64),
    /// Rows downwards; the fraction is dropped.
    TranslateY(f64),
    /// Degrees counter-clockwise.
    Rotate(f64),
    /// Brighter (above 0) or darker by this part.
    Brightness(f64),
    /// More or less saturated by this part.
    Color(f64),
    /// More or less contrast by this part.
    Contrast(f64),
    /// Sharper or softer by this part.
    Sharpness(f64),
    /// So many bits are left.
    Posterize(u32),
    /// Values from here on are inverted.
    Solarize(f64),
    /// From the darkest to the brightest value of each channel to 0..=255.
    AutoContrast,
    /// The histogram of each channel made flat.
    Equalize,
    /// Every value as far from white as it was from black.
    Invert,
}

/// Where the pixel of a place comes from: rows of a matrix that takes (x, y, 1), with the middle of
/// the image as origin.
type Inverse = [[f64; 3]; 2];

impl Operation {
    /// Does it; `fill` stands where nothing comes from.
    pub(super) fn apply(self, fill: Fill, image: &mut Image) {
        match self {
            Operation::Identity => {}
            Operation::ShearX(_)
            | Operation::ShearY(_)
            | Operation::TranslateX(_)
            | Operation::TranslateY(_)
            | Operation::Rotate(_) => {
                if let Some(inverse) = self.inverse(image.frame()) {
                    move_pixels(&inverse, fill, image);
                }
            }
            Operation::Brightness(more) => look_up(image, &blend_table(more, 0.0)),
            Operation::Contrast(more) => {
                let mean = mean_gray(image);
                look_up(image, &blend_table(more, mean));
            }
            Operation::Color(more) => saturate(more, image),
            Operation::Sharpness(more) => sharpen(more, image),
            Operation::Posterize(bits) => {
                let mask = (0xff00_u32 >> bits.min(8)) as u8;
                image.pixels_mut().iter_mut().for_each(|value| *value &= mask);
            }
            Operation::Solarize(threshold) => {
                let threshold = threshold.ceil().clamp(0.0, 256.0) as u16;
                for value in image.pixels_mut() {
                    *value = if u16::from(*value) >= threshold { !*value } else { *value };
                }
            }
            Operation::AutoContrast => per_channel(image, auto_contrast_table),
            Operation::Equalize => per_channel(image, equalize_table),
            Operation::Invert => image.pixels_mut().iter_mut().for_each(|value| *value = !*value),
        }
    }

    /// Moves boxes of an image of `frame`.
    pub(super) fn boxes(self, frame: Frame, boxes: &mut [BBox]) {
        let Some([[a, b, c], [d, e, f]]) = self.inverse(frame) else { return };
        let (middle_x, middle_y) = (frame.width as f64 / 2.0, frame.height as f64 / 2.0);
        let determinant = a * e - b * d;
        for bbox in boxes {
            *bbox = bbox.moved(|x, y| {
                let (x, y) = (x - middle_x - c, y - middle_y - f);
                let moved_x = (e * x - b * y) / determinant;
                let moved_y = (a * y - d * x) / determinant;
                (moved_x + middle_x, moved_y + middle_y)
            });
        }
    }

    /// Of operations that move pixels.
    fn inverse(self, frame: Frame) -> Option<Inverse> {
        let (width, height) = (frame.width as f64, frame.height as f64);
        Some(match self {
            // The upper left corner stays.
            Operation::ShearX(shear) => [[1.0, shear, shear * height / 2.0], [0.0, 1.0, 0.0]],
            Operation::ShearY(shear) => [[1.0, 0.0, 0.0], [shear, 1.0, shear * width / 2.0]],
            Operation::TranslateX(columns) => [[1.0, 0.0, -columns.trunc()], [0.0, 1.0, 0.0]],
            Operation::TranslateY(rows) => [[1.0, 0.0, 0.0], [0.0, 1.0, -rows.trunc()]],
            Operation::Rotate(degrees) => {
                let (sin, cos) = libm::sincos(degrees.to_radians());
                [[cos, -sin, 0.0], [sin, cos, 0.0]]
            }
            _ => return None,
        })
    }
}

/// Puts at each place the pixel that is nearest to where it comes from.
fn move_pixels(inverse: &Inverse, fill: Fill, image: &mut Image) {
    let frame = image.frame();
    let Frame { height, width, channels } = frame;
    fn copy<const C: usize>(fill: [u8; C], sources: &[Option<usize>], old: &[u8], new: &mut [u8]) {
        let (old, _) = old.as_chunks::<C>();
        let (new, _) = new.as_chunks_mut::<C>();
        for (new, source) in new.iter_mut().zip(sources) {
            *new = source.and_then(|source| old.get(source)).copied().unwrap_or(fill);
        }
    }
    // From the middle of the image to the middle of its first pixel, and in 32 bits as torchvision.
    let (left, up) = (0.5 - width as f32 / 2.0, 0.5 - height as f32 / 2.0);
    let [[a, b, c], [d, e, f]] = inverse.map(|row| row.map(|number| number as f32));
    let colour = fill.channels();
    let mut sources = vec![None; width];
    image.rewrite(frame, |old, new| {
        for (row, new) in new.chunks_exact_mut(width * channels).enumerate() {
            let y = row as f32 + up;
            for (column, source) in sources.iter_mut().enumerate() {
                let x = column as f32 + left;
                let from_x = (a * x + b * y + c - left).round_ties_even() as i32;
                let from_y = (d * x + e * y + f - up).round_ties_even() as i32;
                let inside =
                    (0..width as i32).contains(&from_x) && (0..height as i32).contains(&from_y);
                *source = inside.then(|| from_y as usize * width + from_x as usize);
            }
            match channels {
                1 => copy::<1>([colour[0]], &sources, old, new),
                _ => copy::<3>(colour, &sources, old, new),
            }
        }
    });
}

/// A value away from `other` by the part `more`: towards it below 0.
#[inline(always)]
fn blend(value: f32, other: f32, more: f32) -> u8 {
    truncated((1.0 + more) * value + -more * other)
}

fn blend_table(more: f64, other: f64) -> Lut {
    std::array::from_fn(|value| blend(value as f32, other as f32, more as f32))
}

/// Luma, cut to a whole number.
#[inline(always)]
fn gray([r, g, b]: [u8; 3]) -> f32 {
    (0.2989 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b)).floor()
}

fn mean_gray(image: &Image) -> f64 {
    let pixels = image.pixels();
    let sum: u64 = if image.frame().channels == 3 {
        let (pixels, _) = pixels.as_chunks::<3>();
        vectorised(
            #[inline(always)]
            || pixels.iter().map(|pixel| gray(*pixel) as u64).sum(),
        )
    } else {
        vectorised(
            #[inline(always)]
            || pixels.iter().map(|value| u64::from(*value)).sum(),
        )
    };
    sum as f64 / (image.frame().height * image.frame().width) as f64
}

fn saturate(more: f64, image: &mut Image) {
    if image.frame().channels == 1 {
        return;
    }
    let (pixels, _) = image.pixels_mut().as_chunks_mut::<3>();
    let more = more as f32;
    vectorised(
        #[inline(always)]
        || {
            for pixel in pixels {
                let gray = gray(*pixel);
                *pixel = pixel.map(|value| blend(f32::from(value), gray, more));
            }
        },
    );
}

/// Blends with a blurred image (3×3, the middle counts five times); the outermost pixels stay.
fn sharpen(more: f64, image: &mut Image) {
    let frame = image.frame();
    let Frame { height, width, channels } = frame;
    if height <= 2 || width <= 2 {
        return;
    }
    let row_bytes = width * channels;
    let more = more as f32;
    image.rewrite(frame, |old, new| {
        new.copy_from_slice(old);
        vectorised(
            #[inline(always)]
            || {
                for row in 1..height - 1 {
                    let near =
                        [row - 1, row, row + 1].map(|row| &old[row * row_bytes..][..row_bytes]);
                    let [above, here, below] = near;
                    let inner = &mut new[row * row_bytes + channels..][..row_bytes - 2 * channels];
                    for (at, value) in inner.iter_mut().enumerate() {
                        let three = |row: &[u8]| {
                            let [left, right] = [row[at], row[at + 2 * channels]].map(u32::from);
                            left + u32::from(row[at + channels]) + right
                        };
                        let middle = u32::from(here[at + channels]);
                        let sum = three(above) + three(here) + three(below) + 4 * middle;
                        // Rounded: sums of thirteenths are never halves.
                        let blurred = ((2 * sum + 13) / 26) as f32;
                        *value = blend(middle as f32, blurred, more);
                    }
                }
            },
        );
    });
}

/// Puts each channel through the table of its histogram.
fn per_channel(image: &mut Image, table: fn(&[u32; 256]) -> Lut) {
    let mut histograms = [[0; 256]; 3];
    match image.frame().channels {
        1 => {
            for value in image.pixels() {
                histograms[0][usize::from(*value)] += 1;
            }
            look_up(image, &table(&histograms[0]));
        }
        _ => {
            let (pixels, _) = image.pixels().as_chunks::<3>();
            for [r, g, b] in pixels {
                histograms[0][usize::from(*r)] += 1;
                histograms[1][usize::from(*g)] += 1;
                histograms[2][usize::from(*b)] += 1;
            }
            look_up_channels(image, &histograms.map(|histogram| table(&histogram)));
        }
    }
}

fn auto_contrast_table(histogram: &[u32; 256]) -> Lut {
    let least = histogram.iter().position(|count| *count > 0).unwrap_or(0) as f32;
    let most = histogram.iter().rposition(|count| *count > 0).unwrap_or(255) as f32;
    // A channel of one value stays.
    let (least, scale) = if most > least { (least, 255.0 / (most - least)) } else { (0.0, 1.0) };
    std::array::from_fn(|value| truncated((value as f32 - least) * scale))
}

fn equalize_table(histogram: &[u32; 256]) -> Lut {
    let all: u32 = histogram.iter().sum();
    let brightest = histogram.iter().rfind(|count| **count > 0).copied().unwrap_or(0);
    let step = (all - brightest) / 255;
    if step == 0 {
        return std::array::from_fn(|value| value as u8);
    }
    let mut below = 0;
    histogram.map(|count| {
        let level = (below + step / 2) / step;
        below += count;
        level.min(255) as u8
    })
}
