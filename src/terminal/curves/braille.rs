//! A canvas of Braille letters: each holds two by four dots.

/// Dots that are set or not.
pub(super) struct Canvas {
    width: usize,
    cells: Vec<u8>,
}

impl Canvas {
    /// An empty canvas of `width` × `height` letters.
    pub(super) fn new(width: usize, height: usize) -> Canvas {
        Canvas { width, cells: vec![0; width * height] }
    }

    /// Joins places, given in dots from the top left corner, by straight lines.
    pub(super) fn line(&mut self, places: &[(f64, f64)]) {
        if let [(x, y)] = places {
            self.dot(*x, *y);
        }
        for pair in places.windows(2) {
            let [(x0, y0), (x1, y1)] = [pair[0], pair[1]];
            let steps = (x1 - x0).abs().max((y1 - y0).abs()).ceil().max(1.0);
            for step in 0..=steps as usize {
                let part = step as f64 / steps;
                self.dot(x0 + part * (x1 - x0), y0 + part * (y1 - y0));
            }
        }
    }

    fn dot(&mut self, x: f64, y: f64) {
        // The order in which Unicode counts the dots of a letter, row by row.
        const BITS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
        let [x, y] = [x, y].map(|place| place.round().max(0.0) as usize);
        if x / 2 < self.width
            && let Some(cell) = self.cells.get_mut(y / 4 * self.width + x / 2)
        {
            *cell |= BITS[y % 4][x % 2];
        }
    }

    /// The rows from the top.
    pub(super) fn rows(&self) -> impl Iterator<Item = String> {
        let letter = |cell: &u8| match cell {
            0 => ' ',
            dots => char::from_u32(0x2800 + u32::from(*dots)).unwrap_or(' '),
        };
        self.cells.chunks(self.width).map(move |row| row.iter().map(letter).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::Canvas;

    #[test]
    fn a_line_goes_through_the_dots_between_its_places() {
        let mut canvas = Canvas::new(2, 1);
        canvas.line(&[(0.0, 3.0), (3.0, 0.0)]);
        assert_eq!(canvas.rows().collect::<Vec<_>>(), ["⡠⠊"]);
        let mut canvas = Canvas::new(1, 2);
        canvas.line(&[(1.0, 5.0)]);
        canvas.line(&[(9.0, 9.0)]);
        assert_eq!(canvas.rows().collect::<Vec<_>>(), [" ", "⠐"]);
    }
}
