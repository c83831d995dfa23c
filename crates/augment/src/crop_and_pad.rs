//! Sides cut off or added: Albumentations' `CropAndPad`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::boxes::BBox;
use super::image::{Frame, Image};
use super::parameters::{Always, Border, Fill, Interpolation, Range};
use super::registry::AnyTransform;
use super::resample;
use super::size::Size;
use super::transform::{Fault, Scene, Transform};
use super::window::{Padding, Window};
use candlewick_basis::seed::Stream;

/// Sides cut off or added: `{ crop-and-pad = true, px = [-4, 4] }` or `{ crop-and-pad = true,
/// percent = [-0.1, 0.1] }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CropAndPad {
    crop_and_pad: Always,
    /// Pixels for each side: a negative number crops, a positive one pads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    px: Option<Range>,
    /// The same as a part of height and width.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    percent: Option<Range>,
    /// Whether the result is resized to what the image was.
    #[serde(default = "yes")]
    keep_size: bool,
    /// Whether each side draws its own number.
    #[serde(default = "yes")]
    sample_independently: bool,
    /// How values between pixels are found.
    #[serde(default)]
    interpolation: Interpolation,
    /// What is added.
    #[serde(default)]
    border: Border,
    /// The colour that is added, if the border is constant.
    #[serde(default)]
    fill: Fill,
}

fn yes() -> bool {
    true
}

/// What is drawn for one image: pixels that are cropped from a side (negative) or added to it.
#[derive(Serialize, Deserialize)]
pub struct Drawn {
    /// Rows above.
    top: i64,
    /// Columns on the right.
    right: i64,
    /// Rows below.
    bottom: i64,
    /// Columns on the left.
    left: i64,
}

impl Drawn {
    /// What is left of an image of `frame`, and what is added to that. A pixel is always left.
    fn parts(&self, frame: Frame) -> (Window, Padding) {
        let cut = |side: i64| side.min(0).unsigned_abs() as usize;
        let added = |side: i64| side.max(0) as usize;
        let (top, height) = left_over(cut(self.top), cut(self.bottom), frame.height);
        let (left, width) = left_over(cut(self.left), cut(self.right), frame.width);
        let padding = Padding {
            top: added(self.top),
            bottom: added(self.bottom),
            left: added(self.left),
            right: added(self.right),
        };
        (Window { top, left, height, width }, padding)
    }

    fn result(&self, frame: Frame) -> Frame {
        let (window, padding) = self.parts(frame);
        padding.around(frame.sized(window.height, window.width))
    }
}

/// The first pixel and the number of those that are left of `length` without `before` and `after`.
/// If nothing were left, both give back half of what one pixel more than all takes.
fn left_over(before: usize, after: usize, length: usize) -> (usize, usize) {
    if before + after < length {
        return (before, length - before - after);
    }
    let back = length + 1;
    let (mut first, mut second) = (back.div_ceil(2), back / 2);
    if first > before {
        second += first - before;
        first = before;
    } else if second > after {
        first += second - after;
        second = after;
    }
    let before = before.saturating_sub(first).min(length - 1);
    let after = after.saturating_sub(second).min(length - 1 - before);
    (before, length - before - after)
}

impl CropAndPad {
    /// What each side gets, in pixels: top, right, bottom, left.
    fn sides(&self, frame: Frame, mut draw: impl FnMut(Range) -> f64) -> Drawn {
        let (range, whole) = match (self.px, self.percent) {
            (Some(px), _) => (px, true),
            (None, Some(percent)) => (percent, false),
            (None, None) => (Range::new(0.0, 0.0), true),
        };
        let lengths = [frame.height, frame.width, frame.height, frame.width];
        let first = draw(range);
        let mut independent = false;
        let [top, right, bottom, left] = lengths.map(|length| {
            let side = if independent && self.sample_independently { draw(range) } else { first };
            independent = true;
            if whole { side as i64 } else { (side * length as f64) as i64 }
        });
        Drawn { top, right, bottom, left }
    }

    /// What the sides get if nothing is left to chance: none if there is a choice.
    fn fixed(&self, frame: Frame) -> Option<Drawn> {
        let range = self.px.or(self.percent)?;
        (range.low == range.high).then(|| self.sides(frame, |range| range.low))
    }
}

impl Transform for CropAndPad {
    type Drawn = Drawn;

    const P: f64 = 1.0;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        match (self.px, self.percent) {
            (Some(px), None) => {
                px.check("px", -4096.0, 4096.0)?;
                if px.low.fract() != 0.0 || px.high.fract() != 0.0 {
                    return Err(Fault::new("px", "px takes whole pixels", "whole numbers")
                        .help("percent takes parts of the image"));
                }
            }
            (None, Some(percent)) => percent.check("percent", -1.0, 4.0)?,
            (found, _) => {
                let found = if found.is_some() { "both" } else { "neither" };
                let message = format!("crop-and-pad takes either px or percent, not {found}");
                return Err(Fault::new("", message, "px or percent")
                    .help("percent = [-0.1, 0.1] crops or pads each side by up to a tenth"));
            }
        }
        // At its largest, the image has to be one on the way, too.
        let most = self.sides(frame, |range| range.high).result(frame);
        Size { height: most.height, width: most.width }.check("crop-and-pad", frame)?;
        if self.keep_size {
            return Ok(frame);
        }
        let Some(fixed) = self.fixed(frame) else {
            let message = "crop-and-pad with keep-size = false and a range: images would differ in \
                           size";
            return Err(Fault::new("keep-size", message, "needs one number, not a range"));
        };
        Ok(fixed.result(frame))
    }

    fn draw(&self, scene: &Scene, stream: &mut Stream) -> Drawn {
        let whole = self.px.is_some();
        self.sides(scene.frame, |range| {
            if whole { range.draw_whole(stream) as f64 } else { range.draw(stream) }
        })
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        let frame = image.frame();
        let (window, padding) = drawn.parts(frame);
        window.crop(image);
        padding.pad(image, self.border, self.fill);
        if self.keep_size {
            resample::resize(image, frame, self.interpolation);
        }
    }

    fn boxes(&self, drawn: &Drawn, frame: Frame, boxes: &mut [BBox]) {
        let (window, padding) = drawn.parts(frame);
        window.crop_boxes(boxes);
        padding.pad_boxes(boxes);
        if self.keep_size {
            resample::resize_boxes(boxes, drawn.result(frame), frame);
        }
    }

    fn at_evaluation(&self, frame: Frame) -> Option<AnyTransform> {
        // With a range the size stays, so nothing has to stand in its place.
        self.fixed(frame).map(|_| self.clone().into())
    }
}
