//! Charts as pixels, with letters of a font that the program brings.
//!
//! A chart for a telephone's width is 3⅓ inches wide on paper: the column of a journal. Its letters are then
//! 6.6 points high.

use std::sync::{Arc, LazyLock};

use candlewick_data::INTER;
use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

/// Units of a chart per inch of paper.
const UNITS_PER_INCH: f32 = 120.0;

/// An SVG file of a chart has so many pixels per unit.
const PIXELS_PER_UNIT: f32 = 2.0;

/// The name of the font.
pub(super) const FAMILY: &str = "Inter";

/// Why a chart has no pixels.
#[derive(Debug, thiserror::Error)]
pub enum RasterError {
    /// The drawing.
    #[error("the chart cannot be drawn: {0}")]
    Drawing(#[from] resvg::usvg::Error),
    /// The size.
    #[error(
        "a drawing of {width} × {height} pixels does not fit into memory: ask for a lower --dpi, or for fewer pictures"
    )]
    Size {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// The file.
    #[error("the chart cannot be written as PNG: {0}")]
    Encoding(#[from] png::EncodingError),
}

/// The bundled font, and the machine's for letters that it does not have.
fn fonts() -> Arc<fontdb::Database> {
    static FOUND: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
        let mut found = fontdb::Database::new();
        for font in INTER {
            found.load_font_data(font.to_vec());
        }
        found.load_system_fonts();
        Arc::new(found)
    });
    FOUND.clone()
}

/// A drawing as pixels.
pub(super) struct Pixels {
    /// In pixels.
    pub(super) width: usize,
    /// In pixels.
    pub(super) height: usize,
    /// Red, green and blue, one row behind the other.
    pub(super) rgb: Vec<u8>,
}

impl Pixels {
    /// `svg` with so many pixels for each of its units.
    pub(super) fn of(svg: &str, scale: f32) -> Result<Pixels, RasterError> {
        let options =
            Options { font_family: FAMILY.to_owned(), fontdb: fonts(), ..Options::default() };
        let tree = Tree::from_str(svg, &options)?;
        let [width, height] = [tree.size().width(), tree.size().height()]
            .map(|length| ((length * scale).round() as u32).max(1));
        let mut pixels = Pixmap::new(width, height).ok_or(RasterError::Size { width, height })?;
        pixels.fill(Color::WHITE);
        resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
        // Nothing shines through, so that three channels are enough.
        let rgb: Vec<u8> = pixels
            .data()
            .chunks_exact(4)
            .flat_map(|pixel| [pixel[0], pixel[1], pixel[2]])
            .collect();
        Ok(Pixels { width: width as usize, height: height as usize, rgb })
    }

    /// The bytes of a PNG file that says to have `dpi` pixels per inch.
    pub(super) fn png(&self, dpi: u16) -> Result<Vec<u8>, RasterError> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        let per_metre = (f64::from(dpi) / 0.0254).round() as u32;
        let unit = png::Unit::Meter;
        let dims = png::PixelDimensions { xppu: per_metre, yppu: per_metre, unit };
        encoder.set_pixel_dims(Some(dims));
        encoder.write_header()?.write_image_data(&self.rgb)?;
        Ok(bytes)
    }
}

/// The bytes of a PNG file of `svg` with `dpi` pixels per inch, which the file says, too.
pub(super) fn png(svg: &str, dpi: u16) -> Result<Vec<u8>, RasterError> {
    Pixels::of(svg, f32::from(dpi) / UNITS_PER_INCH / PIXELS_PER_UNIT)?.png(dpi)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_have_the_size_of_paper_and_letters_are_drawn() {
        let svg = |words: &str| {
            format!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" viewBox=\"0 0 120 60\" \
                 width=\"240\" height=\"120\"><text x=\"10\" y=\"30\" font-size=\"11\">{words}</text></svg>"
            )
        };
        let decoded = |words: &str| {
            let bytes = png(&svg(words), 300).unwrap();
            assert!(bytes.windows(4).any(|chunk| chunk == b"pHYs"));
            image::load_from_memory(&bytes).unwrap().to_luma8()
        };
        let dark = |words: &str| decoded(words).pixels().filter(|pixel| pixel.0[0] < 128).count();
        // An inch wide.
        assert_eq!(decoded("a").dimensions(), (300, 150));
        assert_eq!(dark(""), 0);
        assert!(dark("accuracy, % → ±") > 2 * dark("acc"), "{}", dark("accuracy"));
    }
}
