//! Stretches a picture, or a part of it, to a size.
//!
//! The filter is bilinear with antialiasing (its support grows with the reduction), which is what
//! torchvision's `Resize` and PIL's `BILINEAR` do. Unlike Lanczos it does not ring at sharp edges.
//! The arithmetic is in integers, so every machine gives the same bytes.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x3};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

use super::decode::Picture;
use crate::plan::data::Image;

/// Writes `picture`, which is gray if `image` is, into `out`; its aspect ratio is not kept.
///
/// # Shapes
/// `out`: [height, width, channels]
pub(super) fn stretch(picture: &Picture, image: &Image, resizer: &mut Resizer, out: &mut [u8]) {
    if picture.channels == image.channels {
        resize(picture, resizer, image.size, None, out);
        return;
    }
    let [height, width] = image.size;
    let mut gray = vec![0; height * width];
    resize(picture, resizer, image.size, None, &mut gray);
    for (rgb, value) in out.chunks_exact_mut(3).zip(gray) {
        rgb.fill(value);
    }
}

/// The largest part around the centre of `picture` that has the aspect ratio of `size`, at that size.
///
/// # Shapes
/// `size`: [height, width]; result: [height, width, the picture's channels]
pub(super) fn stretch_part(picture: &Picture, size: [usize; 2], resizer: &mut Resizer) -> Vec<u8> {
    let from = [picture.height as f64, picture.width as f64];
    let to = size.map(|side| side as f64);
    let scale = (to[0] / from[0]).max(to[1] / from[1]);
    let part = [0, 1].map(|side| (to[side] / scale).min(from[side]));
    let [top, left] = [0, 1].map(|side| (from[side] - part[side]) / 2.0);
    let mut out = vec![0; size[0] * size[1] * picture.channels];
    resize(picture, resizer, size, Some([left, top, part[1], part[0]]), &mut out);
    out
}

fn resize(
    picture: &Picture,
    resizer: &mut Resizer,
    size: [usize; 2],
    part: Option<[f64; 4]>,
    out: &mut [u8],
) {
    match picture.channels {
        1 => resize_as::<U8>(picture, resizer, size, part, out),
        _ => resize_as::<U8x3>(picture, resizer, size, part, out),
    }
}

/// Naming the kind of pixels keeps the code for a dozen other kinds out of the program.
fn resize_as<P: PixelTrait>(
    picture: &Picture,
    resizer: &mut Resizer,
    size: [usize; 2],
    part: Option<[f64; 4]>,
    out: &mut [u8],
) {
    let [height, width] = size.map(|side| side as u32);
    let (from_width, from_height) = (picture.width as u32, picture.height as u32);
    let from = TypedImageRef::<P>::from_buffer(from_width, from_height, &picture.pixels)
        .expect("a picture has as many bytes as its size says");
    let mut to = TypedImage::<P>::from_buffer(width, height, out)
        .expect("the output has as many bytes as the plan says");
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
        .use_alpha(false);
    let options = match part {
        Some([left, top, width, height]) => options.crop(left, top, width, height),
        None => options,
    };
    resizer.resize_typed(&from, &mut to, &options).expect("the part lies in the picture");
}
