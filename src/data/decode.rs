//! From the bytes of an image file to plain gray or RGB pixels.
//!
//! The format is told by the content, not by the name. Decisions: 16 bits are rounded to 8; alpha
//! is composited on white (dropping it would bring out whatever colour lies hidden under
//! transparent pixels, mostly black); of an animation, the first frame counts; EXIF orientation is
//! honoured; CMYK becomes RGB. Colour becomes gray by ITU-R BT.601 in the integer arithmetic of PIL
//! and torchvision.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Seek};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::error::reason;
use super::jpeg;
use super::listing::WrittenBox;
use crate::augment::{BBox, Frame};

/// No image may have more pixels: a few bytes of a "decompression bomb" can claim billions.
const MAX_PIXELS: u64 = 100_000_000;

/// No decoder may allocate more bytes.
const MAX_BYTES: u64 = 1 << 30;

/// No file may be longer: 100 million pixels are rarely as long uncompressed.
const MAX_FILE: u64 = 1 << 30;

/// Extensions of the formats that are read.
pub(super) const READ: [&str; 13] =
    ["png", "jpg", "jpeg", "jpe", "jfif", "bmp", "gif", "webp", "pnm", "pbm", "pgm", "ppm", "pam"];

/// Extensions of images in other formats. They are listed all the same, and reported as bad images:
/// leaving them out silently would make a data set smaller without a word.
pub(super) const NOT_READ: [&str; 16] = [
    "tif", "tiff", "avif", "heic", "heif", "ico", "tga", "jp2", "jxl", "exr", "hdr", "svg", "psd",
    "dng", "cr2", "nef",
];

/// The formats in words, for messages.
pub(super) const FORMATS: &str = "PNG, JPEG, BMP, GIF, WebP and PNM are read";

/// Pixels in memory.
///
/// # Shapes
/// [height, width, channels]
pub(super) struct Picture<'a> {
    pub(super) height: usize,
    pub(super) width: usize,
    /// 1 (gray) or 3 (RGB).
    pub(super) channels: usize,
    pub(super) pixels: Cow<'a, [u8]>,
}

/// Reads and decodes a file; an error is the reason in words.
pub(super) fn decode_file(path: &Path) -> Result<Picture<'static>, String> {
    let metadata = std::fs::metadata(path).map_err(|cause| reason(&cause))?;
    if !metadata.is_file() {
        return Err("not a file".to_owned());
    }
    if metadata.len() > MAX_FILE {
        return Err(format!("a file of {} MiB is no image", metadata.len() >> 20));
    }
    let bytes = std::fs::read(path).map_err(|cause| reason(&cause))?;
    decode(&bytes)
}

/// Decodes the content of an image file; an error is the reason in words.
pub(super) fn decode(bytes: &[u8]) -> Result<Picture<'static>, String> {
    let format = format_of(bytes)?;
    if format == ImageFormat::Jpeg {
        jpeg::check_complete(bytes)?;
    }
    let (decoder, orientation) = decoder(Cursor::new(bytes), format)?;
    let image = DynamicImage::from_decoder(decoder);
    let mut image = image.map_err(|error| in_words(format, &error))?;
    image.apply_orientation(orientation);
    Ok(plain(image))
}

/// What the header of a file says of the image that [`decode_file`] would give; an error is the
/// reason in words.
pub(super) fn measure_file(path: &Path) -> Result<Frame, String> {
    let metadata = std::fs::metadata(path).map_err(|cause| reason(&cause))?;
    if !metadata.is_file() {
        return Err("not a file".to_owned());
    }
    let file = File::open(path).map_err(|cause| reason(&cause))?;
    let mut file = BufReader::new(file);
    let format = format_of(file.fill_buf().map_err(|cause| reason(&cause))?)?;
    let (decoder, orientation) = decoder(file, format)?;
    let (width, height) = decoder.dimensions();
    let (width, height) = (width as usize, height as usize);
    let channels = if decoder.color_type().has_color() { 3 } else { 1 };
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    Ok(match orientation {
        Rotate90 | Rotate90FlipH | Rotate270 | Rotate270FlipH => {
            Frame { height: width, width: height, channels }
        }
        _ => Frame { height, width, channels },
    })
}

/// The format of a file that begins with `bytes`.
fn format_of(bytes: &[u8]) -> Result<ImageFormat, String> {
    if bytes.is_empty() {
        return Err("an empty file of 0 bytes".to_owned());
    }
    match image::guess_format(bytes) {
        Ok(format) if readable(format) => Ok(format),
        Ok(format) => {
            let name = format.extensions_str().first().unwrap_or(&"strange").to_uppercase();
            Err(format!("a {name} file; {FORMATS}"))
        }
        Err(_)
            if bytes
                .iter()
                .take(512)
                .all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) =>
        {
            Err(format!("text, not an image; {FORMATS}"))
        }
        Err(_) => Err(format!("not an image; {FORMATS}")),
    }
}

