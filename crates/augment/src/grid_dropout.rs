//! Holes in a grid: Albumentations' `GridDropout` (Chen et al., "GridMask data augmentation", 2020).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::boxes::BBox;
use super::holes::{HoleFill, Holes};
use super::image::{Frame, Image};
use super::parameters::Range;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Holes in a grid: `{ grid-dropout = 0.5, unit-size-range = [8, 16], random-offset = true,
/// shift-xy = [0, 0], fill = 0 }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GridDropout {
    /// The side of a hole by that of its cell (`ratio` of Albumentations).
    grid_dropout: f64,
    /// The side of a cell in pixels, the greatest excluded unless both are equal; without it and
    /// `holes-number-xy` a tenth of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit_size_range: Option<Range>,
    /// How many cells, from left to right and from top to bottom. Albumentations takes them the
    /// other way round, against its own documentation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    holes_number_xy: Option<[usize; 2]>,
    /// Whether each hole has a place of its own in its cell.
    #[serde(default = "yes")]
    random_offset: bool,
    /// How far holes are from the left and upper edge of their cell without `random-offset`.
    #[serde(default)]
    shift_xy: [usize; 2],
    /// What is put there: a value, three, "random" or "random-uniform".
    #[serde(default)]
    fill: HoleFill,
}

fn yes() -> bool {
    true
}

/// Edges of `n` cells of nearly equal size, the larger ones at random places.
fn edges(length: usize, n: usize, stream: &mut Stream) -> Vec<usize> {
    let n = n.clamp(1, length);
    let mut sizes: Vec<usize> = (0..n).map(|i| length / n + usize::from(i < length % n)).collect();
    stream.shuffle(&mut sizes);
    let ends = sizes.iter().scan(0, |end, size| {
        *end += size;
        Some(*end)
    });
    std::iter::once(0).chain(ends).collect()
}

impl Transform for GridDropout {
    type Drawn = Holes;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        let ratio = self.grid_dropout;
        Range::new(ratio, ratio).check("grid-dropout", 0.0, 1.0)?;
        if ratio == 0.0 {
            let message = "grid-dropout = 0: holes need a size";
            return Err(Fault::new("grid-dropout", message, "zero"));
        }
        if let Some(range) = self.unit_size_range {
            let shorter = frame.height.min(frame.width);
            range.check("unit-size-range", 2.0, 4096.0)?;
            range.whole("unit-size-range")?;
            if range.high > shorter as f64 {
                let message = format!(
                    "unit-size-range goes to {}, but the shorter side of images is {shorter}",
                    range.high
                );
                return Err(Fault::new("unit-size-range", message, "larger than the image"));
            }
            if self.holes_number_xy.is_some() {
                let message = "unit-size-range and holes-number-xy both decide the grid";
                return Err(Fault::new("unit-size-range", message, "remove one of them"));
            }
        }
        if let Some([x, y]) = self.holes_number_xy
            && !((1..=frame.width).contains(&x) && (1..=frame.height).contains(&y))
        {
            let message = format!("holes-number-xy = [{x}, {y}] does not fit images of {frame}");
            let label = "from 1 to the columns and rows of the image";
            return Err(Fault::new("holes-number-xy", message, label));
        }
        Ok(frame)
    }

    fn draw(&self, scene: &Scene, stream: &mut Stream) -> Holes {
        let Frame { height, width, .. } = scene.frame;
        let [across, down] = match (self.holes_number_xy, self.unit_size_range) {
            (Some(number), _) => number,
            (None, Some(Range { low, high })) => {
                let size = low as u64 + stream.below((high - low).max(1.0) as u64);
                [width / size as usize, height / size as usize]
            }
            (None, None) => [width, height].map(|length| length / (length / 10).max(2)),
        };
        let rows = edges(height, down, stream);
        let columns = edges(width, across, stream);
        let mut holes = Vec::with_capacity(across * down);
        for row in rows.windows(2) {
            for column in columns.windows(2) {
                let mut place = |cell: &[usize], length: usize, shift: usize| {
                    let cell_size = cell[1] - cell[0];
                    // Part of each cell stays.
                    let size = (cell_size as f64 * self.grid_dropout) as usize;
                    let size = size.max(1).min(cell_size - 1);
                    let offset = if self.random_offset {
                        stream.below((cell_size - size) as u64 + 1) as usize
                    } else {
                        shift
                    };
                    let start = (cell[0] + offset).min(length - size);
                    (start, start + size)
                };
                let [shift_x, shift_y] = self.shift_xy;
                let (top, bottom) = place(row, height, shift_y);
                let (left, right) = place(column, width, shift_x);
                holes.push([left, top, right, bottom]);
            }
        }
        Holes { holes, key: stream.next_u64() }
    }

    fn pixels(&self, drawn: &Holes, image: &mut Image) {
        drawn.cut(self.fill, image);
    }

    fn boxes(&self, drawn: &Holes, frame: Frame, boxes: &mut [BBox]) {
        drawn.shrink(frame, boxes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlewick_basis::seed::derive;

    #[test]
    fn the_grid_of_an_image_of_100_has_100_holes_of_5_in_cells_of_10() {
        let transform: GridDropout = serde_json::from_str(r#"{"grid-dropout": 0.5}"#).unwrap();
        let frame = Frame { height: 100, width: 100, channels: 1 };
        let drawn = transform.draw(&Scene { frame, boxes: &[] }, &mut derive(1, "grid", &[]));
        assert_eq!(drawn.holes.len(), 100);
        for (i, [left, top, right, bottom]) in drawn.holes.iter().enumerate() {
            assert_eq!((right - left, bottom - top), (5, 5));
            assert_eq!((left / 10, top / 10), (i % 10, i / 10));
            assert!(*right <= (i % 10 + 1) * 10 && *bottom <= (i / 10 + 1) * 10);
        }
        let offsets = drawn.holes.iter().map(|hole| hole[0] % 10);
        assert!((0..=5).all(|offset| offsets.clone().any(|found| found == offset)));
    }
}
