//! A plate: small pictures in rows, with headings and a few words under each, as pixels.

use maud::html;

use super::letters::{fit, lines_of, width};
use super::raster::{Pixels, RasterError};
use crate::basis::printable;

/// A picture of a plate.
#[derive(Clone, Debug)]
pub struct Tile {
    /// In pixels, of the picture itself.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// Red, green and blue, one row behind the other.
    pub rgb: Vec<u8>,
    /// Said below it, a line for each.
    pub words: Vec<String>,
}

impl Tile {
    /// A picture whose pixels have these colours.
    pub fn of(
        [height, width]: [usize; 2],
        mut colour: impl FnMut(usize, usize) -> [u8; 3],
    ) -> Tile {
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
        let rgb = places.flat_map(|(y, x)| colour(y, x)).collect();
        Tile { width, height, rgb, words: Vec::new() }
    }

    /// With words below it.
    pub fn saying(self, words: impl IntoIterator<Item = String>) -> Tile {
        Tile { words: words.into_iter().collect(), ..self }
    }
}

/// Pictures side by side.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// Said at their left; empty for nothing.
    pub label: String,
    /// The pictures.
    pub tiles: Vec<Tile>,
}

/// Rows under a heading. All their pictures are enlarged alike, by a whole number.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// What is shown.
    pub heading: String,
    /// What is to be known of it.
    pub note: String,
    /// About so many pixels has the longer side of the largest picture on the plate; larger ones are made smaller.
    pub side: usize,
    /// Said above the columns; none for nothing.
    pub columns: Vec<String>,
    /// The pictures.
    pub rows: Vec<Row>,
}

impl Group {
    /// The pictures in rows of equal length.
    pub fn in_rows(mut self, tiles: Vec<Tile>, across: usize) -> Group {
        let rows = tiles.chunks(across.max(1));
        self.rows = rows.map(|tiles| Row { label: String::new(), tiles: tiles.to_vec() }).collect();
        self
    }
}

/// A sheet of pictures.
#[derive(Clone, Debug, Default)]
pub struct Plate {
    /// What it shows.
    pub title: String,
    /// What is to be known of it.
    pub note: String,
    /// From top to bottom.
    pub groups: Vec<Group>,
}

const MARGIN: f64 = 24.0;
const GAP: f64 = 10.0;
const LEAST_WIDTH: f64 = 560.0;
/// A picture is given room for a word or two.
const LEAST_CELL: f64 = 40.0;
const MOST_LABEL: f64 = 150.0;
/// Letters of titles, headings, notes and words are so high, in pixels, and lines so far apart.
const TITLE: [f64; 2] = [19.0, 26.0];
const HEADING: [f64; 2] = [15.0, 22.0];
const NOTE: [f64; 2] = [13.0, 18.0];
const WORDS: [f64; 2] = [12.0, 15.0];
/// [`letters`](super::letters) measures letters of this height.
const MEASURED: f64 = 11.0;
/// Bold letters are wider.
const BOLD: f64 = 1.1;

const DPI: u16 = 96;

/// Where something stands, and what.
enum Mark {
    Text { x: f64, y: f64, size: f64, is_bold: bool, is_soft: bool, words: String },
    Picture { x: usize, y: usize, scale: Scale, group: usize, row: usize, tile: usize },
}

/// How large the pictures of a group are on the plate.
#[derive(Clone, Copy)]
enum Scale {
    Times(usize),
    /// Of `.0` pixels of the longer side, `.1` are left.
    Down(usize, usize),
}

impl Scale {
    fn of(&self, side: usize) -> usize {
        match self {
            Scale::Times(times) => side * times,
            Scale::Down(from, to) => (side * to / (*from).max(1)).max(1),
        }
    }
}

impl Group {
    fn tiles(&self) -> impl Iterator<Item = &Tile> {
        self.rows.iter().flat_map(|row| &row.tiles)
    }

    fn scale(&self) -> Scale {
        let longest = self.tiles().map(|tile| tile.width.max(tile.height)).max().unwrap_or(1);
        match self.side / longest.max(1) {
            0 => Scale::Down(longest, self.side.max(1)),
            times => Scale::Times(times),
        }
    }

    /// The width that a picture has with its words.
    fn cell(&self) -> f64 {
        let scale = self.scale();
        let widest = self.tiles().map(|tile| scale.of(tile.width)).max().unwrap_or(0);
        (widest as f64).max(LEAST_CELL)
    }

