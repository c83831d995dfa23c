//! Contact sheets: rows of pictures with a few words under each, on a plate like those of `wick look`.

use crate::augment::{BBox, Frame, Image};
use crate::charts::plate::{Group, Plate, Row, Tile};
use crate::charts::{RasterError, lines_of};

/// Pictures are enlarged by whole numbers until their longer side has about so many pixels.
const SIDE: usize = 144;
/// Words that a plate writes are larger than those that are measured, by this factor.
const LETTERS: f64 = 12.0 / 11.0;
/// Boxes, seen on dark and on light pictures.
const BOX: [u8; 3] = [255, 64, 160];

/// A picture of a sheet.
#[derive(Clone, Debug)]
pub struct Picture {
    /// What is shown.
    pub image: Image,
    /// Boxes that are drawn over it.
    pub boxes: Vec<BBox>,
    /// Said below it, a line for each; what is too long for a line is broken at blanks.
    pub words: Vec<String>,
}

/// A sheet of pictures.
pub struct Sheet(Plate);

impl Sheet {
    /// Lays out `rows` under a title and a heading for each column.
    pub fn draw(title: &str, columns: &[String], rows: &[Vec<Picture>]) -> Sheet {
        let frames = || rows.iter().flatten().map(|picture| picture.image.frame());
        let longest = frames().map(|frame| frame.height.max(frame.width)).max().unwrap_or(1);
        let scale = (SIDE / longest).max(1);
        let widest = frames().map(|frame| frame.width * scale).max().unwrap_or(SIDE);
        let tile = |picture: &Picture| {
            let words = picture.words.iter();
            let words = words.flat_map(|words| lines_of(words, widest as f64 / LETTERS));
            enlarged(picture, scale).saying(words.collect::<Vec<_>>())
        };
        let row = |row: &Vec<Picture>| Row {
            label: String::new(),
            tiles: row.iter().map(tile).collect(),
        };
        let group = Group {
            side: longest * scale,
            columns: columns.to_vec(),
            rows: rows.iter().map(row).collect(),
            ..Group::default()
        };
        Sheet(Plate { title: title.to_owned(), note: String::new(), groups: vec![group] })
    }

    /// The sheet as the bytes of a PNG file.
    ///
    /// # Errors
    /// If there are too many pictures for memory.
    pub fn png(&self) -> Result<Vec<u8>, RasterError> {
        self.0.png()
    }
}

/// The picture `scale` times as large, with its boxes one pixel wide over it.
fn enlarged(picture: &Picture, scale: usize) -> Tile {
    let Frame { height, width, channels } = picture.image.frame();
    let [tall, wide] = [height * scale, width * scale];
    let mut tile = Tile::of([tall, wide], |y, x| {
        let from = (y / scale * width + x / scale) * channels;
        let pixel = &picture.image.pixels()[from..from + channels];
        std::array::from_fn(|c| pixel[c.min(channels - 1)])
    });
    let mut put = |x: usize, y: usize| {
        if x < wide && y < tall {
            tile.rgb[(y * wide + x) * 3..][..3].copy_from_slice(&BOX);
        }
    };
    for bbox in &picture.boxes {
        let at = |edge: f64| (edge * scale as f64).round() as usize;
        let columns = at(bbox.x_min)..at(bbox.x_max).max(at(bbox.x_min) + 1);
        let rows = at(bbox.y_min)..at(bbox.y_max).max(at(bbox.y_min) + 1);
        for x in columns.clone() {
            put(x, rows.start);
            put(x, rows.end - 1);
        }
        for y in rows {
            put(columns.start, y);
            put(columns.end - 1, y);
        }
    }
    tile
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_holds_the_pictures_enlarged_and_their_boxes() {
        let frame = Frame { height: 32, width: 64, channels: 1 };
        let picture = Picture {
            image: Image::new(frame, vec![7; frame.bytes()]),
            boxes: vec![BBox { x_min: 10.0, y_min: 5.0, x_max: 20.0, y_max: 30.0, label: 0 }],
            words: vec!["original".to_owned()],
        };
        let sheet = Sheet::draw("a title", &["one".to_owned()], &[vec![picture]]);
        let decoded = image::load_from_memory(&sheet.png().unwrap()).unwrap().to_rgb8();
        let count = |color: [u8; 3]| decoded.pixels().filter(|pixel| pixel.0 == color).count();
        // 20×50 pixels on the sheet, one pixel wide.
        assert_eq!(count(BOX), 2 * 20 + 2 * 50 - 4);
        assert_eq!(count([7; 3]), 64 * 128 - count(BOX));
    }

    #[test]
    fn words_are_broken_at_blanks_and_not_within_words() {
        let frame = Frame { height: 8, width: 8, channels: 1 };
        let image = Image::new(frame, vec![7; frame.bytes()]);
        let words = vec!["rotate angle 12.5 about the middle of the image".to_owned()];
        let rows = [vec![Picture { image, boxes: Vec::new(), words: words.clone() }]];
        let Sheet(plate) = Sheet::draw("a title", &["one".to_owned()], &rows);
        let lines = &plate.groups[0].rows[0].tiles[0].words;
        assert!(lines.len() > 1, "{lines:?}");
        assert_eq!(lines.join(" "), words[0]);
    }
}
