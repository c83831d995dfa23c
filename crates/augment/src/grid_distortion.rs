//! Cells of a grid made wider or narrower: Albumentations' `GridDistortion`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::boxes::BBox;
use super::distortion::distort_boxes;
use super::image::{Frame, Image};
use super::parameters::{Border, Fill, Interpolation, Limit};
use super::transform::{Fault, Scene, Transform};
use super::warp::{Sampling, warp};
use candlewick_basis::seed::Stream;

/// Cells of a grid made wider or narrower: `{ grid-distortion = 0.3, num-steps = 5, normalized =
/// true }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GridDistortion {
    /// What is added to a cell's width or height of 1: x stands for ±x.
    grid_distortion: Limit,
    /// Cells along each side.
    #[serde(default = "five")]
    num_steps: usize,
    /// Whether all cells together stay as large as the image.
    #[serde(default = "yes")]
    normalized: bool,
    /// How values between pixels are found.
    #[serde(default)]
    interpolation: Interpolation,
    /// What lies outside of the image.
    #[serde(default)]
    border: Border,
    /// The colour outside, if the border is constant.
    #[serde(default)]
    fill: Fill,
}

fn five() -> usize {
    5
}

fn yes() -> bool {
    true
}

/// What is drawn for one image.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Drawn {
    /// The width of each column of cells, and of what is left at the end.
    steps_x: Vec<f64>,
    /// The height of each row of cells, and of what is left at the end.
    steps_y: Vec<f64>,
}

impl GridDistortion {
    /// Where the pixels along a side of `length` come from.
    fn places(&self, length: usize, steps: &[f64]) -> Vec<f32> {
        let cell = length / self.num_steps;
        let mut steps = steps.to_vec();
        if self.normalized
            && let Some(last) = steps.last_mut()
        {
            // What is left at the end is smaller than a cell.
            *last *= (length - self.num_steps * cell).min(cell) as f64 / cell as f64;
            let factor = length as f64 / cell as f64 / steps.iter().sum::<f64>();
            steps.iter_mut().for_each(|step| *step *= factor);
        }
        let mut places = vec![0.0; length];
        let mut start = 0.0;
        for (step, places) in steps.iter().zip(places.chunks_mut(cell)) {
            let end = start + cell as f64 * step;
            // Both ends are reached, as by NumPy's linspace.
            let gaps = (places.len() - 1).max(1) as f64;
            for (i, place) in places.iter_mut().enumerate() {
                *place = (start + (end - start) * i as f64 / gaps) as f32;
            }
            start = end;
        }
        places
    }

    fn map(&self, drawn: &Drawn, frame: Frame) -> impl Fn(usize, &mut [f32], &mut [f32]) + use<> {
        let columns = self.places(frame.width, &drawn.steps_x);
        let rows = self.places(frame.height, &drawn.steps_y);
        move |row, xs, ys| {
            xs.copy_from_slice(&columns);
            ys.fill(rows[row]);
        }
    }
}

impl Transform for GridDistortion {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.grid_distortion.check("grid-distortion", -1.0, 1.0)?;
        let most = frame.height.min(frame.width);
        if !(1..=most).contains(&self.num_steps) {
            let message = format!("num-steps = {} for images of {frame}", self.num_steps);
            return Err(Fault::new("num-steps", message, format!("between 1 and {most}")));
        }
        Ok(frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Drawn {
        let mut steps =
            || (0..=self.num_steps).map(|_| 1.0 + self.grid_distortion.draw(stream)).collect();
        Drawn { steps_x: steps(), steps_y: steps() }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        let GridDistortion { interpolation, border, fill, .. } = *self;
        let map = self.map(drawn, image.frame());
        warp(image, Sampling { interpolation, border, fill }, map);
    }

    fn boxes(&self, drawn: &Drawn, frame: Frame, boxes: &mut [BBox]) {
        distort_boxes(boxes, frame, self.map(drawn, frame));
    }
}
