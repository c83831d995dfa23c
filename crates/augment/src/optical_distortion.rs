//! The distortion of a lens: Albumentations' `OpticalDistortion`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::boxes::BBox;
use super::distortion::distort_boxes;
use super::image::{Frame, Image};
use super::parameters::{Border, Fill, Interpolation, Limit};
use super::transform::{Fault, Scene, Transform};
use super::warp::{Sampling, warp};
use candlewick_basis::seed::Stream;

/// The distortion of a lens: `{ optical-distortion = 0.05, mode = "camera" }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OpticalDistortion {
    /// The coefficient of distortion: x stands for ±x.
    optical_distortion: Limit,
    /// The kind of lens.
    #[serde(default)]
    mode: Mode,
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

/// A kind of lens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    /// Brown's radial distortion with two equal coefficients.
    #[default]
    Camera,
    /// Distances from the centre grow with their square.
    Fisheye,
}

/// What is drawn for one image.
#[derive(Serialize, Deserialize)]
pub struct Drawn {
    /// The coefficient.
    distortion: f64,
}

impl OpticalDistortion {
    /// Where the pixels of a row come from.
    #[inline(always)]
    fn map(&self, drawn: &Drawn, frame: Frame, row: usize, xs: &mut [f32], ys: &mut [f32]) {
        let (height, width) = (frame.height as f32, frame.width as f32);
        let (x_centre, y_centre) = (width / 2.0, height / 2.0);
        let k = drawn.distortion as f32;
        // The units in which distances are measured, and the weight of their fourth power.
        let (x_unit, y_unit, fourth) = match self.mode {
            Mode::Camera => (width, height, k),
            Mode::Fisheye => {
                let farthest = libm::hypotf(x_centre, y_centre);
                (farthest, farthest, 0.0)
            }
        };
        // The camera looks from the centre of the pixels to where the lens has its own, as OpenCV's
        // initUndistortRectifyMap without a new camera.
        let half = if self.mode == Mode::Camera { 0.5 } else { 0.0 };
        let y = row as f32 - y_centre + half;
        let y_square = (y / y_unit) * (y / y_unit);
        for (x, (to_x, to_y)) in (0i32..).zip(xs.iter_mut().zip(ys)) {
            let x = x as f32 - x_centre + half;
            let square = (x / x_unit) * (x / x_unit) + y_square;
            let factor = 1.0 + (k + fourth * square) * square;
            *to_x = x * factor + x_centre;
            *to_y = y * factor + y_centre;
        }
    }
}

impl Transform for OpticalDistortion {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.optical_distortion.check("optical-distortion", -10.0, 10.0)?;
        Ok(frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Drawn {
        Drawn { distortion: self.optical_distortion.draw(stream) }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        let OpticalDistortion { interpolation, border, fill, .. } = *self;
        let frame = image.frame();
        warp(
            image,
            Sampling { interpolation, border, fill },
            #[inline(always)]
            |row, xs, ys| self.map(drawn, frame, row, xs, ys),
        );
    }

    fn boxes(&self, drawn: &Drawn, frame: Frame, boxes: &mut [BBox]) {
        distort_boxes(boxes, frame, |row, xs, ys| self.map(drawn, frame, row, xs, ys));
    }
}
