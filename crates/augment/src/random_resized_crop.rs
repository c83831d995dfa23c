//! A window of any size and shape, brought to one size: Albumentations' `RandomResizedCrop`; the
//! crop of Szegedy et al., "Going deeper with convolutions" (CVPR 2015).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::boxes::BBox;
use super::image::{Frame, Image};
use super::parameters::{Interpolation, Range};
use super::registry::AnyTransform;
use super::resample;
use super::resize::Resize;
use super::size::Size;
use super::transform::{Fault, Scene, Transform};
use super::window::Window;
use candlewick_basis::seed::Stream;

/// A window of any size and shape, brought to one size: `{ random-resized-crop = 32, scale = [0.08,
/// 1.0], ratio = [0.75, 1.3333333333333333] }`; validation and test images are resized.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RandomResizedCrop {
    /// Height and width of what comes out.
    random_resized_crop: Size,
    /// The part of the image's area that is cropped.
    #[serde(default = "scale")]
    scale: Range,
    /// Width by height of what is cropped.
    #[serde(default = "ratio")]
    ratio: Range,
    /// How values between pixels are found.
    #[serde(default)]
    interpolation: Interpolation,
}

fn scale() -> Range {
    Range::new(0.08, 1.0)
}

fn ratio() -> Range {
    Range::new(0.75, 4.0 / 3.0)
}

/// How often a window is drawn before the middle of the image is taken.
const TRIES: usize = 10;

impl Transform for RandomResizedCrop {
    type Drawn = Window;

    const P: f64 = 1.0;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.scale.check("scale", 0.0, 1.0)?;
        self.ratio.check("ratio", 0.01, 100.0)?;
        self.random_resized_crop.check("random-resized-crop", frame)
    }

    fn draw(&self, scene: &Scene, stream: &mut Stream) -> Window {
        let Frame { height, width, .. } = scene.frame;
        let Range { low, high } = self.ratio;
        let whole = |side: f64| side.round_ties_even() as usize;
        for _ in 0..TRIES {
            let area = self.scale.draw(stream) * (height * width) as f64;
            let ratio = libm::exp(Range::new(libm::log(low), libm::log(high)).draw(stream));
            let size =
                Size { height: whole((area / ratio).sqrt()), width: whole((area * ratio).sqrt()) };
            if (1..=height).contains(&size.height) && (1..=width).contains(&size.width) {
                return Window::draw(size, scene.frame, stream);
            }
        }
        let ratio = width as f64 / height as f64;
        let size = if ratio < low {
            Size { height: whole(width as f64 / low), width }
        } else if ratio > high {
            Size { height, width: whole(height as f64 * high) }
        } else {
            Size { height, width }
        };
        // Rounded, it can be nothing.
        let size = Size { height: size.height.max(1), width: size.width.max(1) };
        Window::central(size, scene.frame)
    }

    fn pixels(&self, window: &Window, image: &mut Image) {
        window.crop(image);
        let Size { height, width } = self.random_resized_crop;
        resample::resize(image, image.frame().sized(height, width), self.interpolation);
    }

    fn boxes(&self, window: &Window, frame: Frame, boxes: &mut [BBox]) {
        window.crop_boxes(boxes);
        let Size { height, width } = self.random_resized_crop;
        let cropped = frame.sized(window.height, window.width);
        resample::resize_boxes(boxes, cropped, frame.sized(height, width));
    }

    fn at_evaluation(&self, _: Frame) -> Option<AnyTransform> {
        Some(Resize::new(self.random_resized_crop, self.interpolation).into())
    }

    fn takes_any_size(&self, _: Frame) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlewick_basis::seed::derive;

    #[test]
    fn windows_are_as_large_and_lie_where_those_of_albumentations_do() {
        let crop: RandomResizedCrop =
            serde_json::from_str(r#"{ "random-resized-crop": 8 }"#).unwrap();
        let frame = Frame { height: 24, width: 31, channels: 3 };
        let mut stream = derive(1, "windows", &[]);
        let draws = 20_000;
        let mut sums = [0; 4];
        for _ in 0..draws {
            let Window { top, left, height, width } =
                crop.draw(&Scene { frame, boxes: &[] }, &mut stream);
            sums.iter_mut().zip([width, height, left, top]).for_each(|(sum, side)| *sum += side);
        }
        // The mean of 20 000 draws by Albumentations 2.0.8.
        for (sum, expected) in sums.into_iter().zip([18.21, 17.52, 6.39, 3.23]) {
            assert!((sum as f64 / f64::from(draws) - expected).abs() < 0.15);
        }
    }
}
