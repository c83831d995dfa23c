//! Scale, rotation, shear and translation in one step: Albumentations' `Affine`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::boxes::BBox;
use super::image::{Frame, Image};
use super::parameters::{Always, Border, Fill, Interpolation, Range};
use super::projection::{self, Steps};
use super::transform::{Fault, Scene, Transform};
use super::warp::Sampling;
use candlewick_basis::seed::Stream;

/// Scale, rotation, shear and translation in one step: `{ affine = true, scale = [0.9, 1.1],
/// translate-percent = [-0.1, 0.1], rotate = [-15, 15], shear = [-5, 5] }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Affine {
    affine: Always,
    /// Factors.
    #[serde(default = "PerAxis::one")]
    scale: PerAxis,
    /// A part of width and height by which the image moves, in whole pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    translate_percent: Option<PerAxis>,
    /// Pixels by which the image moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    translate_px: Option<PerAxis>,
    /// Degrees, counter-clockwise.
    #[serde(default = "zero")]
    rotate: Range,
    /// Degrees.
    #[serde(default = "PerAxis::zero")]
    shear: PerAxis,
    /// Whether x and y are scaled by one factor.
    #[serde(default)]
    keep_ratio: bool,
    /// Whether images become smaller as often as larger, wherever 1 lies in the range.
    #[serde(default)]
    balanced_scale: bool,
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

fn zero() -> Range {
    Range::new(0.0, 0.0)
}

/// A range for both axes, from which each draws its own number, or a range for each.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a number, two for a range, or { x = …, y = … }")]
enum PerAxis {
    Both(Range),
    Each { x: Range, y: Range },
}

impl PerAxis {
    fn one() -> PerAxis {
        PerAxis::Both(Range::new(1.0, 1.0))
    }

    fn zero() -> PerAxis {
        PerAxis::Both(zero())
    }

    fn axes(self) -> [Range; 2] {
        match self {
            PerAxis::Both(range) => [range, range],
            PerAxis::Each { x, y } => [x, y],
        }
    }

    fn check(self, key: &'static str, low: f64, high: f64) -> Result<(), Fault> {
        self.axes().into_iter().try_for_each(|range| range.check(key, low, high))
    }
}

/// What is drawn for one image; each pair is for x and y.
#[derive(Serialize, Deserialize)]
pub struct Drawn {
    /// Factors.
    scale: [f64; 2],
    /// Degrees.
    angle: f64,
    /// Degrees.
    shear: [f64; 2],
    /// Pixels.
    translate: [f64; 2],
}

impl Drawn {
    fn steps(&self) -> Steps {
        let Drawn { scale, angle, shear, translate } = *self;
        // Albumentations draws the shear and takes it with the other sign.
        Steps { scale, angle, shear: shear.map(|degrees| -degrees), translate }
    }
}

impl Transform for Affine {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.scale.check("scale", 0.01, 100.0)?;
        if self.keep_ratio
            && let [x, y] = self.scale.axes()
            && x != y
        {
            let message = "keep-ratio = true with different scales for x and y";
            return Err(Fault::new("keep-ratio", message, "one scale for both"));
        }
        if let Some(percent) = self.translate_percent {
            percent.check("translate-percent", -1.0, 1.0)?;
        }
        if let Some(px) = self.translate_px {
            px.check("translate-px", -4096.0, 4096.0)?;
            if px.axes().iter().any(|range| range.low.fract() != 0.0 || range.high.fract() != 0.0) {
                let message = "translate-px takes whole pixels";
                return Err(Fault::new("translate-px", message, "whole numbers")
                    .help("translate-percent takes parts of the image"));
            }
            if self.translate_percent.is_some() {
                let message = "translate-px and translate-percent are both set: choose one";
                return Err(Fault::new("translate-px", message, "one too many"));
            }
        }
        self.rotate.check("rotate", -360.0, 360.0)?;
        self.shear.check("shear", -80.0, 80.0)?;
        Ok(frame)
    }

    fn draw(&self, scene: &Scene, stream: &mut Stream) -> Drawn {
        let sides = [scene.frame.width as f64, scene.frame.height as f64];
        let translate = match (self.translate_px, self.translate_percent) {
            (Some(px), _) => px.axes().map(|range| range.draw_whole(stream) as f64),
            (None, Some(percent)) => {
                let [x, y] = percent.axes().map(|range| range.draw(stream));
                [(x * sides[0]).trunc(), (y * sides[1]).trunc()]
            }
            (None, None) => [0.0; 2],
        };
        let shear = self.shear.axes().map(|range| range.draw(stream));
        let [x, y] = self.scale.axes().map(|range| {
            let Range { low, high } = range;
            match (self.balanced_scale, low < 1.0, high > 1.0) {
                (false, ..) => range.draw(stream),
                (true, true, true) => {
                    let smaller = stream.below(2) == 0;
                    let half = if smaller { Range::new(low, 1.0) } else { Range::new(1.0, high) };
                    half.draw(stream)
                }
                (true, true, false) => Range::new(low, 1.0).draw(stream),
                (true, false, true) => Range::new(1.0, high).draw(stream),
                (true, false, false) => 1.0,
            }
        });
        let scale = [x, if self.keep_ratio { x } else { y }];
        Drawn { scale, angle: self.rotate.draw(stream), shear, translate }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        let Affine { interpolation, border, fill, .. } = *self;
        projection::move_pixels(image, drawn.steps(), Sampling { interpolation, border, fill });
    }

    fn boxes(&self, drawn: &Drawn, frame: Frame, boxes: &mut [BBox]) {
        projection::move_boxes(boxes, frame, drawn.steps());
    }
}
