//! From the bytes of an image file to plain gray or RGB pixels.
//!
//! The format is told by the content, not by the name. Decisions: 16 bits are rounded to 8; alpha
//! is composited on white (dropping it would bring out whatever colour lies hidden under
//! transparent pixels, mostly black); of an animation, the first frame counts; EXIF orientation is
//! honoured; CMYK becomes RGB. Colour becomes gray by ITU-R BT.601 in the integer arithmetic of PIL
//! and torchvision.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;

use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::error::reason;
use super::jpeg;
use super::listing::WrittenBox;
use super::tiff;
use crate::augment::{BBox, Frame};
use crate::basis::number::number;
use crate::basis::regular;

/// No side of an image may be longer: resizing keeps numbers for each pixel of a side.
const MAX_SIDE: u32 = 65_535;

/// No decoder of PNG may allocate more bytes for what is beside the pixels: profiles of colours are compressed,
/// and of no use here.
const BESIDE_PIXELS: u64 = 16 << 20;

/// The pixels of a GIF file for each of its bytes: its compression comes to 2,700 of them at most. A canvas of
/// so many pixels may be empty all the same.
const GIF_RATIO: u64 = 4096;
const GIF_CANVAS: u64 = 1 << 20;

/// No file may be longer for each of the pixels that are allowed: uncompressed, they have 8 bytes at most.
const FILE_RATIO: u64 = 10;

/// Extensions of the formats that are read.
pub(super) const READ: [&str; 15] = [
    "png", "jpg", "jpeg", "jpe", "jfif", "bmp", "gif", "webp", "pnm", "pbm", "pgm", "ppm", "pam",
    "tif", "tiff",
];

/// Extensions of images in other formats. They are listed all the same, and reported as bad images:
/// leaving them out silently would make a data set smaller without a word.
pub(super) const NOT_READ: [&str; 14] = [
    "avif", "heic", "heif", "ico", "tga", "jp2", "jxl", "exr", "hdr", "svg", "psd", "dng", "cr2",
    "nef",
];

/// The formats in words, for messages.
pub(super) const FORMATS: &str = "PNG, JPEG, BMP, GIF, WebP, PNM and TIFF are read";

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
pub(super) fn decode_file(path: &Path, max_pixels: u64) -> Result<Picture<'static>, String> {
    let (file, length) = open(path)?;
    check_length(length, max_pixels)?;
    let mut bytes = Vec::with_capacity(length as usize);
    // It may grow meanwhile.
    file.take(length).read_to_end(&mut bytes).map_err(|cause| reason(&cause))?;
    decode(&bytes, max_pixels)
}

/// The file at `path` and its length, if it is a regular one; an error is the reason in words.
fn open(path: &Path) -> Result<(File, u64), String> {
    let opened = regular::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
    opened.map(|(length, file)| (file, length)).map_err(|cause| reason(&cause))
}

/// Says so if so many bytes are more than an image of `max_pixels` has.
pub(super) fn check_length(bytes: u64, max_pixels: u64) -> Result<(), String> {
    match bytes > max_pixels.saturating_mul(FILE_RATIO).max(1 << 20) {
        true => Err(format!("a file of {} MiB is no image", bytes >> 20)),
        false => Ok(()),
    }
}

/// Decodes the content of an image file; an error is the reason in words.
pub(super) fn decode(bytes: &[u8], max_pixels: u64) -> Result<Picture<'static>, String> {
    let format = format_of(bytes)?;
    if format == ImageFormat::Jpeg {
        jpeg::check_complete(bytes)?;
    }
    let (decoder, orientation) =
        decoder(Cursor::new(bytes), bytes.len() as u64, format, max_pixels)?;
    let image = DynamicImage::from_decoder(decoder);
    let mut image = image.map_err(|error| in_words(format, &error))?;
    image.apply_orientation(orientation);
    Ok(plain(image, format == ImageFormat::Tiff && tiff::is_premultiplied(bytes)))
}

/// Whether the file at `path` is there and, if it is called like an image in a format that is not read, is in one that
/// is; an error is the reason in words. What is called as it should be is not opened: there may be millions.
pub(super) fn check_file(path: &Path) -> Result<(), String> {
    if !std::fs::metadata(path).map_err(|cause| reason(&cause))?.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    if ending.is_some_and(|ending| NOT_READ.contains(&&ending[..])) {
        let (file, _) = open(path)?;
        let mut start = Vec::new();
        file.take(512).read_to_end(&mut start).map_err(|cause| reason(&cause))?;
        format_of(&start)?;
    }
    Ok(())
}

/// What the header of a file says of the image that [`decode_file`] would give; an error is the
/// reason in words.
pub(super) fn measure_file(path: &Path, max_pixels: u64) -> Result<Frame, String> {
    let (file, length) = open(path)?;
    measure(BufReader::new(file), length, max_pixels)
}

