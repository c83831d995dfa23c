//! Contact sheets: rows of pictures with a few words under each.

use std::convert::Infallible;

use embedded_graphics::Pixel;
use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::iso_8859_1::{FONT_6X10, FONT_6X13_BOLD};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::{DrawTarget, Drawable, OriginDimensions, Point, RgbColor, Size};
use embedded_graphics::text::{Baseline, Text};

use crate::augment::{BBox, Frame, Image};

/// Pictures are enlarged by whole numbers until their longer side has about so many pixels.
const SIDE: usize = 128;
/// Between pictures, and around the sheet.
const GAP: usize = 10;
const LETTER: usize = 6;
const LINE: usize = 11;
const HEADING: usize = 18;

const BACKGROUND: Rgb888 = Rgb888::new(250, 250, 248);
const INK: Rgb888 = Rgb888::new(30, 30, 30);
/// Boxes, seen on dark and on light pictures.
const BOX: [u8; 3] = [255, 64, 160];

/// A picture of a sheet.
#[derive(Clone, Debug)]
pub struct Picture {
    /// What is shown.
    pub image: Image,
    /// Boxes that are drawn over it.
    pub boxes: Vec<BBox>,
    /// Said below it, a line for each.
    pub words: Vec<String>,
}

/// A sheet in memory: width, height and RGB pixels.
pub struct Sheet {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Sheet {
    /// Draws `rows` under a title and a heading for each column.
    pub fn draw(title: &str, columns: &[String], rows: &[Vec<Picture>]) -> Sheet {
        let largest = rows.iter().flatten().map(|picture| picture.image.frame());
        let longest = largest.map(|frame| frame.height.max(frame.width)).max().unwrap_or(1);
        let scale = (SIDE / longest).max(1);
        let size = |frame: Frame| (frame.height * scale, frame.width * scale);
        let widths = rows.iter().flatten().map(|picture| size(picture.image.frame()).1);
        let cell = widths.max().unwrap_or(SIDE).max(SIDE);
        let letters = cell / LETTER;
        let wrapped: Vec<Vec<Vec<String>>> = rows
            .iter()
            .map(|row| row.iter().map(|picture| wrap(&picture.words, letters)).collect())
            .collect();
        let heights: Vec<usize> = rows
            .iter()
            .zip(&wrapped)
            .map(|(row, words)| {
                let picture = row.iter().map(|picture| size(picture.image.frame()).0).max();
                let lines = words.iter().map(Vec::len).max();
                picture.unwrap_or(0) + lines.unwrap_or(0) * LINE + GAP
            })
            .collect();
        let width =
            (columns.len() * (cell + GAP) + GAP).max(title.chars().count() * LETTER + 2 * GAP);
        let height = 2 * HEADING + 2 * GAP + heights.iter().sum::<usize>();
        let color = [BACKGROUND.r(), BACKGROUND.g(), BACKGROUND.b()];
        let mut sheet = Sheet { width, height, pixels: color.repeat(width * height) };
        sheet.write(title, GAP, GAP, true);
        let left = |column: usize| GAP + column * (cell + GAP);
        for (column, heading) in columns.iter().enumerate() {
            sheet.write(&cut(heading, letters), left(column), GAP + HEADING, false);
        }
        let mut top = GAP + 2 * HEADING;
        for ((row, words), height) in rows.iter().zip(&wrapped).zip(heights) {
            let below = row.iter().map(|picture| size(picture.image.frame()).0).max().unwrap_or(0);
            for (column, (picture, words)) in row.iter().zip(words).enumerate() {
                sheet.paste(picture, left(column), top, scale);
                for (line, words) in words.iter().enumerate() {
                    sheet.write(words, left(column), top + below + 2 + line * LINE, false);
                }
            }
            top += height;
        }
        sheet
    }

    /// The sheet as the bytes of a PNG file.
    pub fn png(&self) -> Result<Vec<u8>, image::ImageError> {
        png(Frame { height: self.height, width: self.width, channels: 3 }, &self.pixels)
    }

    fn write(&mut self, words: &str, left: usize, top: usize, bold: bool) {
        let font = if bold { &FONT_6X13_BOLD } else { &FONT_6X10 };
        let style = MonoTextStyle::new(font, INK);
        let at = Point::new(left as i32, top as i32);
        let Ok(_) = Text::with_baseline(words, at, style, Baseline::Top).draw(self);
    }

