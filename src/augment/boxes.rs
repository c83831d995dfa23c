//! Bounding boxes, which follow the geometry of their image.

use serde::{Deserialize, Serialize};

use super::image::Frame;

/// A box of pixels: from the left edge of its first column to the right edge of its last one. The
/// corners of the image are (0, 0) and (width, height).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BBox {
    /// Left edge.
    pub x_min: f64,
    /// Upper edge.
    pub y_min: f64,
    /// Right edge.
    pub x_max: f64,
    /// Lower edge.
    pub y_max: f64,
    /// What is in it, or which of an image's boxes it is; transforms hand it on.
    pub label: u32,
}

impl BBox {
    /// Width times height, in pixels.
    pub fn area(&self) -> f64 {
        (self.x_max - self.x_min).max(0.0) * (self.y_max - self.y_min).max(0.0)
    }

    /// The box around its four corners after `map` has moved each.
    pub fn moved(&self, map: impl Fn(f64, f64) -> (f64, f64)) -> BBox {
        let corners = [
            map(self.x_min, self.y_min),
            map(self.x_max, self.y_min),
            map(self.x_max, self.y_max),
            map(self.x_min, self.y_max),
        ];
        BBox::around(corners, self.label)
    }

    /// The smallest box around `points`.
    pub fn around(points: impl IntoIterator<Item = (f64, f64)>, label: u32) -> BBox {
        let nothing = BBox {
            x_min: f64::INFINITY,
            y_min: f64::INFINITY,
            x_max: f64::NEG_INFINITY,
            y_max: f64::NEG_INFINITY,
            label,
        };
        points.into_iter().fold(nothing, |all, (x, y)| BBox {
            x_min: all.x_min.min(x),
            y_min: all.y_min.min(y),
            x_max: all.x_max.max(x),
            y_max: all.y_max.max(y),
            label,
        })
    }

    /// The part of the box that lies in an image of `frame`.
    pub fn clipped(&self, frame: Frame) -> BBox {
        let (width, height) = (frame.width as f64, frame.height as f64);
        BBox {
            x_min: self.x_min.clamp(0.0, width),
            y_min: self.y_min.clamp(0.0, height),
            x_max: self.x_max.clamp(0.0, width),
            y_max: self.y_max.clamp(0.0, height),
            label: self.label,
        }
    }
}

/// Which boxes are left after a transform, as Albumentations' `BboxParams`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BoxRules {
    /// Boxes with fewer pixels (after clipping) are dropped.
    #[serde(default)]
    pub min_area: f64,
    /// Boxes of which a smaller part lies in the image than this are dropped.
    #[serde(default)]
    pub min_visibility: f64,
}

impl Default for BoxRules {
    fn default() -> BoxRules {
        BoxRules { min_area: 0.0, min_visibility: 0.0 }
    }
}

impl BoxRules {
    /// Clips `boxes` to an image of `frame` and drops those of which too little is left.
    pub fn apply(&self, boxes: &mut Vec<BBox>, frame: Frame) {
        boxes.retain_mut(|bbox| {
            let whole = bbox.area();
            *bbox = bbox.clipped(frame);
            let left = bbox.area();
            left > 0.0 && left >= self.min_area && left >= self.min_visibility * whole
        });
    }
}