/// What the header of an encoded image of `length` bytes says; an error is the reason in words.
pub(super) fn measure(
    mut file: impl BufRead + Seek,
    length: u64,
    max_pixels: u64,
) -> Result<Frame, String> {
    let format = format_of(file.fill_buf().map_err(|cause| reason(&cause))?)?;
    let (decoder, orientation) = decoder(file, length, format, max_pixels)?;
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
        Ok(ImageFormat::Avif) => {
            Err(format!("an AVIF file; {FORMATS}: make it one of these, as with avifdec"))
        }
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

/// A decoder that has read the header of a file of `length` bytes, and how its image has to be turned.
fn decoder<'a, R: BufRead + Seek + 'a>(
    file: R,
    length: u64,
    format: ImageFormat,
    max_pixels: u64,
) -> Result<(impl ImageDecoder + 'a, Orientation), String> {
    let mut reader = ImageReader::with_format(file, format);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(match format {
        ImageFormat::Png => BESIDE_PIXELS,
        _ => max_pixels.saturating_mul(FILE_RATIO),
    });
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| in_words(format, &error))?;
    let (width, height) = decoder.dimensions();
    check_size(width, height, max_pixels)?;
    let pixels = u64::from(width) * u64::from(height);
    if format == ImageFormat::Gif && pixels > GIF_CANVAS + length.saturating_mul(GIF_RATIO) {
        return Err(format!("{length} bytes are too few for {width}×{height} pixels"));
    }
    if width == 0 || height == 0 {
        return Err(format!("an image of {width}×{height} pixels"));
    }
    if matches!(decoder.color_type(), ColorType::Rgb32F | ColorType::Rgba32F) {
        let format = format!("{format:?}").to_uppercase();
        return Err(format!(
            "a {format} file of numbers with a fraction, whose range of values is not known; save whole numbers \
             of 8 or 16 bits"
        ));
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok((decoder, orientation))
}

/// Says so if an image has more pixels than are allowed, or too long a side.
pub(super) fn check_size(width: u32, height: u32, max_pixels: u64) -> Result<(), String> {
    if u64::from(width) * u64::from(height) > max_pixels {
        let allowed = number(max_pixels);
        return Err(format!("{width}×{height} pixels, more than max-pixels = {allowed}"));
    }
    if width.max(height) > MAX_SIDE {
        let allowed = number(MAX_SIDE.into());
        return Err(format!("{width}×{height} pixels, a side of more than {allowed}"));
    }
    Ok(())
}

fn readable(format: ImageFormat) -> bool {
    use ImageFormat::{Bmp, Gif, Jpeg, Png, Pnm, Tiff, WebP};
    matches!(format, Png | Jpeg | Bmp | Gif | WebP | Pnm | Tiff)
}

fn in_words(format: ImageFormat, error: &ImageError) -> String {
    let format = format!("{format:?}").to_uppercase();
    match error {
        ImageError::IoError(cause) if cause.kind() == std::io::ErrorKind::UnexpectedEof => {
            format!("a {format} file that ends too early")
        }
        ImageError::Limits(_) => format!("a {format} file that needs too much memory"),
        ImageError::Unsupported(what) if format == "TIFF" => format!(
            "an unsupported TIFF file ({what}); save it as gray or RGB with whole numbers of 8 or 16 bits"
        ),
        other => format!("a damaged {format} file ({other})"),
    }
}

/// Gray stays gray, everything else becomes RGB; alpha is composited on white, by which colours may have been multiplied.
fn plain(image: DynamicImage, is_premultiplied: bool) -> Picture<'static> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let (channels, pixels) = match image {
        DynamicImage::ImageLuma8(gray) => (1, gray.into_raw()),
        DynamicImage::ImageLuma16(_) => (1, image.into_luma8().into_raw()),
        DynamicImage::ImageLumaA8(_) | DynamicImage::ImageLumaA16(_) => {
            (1, on_white::<2>(image.into_luma_alpha8().into_raw(), is_premultiplied))
        }
        DynamicImage::ImageRgb8(colour) => (3, colour.into_raw()),
        _ if image.color().has_alpha() => {
            (3, on_white::<4>(image.into_rgba8().into_raw(), is_premultiplied))
        }
        _ => (3, image.into_rgb8().into_raw()),
    };
    Picture { height, width, channels, pixels: Cow::Owned(pixels) }
}

/// Composites pixels of `N` bytes, the last of which is alpha, on white.
fn on_white<const N: usize>(mut pixels: Vec<u8>, is_premultiplied: bool) -> Vec<u8> {
    let count = pixels.len() / N;
    // In place: what is written is never ahead of what is read.
    for index in 0..count {
        let alpha = u32::from(pixels[index * N + N - 1]);
        for channel in 0..N - 1 {
            let value = u32::from(pixels[index * N + channel]);
            let white = match is_premultiplied {
                true => (value + 255 - alpha).min(255),
                false => (value * alpha + 255 * (255 - alpha) + 127) / 255,
            };
            pixels[index * (N - 1) + channel] = white as u8;
        }
    }
    pixels.truncate(count * (N - 1));
    pixels
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