    fn paste(&mut self, picture: &Picture, left: usize, top: usize, scale: usize) {
        let Frame { height, width, channels } = picture.image.frame();
        for y in 0..height * scale {
            for x in 0..width * scale {
                let from = (y / scale * width + x / scale) * channels;
                let pixel = &picture.image.pixels()[from..from + channels];
                self.put(left + x, top + y, std::array::from_fn(|c| pixel[c.min(channels - 1)]));
            }
        }
        for bbox in &picture.boxes {
            let at = |edge: f64| (edge * scale as f64).round() as usize;
            let columns = at(bbox.x_min)..at(bbox.x_max).max(at(bbox.x_min) + 1);
            let rows = at(bbox.y_min)..at(bbox.y_max).max(at(bbox.y_min) + 1);
            for x in columns.clone() {
                self.put(left + x, top + rows.start, BOX);
                self.put(left + x, top + rows.end - 1, BOX);
            }
            for y in rows {
                self.put(left + columns.start, top + y, BOX);
                self.put(left + columns.end - 1, top + y, BOX);
            }
        }
    }

    fn put(&mut self, x: usize, y: usize, color: [u8; 3]) {
        if x < self.width && y < self.height {
            self.pixels[(y * self.width + x) * 3..][..3].copy_from_slice(&color);
        }
    }
}

/// The bytes of a PNG file with these pixels.
pub fn png(frame: Frame, pixels: &[u8]) -> Result<Vec<u8>, image::ImageError> {
    use image::ImageEncoder;
    let mut bytes = Vec::new();
    let color = match frame.channels {
        1 => image::ExtendedColorType::L8,
        _ => image::ExtendedColorType::Rgb8,
    };
    image::codecs::png::PngEncoder::new(&mut bytes).write_image(
        pixels,
        frame.width as u32,
        frame.height as u32,
        color,
    )?;
    Ok(bytes)
}

impl OriginDimensions for Sheet {
    fn size(&self) -> Size {
        Size::new(self.width as u32, self.height as u32)
    }
}

impl DrawTarget for Sheet {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(
        &mut self,
        pixels: I,
    ) -> Result<(), Infallible> {
        for Pixel(at, color) in pixels {
            if let (Ok(x), Ok(y)) = (usize::try_from(at.x), usize::try_from(at.y)) {
                self.put(x, y, [color.r(), color.g(), color.b()]);
            }
        }
        Ok(())
    }
}

fn cut(words: &str, letters: usize) -> String {
    words.chars().take(letters).collect()
}

/// Breaks lines at blanks; what is too long for a line goes on in the next one.
fn wrap(lines: &[String], letters: usize) -> Vec<String> {
    let mut wrapped = Vec::new();
    for line in lines {
        let mut now = String::new();
        for word in line.split(' ') {
            if !now.is_empty() && now.chars().count() + 1 + word.chars().count() > letters {
                wrapped.push(std::mem::take(&mut now));
            }
            if !now.is_empty() {
                now.push(' ');
            }
            now.push_str(word);
            while now.chars().count() > letters {
                let rest = now.chars().skip(letters).collect();
                wrapped.push(cut(&now, letters));
                now = rest;
            }
        }
        wrapped.push(now);
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_wrapped_and_long_ones_go_on_in_the_next_line() {
        let lines = ["rotate angle 12".to_owned(), "abcdefghijkl".to_owned()];
        assert_eq!(wrap(&lines, 9), ["rotate", "angle 12", "abcdefghi", "jkl"]);
    }

    #[test]
    fn a_sheet_holds_the_pictures_enlarged_and_their_boxes() {
        let frame = Frame { height: 32, width: 64, channels: 1 };
        let picture = Picture {
            image: Image::new(frame, vec![7; frame.bytes()]),
            boxes: vec![BBox { x_min: 10.0, y_min: 5.0, x_max: 20.0, y_max: 30.0, label: 0 }],
            words: vec!["original".to_owned()],
        };
        let sheet = Sheet::draw("a title", &["one".to_owned()], &[vec![picture]]);
        let count =
            |color: [u8; 3]| sheet.pixels.chunks_exact(3).filter(|pixel| **pixel == color).count();
        // 20×50 pixels on the sheet, one pixel wide.
        assert_eq!(count(BOX), 2 * 20 + 2 * 50 - 4);
        assert_eq!(count([7; 3]), 64 * 128 - count(BOX));
        let decoded = image::load_from_memory(&sheet.png().unwrap()).unwrap();
        assert_eq!(decoded.width() as usize, sheet.width);
    }
}
