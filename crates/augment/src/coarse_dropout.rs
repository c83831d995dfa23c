//! Rectangles taken out: Albumentations' `CoarseDropout` (DeVries and Taylor's Cutout, 2017).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::boxes::BBox;
use super::holes::{HoleFill, Holes};
use super::image::{Frame, Image};
use super::parameters::Range;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Rectangles taken out: `{ coarse-dropout = [1, 2], hole-height-range = [0.1, 0.2],
/// hole-width-range = [0.1, 0.2], fill = 0 }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CoarseDropout {
    /// How many holes (`num_holes_range` of Albumentations).
    coarse_dropout: Range,
    /// How high: in parts of the image below 1, in rows from 1 on.
    #[serde(default = "tenth_to_fifth")]
    hole_height_range: Range,
    /// How wide: in parts of the image below 1, in columns from 1 on.
    #[serde(default = "tenth_to_fifth")]
    hole_width_range: Range,
    /// What is put there: a value, three, "random" or "random-uniform".
    #[serde(default)]
    fill: HoleFill,
}

fn tenth_to_fifth() -> Range {
    Range::new(0.1, 0.2)
}

/// The size of a hole in one direction of an image of `length`.
fn extent(range: Range, length: usize, stream: &mut Stream) -> usize {
    let extent = if range.high >= 1.0 {
        Range::new(range.low, range.high.min(length as f64)).draw_whole(stream) as usize
    } else {
        (length as f64 * range.draw(stream)) as usize
    };
    extent.min(length)
}

impl Transform for CoarseDropout {
    type Drawn = Holes;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.coarse_dropout.check("coarse-dropout", 1.0, 4096.0)?;
        self.coarse_dropout.whole("coarse-dropout")?;
        for (key, range) in [
            ("hole-height-range", self.hole_height_range),
            ("hole-width-range", self.hole_width_range),
        ] {
            range.check(key, 0.0, 4096.0)?;
            if range.high >= 1.0 {
                range.whole(key)?;
            }
        }
        Ok(frame)
    }

    fn draw(&self, scene: &Scene, stream: &mut Stream) -> Holes {
        let Frame { height, width, .. } = scene.frame;
        let n = self.coarse_dropout.draw_whole(stream);
        let hole = |_| {
            let rows = extent(self.hole_height_range, height, stream);
            let columns = extent(self.hole_width_range, width, stream);
            let top = stream.below((height - rows) as u64 + 1) as usize;
            let left = stream.below((width - columns) as u64 + 1) as usize;
            [left, top, left + columns, top + rows]
        };
        let holes = (0..n).map(hole).collect();
        Holes { holes, key: stream.next_u64() }
    }

    fn pixels(&self, drawn: &Holes, image: &mut Image) {
        drawn.cut(self.fill, image);
    }

    fn boxes(&self, drawn: &Holes, frame: Frame, boxes: &mut [BBox]) {
        drawn.shrink(frame, boxes);
    }
}
