//! Room around images that are too small: Albumentations' `PadIfNeeded`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::boxes::BBox;
use super::image::{Frame, Image};
use super::parameters::{Border, Fill};
use super::registry::AnyTransform;
use super::size::Size;
use super::transform::{Fault, Scene, Transform};
use super::window::Padding;
use candlewick_basis::seed::Stream;

/// Room around images that are too small: `{ pad-if-needed = [40, 40], position = "center", border
/// = "constant", fill = 0 }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PadIfNeeded {
    /// The least height and width.
    pad_if_needed: Size,
    /// Where the image lies in the result.
    #[serde(default)]
    position: Position,
    /// What is added.
    #[serde(default)]
    border: Border,
    /// The colour that is added, if the border is constant.
    #[serde(default)]
    fill: Fill,
}

/// Where an image lies in a larger one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Position {
    #[default]
    Center,
    TopLeft,
    TopRight,
    BottomLeft,
    BottomRight,
    Random,
}

impl PadIfNeeded {
    fn padded(&self, frame: Frame) -> Frame {
        let Size { height, width } = self.pad_if_needed;
        frame.sized(frame.height.max(height), frame.width.max(width))
    }
}

impl Transform for PadIfNeeded {
    type Drawn = Padding;

    const P: f64 = 1.0;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.pad_if_needed.check("pad-if-needed", frame)?;
        Ok(self.padded(frame))
    }

    fn draw(&self, scene: &Scene, stream: &mut Stream) -> Padding {
        let padded = self.padded(scene.frame);
        let rows = padded.height - scene.frame.height;
        let columns = padded.width - scene.frame.width;
        let (top, left) = match self.position {
            Position::Center => (rows / 2, columns / 2),
            Position::TopLeft => (0, 0),
            Position::TopRight => (0, columns),
            Position::BottomLeft => (rows, 0),
            Position::BottomRight => (rows, columns),
            Position::Random => {
                let mut place = |room: usize| stream.below(room as u64 + 1) as usize;
                (place(rows), place(columns))
            }
        };
        Padding { top, bottom: rows - top, left, right: columns - left }
    }

    fn pixels(&self, padding: &Padding, image: &mut Image) {
        padding.pad(image, self.border, self.fill);
    }

    fn boxes(&self, padding: &Padding, _: Frame, boxes: &mut [BBox]) {
        padding.pad_boxes(boxes);
    }

    fn at_evaluation(&self, _: Frame) -> Option<AnyTransform> {
        let position =
            if self.position == Position::Random { Position::Center } else { self.position };
        Some(PadIfNeeded { position, ..self.clone() }.into())
    }

    fn is_settled(&self) -> bool {
        self.position != Position::Random
    }
}
