//! Brings a picture to the declared size and channels.
//!
//! The filter is bilinear with antialiasing (its support grows with the reduction), which is what
//! torchvision's `Resize` and PIL's `BILINEAR` do. Unlike Lanczos it does not ring at sharp edges.
//! The aspect ratio is not kept. A picture that has the size already keeps its bytes untouched.
//! The arithmetic is in integers, so every machine gives the same bytes.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x3};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

use super::decode::Picture;
use crate::augment::BBox;
use crate::plan::data::Image;

/// Writes `picture`, as `plan` wants it, into `out`.
///
/// # Shapes
/// `out`: [height, width, channels]
pub(super) fn fit(picture: Picture, plan: &Image, resizer: &mut Resizer, out: &mut [u8]) {
    let [height, width] = plan.size;
    // Colour becomes gray before resizing, gray becomes colour after it: either way the resizing
    // itself works on as few channels as it can.
    let picture = if plan.channels == 1 { picture.with_channels(1) } else { picture };
    if (picture.height, picture.width) == (height, width) {
        out.copy_from_slice(&picture.with_channels(plan.channels).pixels);
        return;
    }
    if picture.channels == plan.channels {
        resize(&picture, resizer, plan, out);
    } else {
        let mut gray = vec![0; height * width];
        resize(&picture, resizer, plan, &mut gray);
        for (rgb, value) in out.chunks_exact_mut(3).zip(gray) {
            rgb.fill(value);
        }
    }
}

/// As [`fit`], with the box in the picture: where it is then.
pub(super) fn fit_with_box(
    picture: Picture,
    bbox: Option<BBox>,
    plan: &Image,
    resizer: &mut Resizer,
    out: &mut [u8],
) -> Option<BBox> {
    let [y, x] =
        [plan.size[0] as f64 / picture.height as f64, plan.size[1] as f64 / picture.width as f64];
    fit(picture, plan, resizer, out);
    bbox.map(|bbox| bbox.moved(|left, top| (left * x, top * y)))
}

fn resize(picture: &Picture, resizer: &mut Resizer, plan: &Image, out: &mut [u8]) {
    match picture.channels {
        1 => resize_as::<U8>(picture, resizer, plan, out),
        _ => resize_as::<U8x3>(picture, resizer, plan, out),
    }
}

/// Naming the kind of pixels keeps the code for a dozen other kinds out of the program.
fn resize_as<P: PixelTrait>(
    picture: &Picture,
    resizer: &mut Resizer,
    plan: &Image,
    out: &mut [u8],
) {
    let [height, width] = plan.size.map(|side| side as u32);
    let (from_width, from_height) = (picture.width as u32, picture.height as u32);
    let from = TypedImageRef::<P>::from_buffer(from_width, from_height, &picture.pixels)
        .expect("a picture has as many bytes as its size says");
    let mut to = TypedImage::<P>::from_buffer(width, height, out)
        .expect("the output has as many bytes as the plan says");
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
        .use_alpha(false);
    resizer.resize_typed(&from, &mut to, &options).expect("no part of the picture is cut off");
}
