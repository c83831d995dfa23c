//! Seen from another side: Albumentations' `Perspective`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::boxes::BBox;
use super::image::{Frame, Image};
use super::parameters::{Border, Fill, Interpolation, Range};
use super::projection::Projection;
use super::transform::{Fault, Scene, Transform};
use super::warp::Sampling;
use candlewick_basis::seed::Stream;

/// Seen from another side: `{ perspective = [0.05, 0.1], interpolation = "linear", border =
/// "constant", fill = 0 }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Perspective {
    /// The standard deviation of the distances by which corners move inwards, as a part of the
    /// image; one is drawn from this range for each image.
    perspective: Range,
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

/// What is drawn for one image.
#[derive(Serialize, Deserialize)]
pub struct Drawn {
    /// How far the corners at top left, top right, bottom right and bottom left move inwards along x
    /// and y, as a part of width and height.
    jitter: [[f64; 2]; 4],
}

/// Corners do not move farther than this part of the image.
const FARTHEST: f64 = 0.32;

impl Drawn {
    /// The map that makes an image of the quadrilateral between the corners.
    fn projection(&self, frame: Frame) -> Projection {
        let (height, width) = (frame.height as f64, frame.width as f64);
        let [tl, tr, br, bl] = self.jitter;
        let mut corners = [
            [tl[0], tl[1]],
            [1.0 - tr[0], tr[1]],
            [1.0 - br[0], 1.0 - br[1]],
            [bl[0], 1.0 - bl[1]],
        ]
        .map(|[x, y]| [f64::from((x * width) as f32), f64::from((y * height) as f32)]);
        let across = distance(&mut corners, 1, 0).max(distance(&mut corners, 2, 3));
        let down = distance(&mut corners, 2, 1).max(distance(&mut corners, 3, 0));
        let image = [[0.0, 0.0], [width, 0.0], [width, height], [0.0, height]];
        // Albumentations scales once more, by how much larger the image is than the quadrilateral.
        Projection::scaling(width / across.trunc(), height / down.trunc())
            .after(Projection::between(corners, image))
    }
}

/// How far two corners lie apart; less than two pixels are made two.
fn distance(corners: &mut [[f64; 2]; 4], a: usize, b: usize) -> f64 {
    let [x, y] = [0, 1].map(|axis| corners[a][axis] - corners[b][axis]);
    let size = libm::hypot(x, y);
    if size >= 2.0 {
        return size;
    }
    let step = (2.0 - size) / 2.0;
    for axis in 0..2 {
        let sign = if corners[a][axis] > corners[b][axis] { 1.0 } else { -1.0 };
        corners[a][axis] += sign * step;
        corners[b][axis] -= sign * step;
    }
    2.0
}

impl Transform for Perspective {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.perspective.check("perspective", 0.0, 1.0)?;
        Ok(frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Drawn {
        let scale = self.perspective.draw(stream);
        let jitter = [(); 4].map(|()| [(); 2].map(|()| (scale * stream.normal()).abs() % FARTHEST));
        Drawn { jitter }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        let Perspective { interpolation, border, fill, .. } = *self;
        let projection = drawn.projection(image.frame());
        projection.move_pixels(image, Sampling { interpolation, border, fill });
    }

    fn boxes(&self, drawn: &Drawn, frame: Frame, boxes: &mut [BBox]) {
        drawn.projection(frame).move_boxes(boxes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlewick_basis::seed::derive;

    #[test]
    fn corners_move_as_far_as_those_of_albumentations() {
        let perspective: Perspective =
            serde_json::from_str(r#"{ "perspective": [0.05, 0.1] }"#).unwrap();
        let frame = Frame { height: 9, width: 9, channels: 1 };
        let mut stream = derive(1, "corners", &[]);
        let draws = 5_000;
        let total: f64 = (0..draws)
            .map(|_| {
                let drawn = perspective.draw(&Scene { frame, boxes: &[] }, &mut stream);
                drawn.jitter.iter().flatten().sum::<f64>() / 8.0
            })
            .sum();
        // The mean of 20 000 draws by Albumentations 2.0.8.
        assert!((total / f64::from(draws) - 0.0600).abs() < 0.001);
    }
}