/// A decoder that has read the header, and how its image has to be turned.
fn decoder<'a, R: BufRead + Seek + 'a>(
    file: R,
    format: ImageFormat,
) -> Result<(impl ImageDecoder + 'a, Orientation), String> {
    let mut reader = ImageReader::with_format(file, format);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| in_words(format, &error))?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(format!("{width}×{height} pixels, more than the {MAX_PIXELS} that are read"));
    }
    if width == 0 || height == 0 {
        return Err(format!("an image of {width}×{height} pixels"));
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok((decoder, orientation))
}

fn readable(format: ImageFormat) -> bool {
    use ImageFormat::{Bmp, Gif, Jpeg, Png, Pnm, WebP};
    matches!(format, Png | Jpeg | Bmp | Gif | WebP | Pnm)
}

fn in_words(format: ImageFormat, error: &ImageError) -> String {
    let format = format!("{format:?}").to_uppercase();
    match error {
        ImageError::IoError(cause) if cause.kind() == std::io::ErrorKind::UnexpectedEof => {
            format!("a {format} file that ends too early")
        }
        ImageError::Limits(_) => format!("a {format} file that needs too much memory"),
        other => format!("a damaged {format} file ({other})"),
    }
}

/// Gray stays gray, everything else becomes RGB; alpha is composited on white.
fn plain(image: DynamicImage) -> Picture<'static> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let (channels, pixels) = match image {
        DynamicImage::ImageLuma8(gray) => (1, gray.into_raw()),
        DynamicImage::ImageLuma16(_) => (1, image.into_luma8().into_raw()),
        DynamicImage::ImageLumaA8(_) | DynamicImage::ImageLumaA16(_) => {
            (1, on_white::<2>(image.into_luma_alpha8().as_raw()))
        }
        DynamicImage::ImageRgb8(colour) => (3, colour.into_raw()),
        _ if image.color().has_alpha() => (3, on_white::<4>(image.into_rgba8().as_raw())),
        _ => (3, image.into_rgb8().into_raw()),
    };
    Picture { height, width, channels, pixels: Cow::Owned(pixels) }
}

/// Composites pixels of `N` bytes, the last of which is alpha, on white.
fn on_white<const N: usize>(pixels: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(pixels.len() / N * (N - 1));
    for pixel in pixels.chunks_exact(N) {
        let alpha = u32::from(pixel[N - 1]);
        for value in &pixel[..N - 1] {
            out.push(((u32::from(*value) * alpha + 255 * (255 - alpha) + 127) / 255) as u8);
        }
    }
    out
}

impl Picture<'_> {
    pub(super) fn frame(&self) -> Frame {
        Frame { height: self.height, width: self.width, channels: self.channels }
    }

    /// The box that is written, in pixels; or how it lies outside.
    pub(super) fn bbox(&self, written: WrittenBox) -> Result<BBox, String> {
        let WrittenBox { numbers, format } = written;
        let bbox = format.read(numbers, self.frame(), 0);
        let shown = numbers.map(|number| number.to_string()).join(",");
        if bbox.x_min >= bbox.x_max || bbox.y_min >= bbox.y_max {
            return Err(format!("the box {shown} is empty"));
        }
        // Parts of a width, written with six digits, may be a thousandth of a pixel too much.
        let beyond = |edge: f64, side: usize| edge > side as f64 + 0.01;
        if beyond(bbox.x_max, self.width)
            || beyond(bbox.y_max, self.height)
            || bbox.x_min < -0.01
            || bbox.y_min < -0.01
        {
            return Err(format!(
                "the box {shown} reaches beyond the image's {}×{} pixels",
                self.width, self.height
            ));
        }
        Ok(bbox.clipped(self.frame()))
    }

    /// The pixels that `bbox`, which lies in the picture, touches.
    pub(super) fn crop(&self, bbox: &BBox) -> Picture<'static> {
        let (left, top) = (bbox.x_min.floor() as usize, bbox.y_min.floor() as usize);
        let (right, bottom) = (bbox.x_max.ceil() as usize, bbox.y_max.ceil() as usize);
        let bytes = (right - left) * self.channels;
        let mut pixels = Vec::with_capacity(bytes * (bottom - top));
        for y in top..bottom {
            let start = (y * self.width + left) * self.channels;
            pixels.extend_from_slice(&self.pixels[start..start + bytes]);
        }
        Picture {
            height: bottom - top,
            width: right - left,
            channels: self.channels,
            pixels: Cow::Owned(pixels),
        }
    }

    /// The same picture with 1 (gray) or 3 (RGB) channels.
    pub(super) fn with_channels(self, channels: usize) -> Self {
        let pixels = match (self.channels, channels) {
            (3, 1) => self.pixels.chunks_exact(3).map(luma).collect(),
            (1, 3) => self.pixels.iter().flat_map(|gray| [*gray; 3]).collect(),
            _ => return self,
        };
        Picture { channels, pixels: Cow::Owned(pixels), ..self }
    }
}

/// 0.299 R + 0.587 G + 0.114 B, in PIL's fixed-point numbers.
fn luma(rgb: &[u8]) -> u8 {
    let [r, g, b] = [0, 1, 2].map(|channel| u32::from(rgb[channel]));
    ((r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16) as u8
}