    fn label(&self) -> f64 {
        let widest = self.rows.iter().map(|row| of_size(&row.label, WORDS[0])).fold(0.0, f64::max);
        if widest > 0.0 { widest.min(MOST_LABEL) + GAP } else { 0.0 }
    }

    fn width(&self) -> f64 {
        let across = self.rows.iter().map(|row| row.tiles.len()).max().unwrap_or(0);
        self.label() + across as f64 * (self.cell() + GAP)
    }
}

/// The width of words of so many pixels' height.
fn of_size(words: &str, size: f64) -> f64 {
    width(words) * size / MEASURED
}

/// What of the words has room.
fn cut(words: &str, pixels: f64, size: f64) -> String {
    fit(&printable::name(words), pixels * MEASURED / size)
}

impl Plate {
    /// The bytes of a PNG file.
    ///
    /// # Errors
    /// If there are too many pictures for memory.
    pub fn png(&self) -> Result<Vec<u8>, RasterError> {
        let widest = self.groups.iter().map(Group::width).fold(LEAST_WIDTH, f64::max);
        let (marks, bottom) = self.marks(widest);
        let (width, height) = (widest + 2.0 * MARGIN, bottom + MARGIN);
        let mut pixels = Pixels::of(&self.svg(&marks, width, height), 1.0)?;
        for mark in &marks {
            if let Mark::Picture { x, y, scale, group, row, tile } = mark {
                paste(&mut pixels, &self.groups[*group].rows[*row].tiles[*tile], *x, *y, *scale);
            }
        }
        pixels.png(DPI)
    }

    /// What stands where, in so many pixels of width; and how far down it goes.
    fn marks(&self, widest: f64) -> (Vec<Mark>, f64) {
        let mut marks = Vec::new();
        let mut y = MARGIN;
        let text = |words: &str, y: &mut f64, [size, line]: [f64; 2], is_bold: bool| {
            let wide = if is_bold { BOLD } else { 1.0 };
            let words = printable::name(words);
            let lines = match words.is_empty() {
                true => Vec::new(),
                false => lines_of(&words, widest * MEASURED / size / wide),
            };
            let mut found = Vec::new();
            for words in lines {
                *y += line;
                let y = *y - (line - size) / 2.0 - 2.0;
                found.push(Mark::Text { x: MARGIN, y, size, is_bold, is_soft: !is_bold, words });
            }
            found
        };
        marks.extend(text(&self.title, &mut y, TITLE, true));
        marks.extend(text(&self.note, &mut y, NOTE, false));
        for (at, group) in self.groups.iter().enumerate() {
            y += 1.6 * GAP;
            marks.extend(text(&group.heading, &mut y, HEADING, true));
            marks.extend(text(&group.note, &mut y, NOTE, false));
            y += GAP / 2.0;
            let (scale, cell, label) = (group.scale(), group.cell(), group.label());
            let left = |column: usize| MARGIN + label + column as f64 * (cell + GAP);
            let word = |x: f64, y: f64, words: String, is_soft: bool| Mark::Text {
                x,
                y,
                size: WORDS[0],
                is_bold: false,
                is_soft,
                words,
            };
            if !group.columns.is_empty() {
                y += WORDS[1];
                for (column, words) in group.columns.iter().enumerate() {
                    let words = cut(words, cell, WORDS[0]);
                    marks.push(word(left(column), y - 4.0, words, true));
                }
            }
            for (number, row) in group.rows.iter().enumerate() {
                let tallest = row.tiles.iter().map(|tile| scale.of(tile.height)).max().unwrap_or(0);
                let lines = row.tiles.iter().map(|tile| tile.words.len()).max().unwrap_or(0);
                if !row.label.is_empty() {
                    let words = cut(&row.label, MOST_LABEL, WORDS[0]);
                    let middle = y + (tallest as f64 + WORDS[0]) / 2.0 - 2.0;
                    marks.push(word(MARGIN, middle, words, false));
                }
                for (column, tile) in row.tiles.iter().enumerate() {
                    let [x, top] = [left(column), y].map(|place| place.round() as usize);
                    let place =
                        Mark::Picture { x, y: top, scale, group: at, row: number, tile: column };
                    marks.push(place);
                    for (line, words) in tile.words.iter().enumerate() {
                        let y = y + tallest as f64 + WORDS[1] * (line + 1) as f64 - 1.0;
                        let words = cut(words, cell + GAP / 2.0, WORDS[0]);
                        marks.push(word(left(column), y, words, line > 0));
                    }
                }
                y += tallest as f64 + WORDS[1] * lines as f64 + GAP;
            }
        }
        (marks, y)
    }

