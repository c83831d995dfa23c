//! Means along a line, as a moving camera makes them: Albumentations' `MotionBlur`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filter::{LARGEST_KERNEL, correlate};
use super::image::{Frame, Image};
use super::parameters::{Kernels, Range};
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Means along a line, as a moving camera makes them: `{ motion-blur = 7, angle-range = [0, 360],
/// direction-range = [-1, 1], allow-shifted = true }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MotionBlur {
    /// The size of the kernel, an odd number: the greatest, or the least and the greatest.
    motion_blur: Kernels,
    /// The angle of the line in degrees.
    #[serde(default = "angle_range")]
    angle_range: Range,
    /// To where the line goes from the middle: −1 backwards alone, 0 both ways, 1 forwards alone.
    #[serde(default = "direction_range")]
    direction_range: Range,
    /// Whether the line may lie beside the middle.
    #[serde(default = "allow_shifted")]
    allow_shifted: bool,
}

fn angle_range() -> Range {
    Range::new(0.0, 360.0)
}

fn direction_range() -> Range {
    Range::new(-1.0, 1.0)
}

fn allow_shifted() -> bool {
    true
}

/// What [`MotionBlur`] draws.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Drawn {
    kernel: usize,
    angle: f64,
    direction: f64,
    /// How far the line is moved, in parts of a quarter of the kernel, to the right and down.
    shift: [f64; 2],
}

impl Transform for MotionBlur {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.motion_blur.check("motion-blur", LARGEST_KERNEL)?;
        self.angle_range.check("angle-range", 0.0, 360.0)?;
        self.direction_range.check("direction-range", -1.0, 1.0)?;
        Ok(frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Drawn {
        let kernel = self.motion_blur.draw(stream);
        let angle = self.angle_range.draw(stream);
        let direction = self.direction_range.draw(stream);
        let mut shift = [0.0; 2];
        if self.allow_shifted {
            shift = shift.map(|_| Range::new(-1.0, 1.0).draw(stream));
        }
        Drawn { kernel, angle, direction, shift }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        correlate(image, &kernel(drawn), drawn.kernel);
    }
}

/// Equal weights on the pixels that the line meets.
fn kernel(drawn: &Drawn) -> Vec<f32> {
    let Drawn { kernel: size, angle, direction, shift } = *drawn;
    let length = (size / 2) as f64;
    let (dy, dx) = libm::sincos(angle.to_radians());
    let start = -length * (1.0 - direction.max(0.0));
    let end = length * (1.0 + direction.min(0.0));
    let mut kernel = vec![0.0; size * size];
    for point in 0..size {
        let t = start + (end - start) / (size - 1) as f64 * point as f64;
        let place = |along: f64, shift: f64| {
            let at = length + along * t + shift * length / 2.0;
            at.round_ties_even().clamp(0.0, (size - 1) as f64) as usize
        };
        kernel[place(dy, shift[1]) * size + place(dx, shift[0])] = 1.0;
    }
    let sum: f32 = kernel.iter().sum();
    kernel.iter_mut().for_each(|weight| *weight /= sum);
    kernel
}
