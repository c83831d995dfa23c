//! One rectangle erased: Albumentations' `Erasing` (Zhong et al., "Random erasing data
//! augmentation", AAAI 2020).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::boxes::BBox;
use super::holes::{HoleFill, Holes};
use super::image::{Frame, Image};
use super::parameters::Range;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// One rectangle erased: `{ random-erasing = [0.02, 0.33], ratio = [0.3, 3.3], fill = 0 }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RandomErasing {
    /// The part of the image that is erased (`scale` of Albumentations).
    random_erasing: Range,
    /// Width by height of the rectangle.
    #[serde(default = "ratio")]
    ratio: Range,
    /// What is put there: a value, three, "random" or "random-uniform".
    #[serde(default)]
    fill: HoleFill,
}

fn ratio() -> Range {
    Range::new(0.3, 3.3)
}

impl RandomErasing {
    /// The rectangle; none if those of the least area do not fit into the image.
    fn rectangle(&self, frame: Frame, stream: &mut Stream) -> Option<[usize; 4]> {
        let (height, width) = (frame.height as f64, frame.width as f64);
        let Range { low: least_ratio, high: most_ratio } = self.ratio;
        let least = height * width * self.random_erasing.low;
        // The area up to which every ratio fits.
        let most = (height * width * self.random_erasing.high)
            .min(least_ratio * height * height)
            .min(width * width / most_ratio);
        if most < least {
            return None;
        }
        let area = Range::new(least, most).draw(stream);
        let least_ratio = least_ratio.max(area / (height * height));
        let most_ratio = most_ratio.min(width * width / area);
        if least_ratio > most_ratio {
            return None;
        }
        let ratio = Range::new(least_ratio, most_ratio).draw(stream);
        let rows = ((area / ratio).sqrt().round_ties_even() as usize).min(frame.height);
        let columns = ((area * ratio).sqrt().round_ties_even() as usize).min(frame.width);
        let top = stream.below((frame.height - rows) as u64 + 1) as usize;
        let left = stream.below((frame.width - columns) as u64 + 1) as usize;
        Some([left, top, left + columns, top + rows])
    }
}

impl Transform for RandomErasing {
    type Drawn = Holes;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.random_erasing.check("random-erasing", 0.0, 1.0)?;
        self.ratio.check("ratio", 0.01, 100.0)?;
        Ok(frame)
    }

    fn draw(&self, scene: &Scene, stream: &mut Stream) -> Holes {
        let holes = self.rectangle(scene.frame, stream).into_iter().collect();
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
    fn rectangles_have_the_area_and_the_ratio_that_are_asked_for() {
        let transform = RandomErasing {
            random_erasing: Range::new(0.1, 0.2),
            ratio: Range::new(0.5, 2.0),
            fill: HoleFill::Random,
        };
        let frame = Frame { height: 200, width: 300, channels: 1 };
        let mut areas = Vec::new();
        for round in 0..300 {
            let scene = Scene { frame, boxes: &[] };
            let drawn = transform.draw(&scene, &mut derive(1, "erasing", &[round]));
            let [left, top, right, bottom] = drawn.holes[0];
            assert!(right <= 300 && bottom <= 200);
            let (columns, rows) = ((right - left) as f64, (bottom - top) as f64);
            assert!((0.48..2.1).contains(&(columns / rows)), "{columns} {rows}");
            areas.push(columns * rows / 60_000.0);
        }
        assert!(areas.iter().all(|area| (0.098..0.202).contains(area)));
        let mean = areas.iter().sum::<f64>() / 300.0;
        assert!((mean - 0.15).abs() < 0.006, "{mean}");
    }
}