    fn svg(&self, marks: &[Mark], width: f64, height: f64) -> String {
        let frame = |scale: &Scale, tile: &Tile| [scale.of(tile.width), scale.of(tile.height)];
        html! {
            svg xmlns="http://www.w3.org/2000/svg" width=(width.ceil()) height=(height.ceil()) {
                @for mark in marks {
                    @match mark {
                        Mark::Text { x, y, size, is_bold, is_soft, words } => {
                            text x=(format!("{x:.1}")) y=(format!("{y:.1}")) font-size=(size)
                                font-weight=(if *is_bold { "600" } else { "400" })
                                fill=(if *is_soft { "#5b6470" } else { "#1b1f24" }) { (words) }
                        }
                        // A thin line around pictures, which may be white.
                        Mark::Picture { x, y, scale, group, row, tile } => {
                            @let [wide, high] = frame(scale, &self.groups[*group].rows[*row].tiles[*tile]);
                            rect x=(*x as f64 - 0.5) y=(*y as f64 - 0.5) width=(wide + 1) height=(high + 1)
                                fill="none" stroke="#d8dde3" {}
                        }
                    }
                }
            }
        }
        .into_string()
    }
}

/// Puts a picture onto the plate: each of its pixels as a square, or the mean of those that have no room.
fn paste(pixels: &mut Pixels, tile: &Tile, left: usize, top: usize, scale: Scale) {
    let [width, height] = [scale.of(tile.width), scale.of(tile.height)];
    // The pixels of the picture that are seen in one of the plate.
    let seen = |at: usize, of: usize, from: usize| {
        let first = (at * from / of).min(from - 1);
        first..((at + 1) * from).div_ceil(of).clamp(first + 1, from)
    };
    for y in 0..height {
        let rows = match scale {
            Scale::Times(times) => y / times..y / times + 1,
            Scale::Down(..) => seen(y, height, tile.height),
        };
        for x in 0..width {
            let columns = match scale {
                Scale::Times(times) => x / times..x / times + 1,
                Scale::Down(..) => seen(x, width, tile.width),
            };
            let count = (rows.len() * columns.len()) as u32;
            let mut sum = [0u32; 3];
            for row in rows.clone() {
                for column in columns.clone() {
                    let from = (row * tile.width + column) * 3;
                    let Some(pixel) = tile.rgb.get(from..from + 3) else { continue };
                    sum.iter_mut().zip(pixel).for_each(|(sum, level)| *sum += u32::from(*level));
                }
            }
            if left + x < pixels.width && top + y < pixels.height {
                let to = ((top + y) * pixels.width + left + x) * 3;
                let mean = sum.map(|sum| ((sum + count / 2) / count) as u8);
                pixels.rgb[to..to + 3].copy_from_slice(&mean);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plate(tiles: Vec<Tile>, side: usize) -> image::RgbImage {
        let group = Group { heading: "some".to_owned(), side, ..Group::default() };
        let groups = vec![group.in_rows(tiles, 2)];
        let plate = Plate { title: "a title".to_owned(), note: String::new(), groups };
        image::load_from_memory(&plate.png().unwrap()).unwrap().to_rgb8()
    }

    fn count(image: &image::RgbImage, colour: [u8; 3]) -> usize {
        image.pixels().filter(|pixel| pixel.0 == colour).count()
    }

    #[test]
    fn small_pictures_are_enlarged_by_a_whole_number_and_large_ones_are_averaged() {
        let red = Tile::of([3, 5], |_, _| [255, 0, 0]);
        // 5 pixels become 50.
        assert_eq!(count(&plate(vec![red.clone(); 3], 54), [255, 0, 0]), 3 * 50 * 30);
        let stripes = Tile::of([100, 200], |_, x| if x % 2 == 0 { [0; 3] } else { [100; 3] });
        assert_eq!(count(&plate(vec![stripes], 100), [50; 3]), 100 * 50);
    }

    #[test]
    fn names_of_strangers_are_letters_and_not_markup() {
        let words = ["</svg><b>&amp;\u{1}".to_owned(), "ö".to_owned()];
        let tile = Tile::of([8, 8], |_, _| [0, 0, 255]).saying(words);
        let drawn = plate(vec![tile], 64);
        assert_eq!(count(&drawn, [0, 0, 255]), 64 * 64);
        assert!(drawn.pixels().any(|pixel| pixel.0[0] < 100 && pixel.0[2] < 100));
    }
}
