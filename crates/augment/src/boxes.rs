//! Bounding boxes, which follow the geometry of their image.

use schemars::JsonSchema;
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

/// How boxes are written as four numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BoxFormat {
    /// Left, upper, right and lower edge in pixels.
    #[default]
    PascalVoc,
    /// Left and upper edge, width and height in pixels.
    Coco,
    /// Centre, width and height as parts of the image's width and height.
    Yolo,
    /// Left, upper, right and lower edge as parts of the image's width and height.
    Albumentations,
}

impl BoxFormat {
    /// The box that `numbers` say in an image of `frame`.
    pub fn read(self, numbers: [f64; 4], frame: Frame, label: u32) -> BBox {
        let [a, b, c, d] = numbers;
        let (width, height) = (frame.width as f64, frame.height as f64);
        let [x_min, y_min, x_max, y_max] = match self {
            BoxFormat::PascalVoc => [a, b, c, d],
            BoxFormat::Coco => [a, b, a + c, b + d],
            BoxFormat::Yolo => {
                let (half_width, half_height) = (c / 2.0, d / 2.0);
                [
                    (a - half_width) * width,
                    (b - half_height) * height,
                    (a + half_width) * width,
                    (b + half_height) * height,
                ]
            }
            BoxFormat::Albumentations => [a * width, b * height, c * width, d * height],
        };
        BBox { x_min, y_min, x_max, y_max, label }
    }

    /// The four numbers for `bbox` in an image of `frame`.
    pub fn write(self, bbox: &BBox, frame: Frame) -> [f64; 4] {
        let BBox { x_min, y_min, x_max, y_max, .. } = *bbox;
        let (width, height) = (frame.width as f64, frame.height as f64);
        match self {
            BoxFormat::PascalVoc => [x_min, y_min, x_max, y_max],
            BoxFormat::Coco => [x_min, y_min, x_max - x_min, y_max - y_min],
            BoxFormat::Yolo => [
                (x_min + x_max) / 2.0 / width,
                (y_min + y_max) / 2.0 / height,
                (x_max - x_min) / width,
                (y_max - y_min) / height,
            ],
            BoxFormat::Albumentations => {
                [x_min / width, y_min / height, x_max / width, y_max / height]
            }
        }
    }

    /// What the four numbers are called in a table.
    pub fn columns(self) -> [&'static str; 4] {
        match self {
            BoxFormat::PascalVoc | BoxFormat::Albumentations => ["x1", "y1", "x2", "y2"],
            BoxFormat::Coco => ["x", "y", "width", "height"],
            BoxFormat::Yolo => ["x_center", "y_center", "width", "height"],
        }
    }
}

/// Which boxes are left after a transform, as Albumentations' `BboxParams`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Frame = Frame { height: 50, width: 200, channels: 3 };

    #[test]
    fn every_format_says_the_same_box_and_reads_what_it_writes() {
        let bbox = BBox { x_min: 20.0, y_min: 10.0, x_max: 120.0, y_max: 40.0, label: 3 };
        for (format, numbers) in [
            (BoxFormat::PascalVoc, [20.0, 10.0, 120.0, 40.0]),
            (BoxFormat::Coco, [20.0, 10.0, 100.0, 30.0]),
            (BoxFormat::Yolo, [0.35, 0.5, 0.5, 0.6]),
            (BoxFormat::Albumentations, [0.1, 0.2, 0.6, 0.8]),
        ] {
            for (found, expected) in format.write(&bbox, FRAME).into_iter().zip(numbers) {
                assert!((found - expected).abs() < 1e-12, "{format:?}");
            }
            let read = format.read(numbers, FRAME, 3);
            assert!((read.x_max - 120.0).abs() < 1e-9 && (read.y_min - 10.0).abs() < 1e-9);
        }
    }

    #[test]
    fn boxes_are_clipped_and_dropped_when_too_little_is_left() {
        let boxes = [
            BBox { x_min: -10.0, y_min: 0.0, x_max: 10.0, y_max: 20.0, label: 0 },
            BBox { x_min: 190.0, y_min: 0.0, x_max: 230.0, y_max: 20.0, label: 1 },
            BBox { x_min: 0.0, y_min: 45.0, x_max: 2.0, y_max: 50.0, label: 2 },
            BBox { x_min: 210.0, y_min: 0.0, x_max: 230.0, y_max: 20.0, label: 3 },
        ];
        let left = |rules: BoxRules| {
            let mut boxes = boxes.to_vec();
            rules.apply(&mut boxes, FRAME);
            boxes.iter().map(|bbox| (bbox.label, bbox.area())).collect::<Vec<_>>()
        };
        assert_eq!(left(BoxRules::default()), [(0, 200.0), (1, 200.0), (2, 10.0)]);
        assert_eq!(
            left(BoxRules { min_area: 11.0, min_visibility: 0.0 }),
            [(0, 200.0), (1, 200.0)]
        );
        assert_eq!(left(BoxRules { min_area: 0.0, min_visibility: 0.5 }), [(0, 200.0), (2, 10.0)]);
    }
}
