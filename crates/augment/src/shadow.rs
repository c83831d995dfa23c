//! Dark polygons: Albumentations' `RandomShadow`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::drawing::polygon;
use super::image::{Frame, Image};
use super::parameters::Range;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Dark polygons: `{ shadow = [0.5, 0.5], shadow-roi = [0, 0.5, 1, 1], num-shadows-limit = [1, 2],
/// shadow-dimension = 5 }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Shadow {
    /// How much light is missing (`shadow_intensity_range` of Albumentations).
    shadow: Range,
    /// Where corners lie, in parts of the image: left, top, right, bottom.
    #[serde(default = "lower_half")]
    shadow_roi: [f64; 4],
    /// How many shadows.
    #[serde(default = "one_or_two")]
    num_shadows_limit: Range,
    /// How many corners.
    #[serde(default = "five")]
    shadow_dimension: usize,
}

fn lower_half() -> [f64; 4] {
    [0.0, 0.5, 1.0, 1.0]
}

fn one_or_two() -> Range {
    Range::new(1.0, 2.0)
}

fn five() -> usize {
    5
}

/// One polygon.
#[derive(Serialize, Deserialize)]
pub struct DrawnShadow {
    intensity: f64,
    /// [x, y]
    corners: Vec<[i64; 2]>,
}

impl Transform for Shadow {
    type Drawn = Vec<DrawnShadow>;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.shadow.check("shadow", 0.0, 1.0)?;
        self.num_shadows_limit.check("num-shadows-limit", 1.0, 100.0)?;
        self.num_shadows_limit.whole("num-shadows-limit")?;
        let [left, top, right, bottom] = self.shadow_roi;
        Range::new(left, right).check("shadow-roi", 0.0, 1.0)?;
        Range::new(top, bottom).check("shadow-roi", 0.0, 1.0)?;
        let n = self.shadow_dimension;
        if !(3..=100).contains(&n) {
            let message = format!("shadow-dimension = {n}: a polygon has 3 to 100 corners");
            return Err(Fault::new("shadow-dimension", message, "3 to 100"));
        }
        Ok(frame)
    }

    fn draw(&self, scene: &Scene, stream: &mut Stream) -> Vec<DrawnShadow> {
        let [left, top, right, bottom] = self.shadow_roi;
        let between = |from: f64, to: f64, length: usize, stream: &mut Stream| {
            let [from, to] = [from, to].map(|part| (part * length as f64) as u64);
            let place = from + stream.below(to.saturating_sub(from).max(1));
            place.min(length as u64 - 1) as i64
        };
        let n = self.num_shadows_limit.draw_whole(stream);
        let corner = |stream: &mut Stream| {
            let x = between(left, right, scene.frame.width, stream);
            [x, between(top, bottom, scene.frame.height, stream)]
        };
        (0..n)
            .map(|_| DrawnShadow {
                intensity: self.shadow.draw(stream),
                corners: (0..self.shadow_dimension).map(|_| corner(stream)).collect(),
            })
            .collect()
    }

    fn pixels(&self, drawn: &Vec<DrawnShadow>, image: &mut Image) {
        let Frame { height, width, channels } = image.frame();
        let mut mask = vec![false; height * width];
        for DrawnShadow { intensity, corners } in drawn {
            mask.fill(false);
            polygon(corners, &mut mask, width);
            let table: [u8; 256] =
                std::array::from_fn(|value| (value as f64 * (1.0 - intensity)) as u8);
            for (pixel, dark) in image.pixels_mut().chunks_exact_mut(channels).zip(&mask) {
                if *dark {
                    for value in pixel {
                        *value = table[usize::from(*value)];
                    }
                }
            }
        }
    }
}
