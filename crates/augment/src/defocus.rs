//! Means over a disc, as a lens out of focus makes them: Albumentations' `Defocus` (Hendrycks and
//! Dietterich, "Benchmarking neural network robustness to common corruptions and perturbations",
//! ICLR 2019).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filter::correlate;
use super::image::{Frame, Image};
use super::parameters::{Border, Range, UpTo};
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Means over a disc, as a lens out of focus makes them: `{ defocus = 10, alias-blur = [0.1, 0.5]
/// }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Defocus {
    /// The radius of the disc in pixels: the greatest, or the least and the greatest.
    defocus: UpTo<1>,
    /// The standard deviation by which the edge of the disc is blurred: the greatest, or the least
    /// and the greatest.
    #[serde(default = "alias_blur")]
    alias_blur: UpTo<0>,
}

fn alias_blur() -> UpTo<0> {
    UpTo(Range::new(0.1, 0.5))
}

/// What [`Defocus`] draws.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Drawn {
    radius: i64,
    alias_blur: f64,
}

impl Transform for Defocus {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.defocus.check("defocus", 50.0)?;
        self.alias_blur.check("alias-blur", 100.0)?;
        Ok(frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Drawn {
        let radius = self.defocus.0.draw_whole(stream);
        Drawn { radius, alias_blur: self.alias_blur.0.draw(stream) }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        let (kernel, size) = kernel(drawn);
        correlate(image, &kernel, size);
    }
}

/// The blurred disc, and its size.
fn kernel(drawn: &Drawn) -> (Vec<f32>, usize) {
    let Drawn { radius, alias_blur } = *drawn;
    let reach = radius.max(8);
    let size = (2 * reach + 1) as usize;
    let squares = || (-reach..=reach).map(|x| x * x);
    let disc: Vec<f64> = squares()
        .flat_map(|y| squares().map(move |x| f64::from(x + y <= radius * radius)))
        .collect();
    let area: f64 = disc.iter().sum();
    let blur_reach = if radius <= 8 { 1 } else { 2 };
    // For a deviation of 0 OpenCV takes binomial weights.
    let weight = |x: i32| match (alias_blur > 0.0, blur_reach) {
        (true, _) => libm::exp(-0.5 * (f64::from(x) / alias_blur).powi(2)),
        (false, 1) => [2.0, 1.0][x.unsigned_abs() as usize],
        (false, _) => [6.0, 4.0, 1.0][x.unsigned_abs() as usize],
    };
    let sum: f64 = (-blur_reach..=blur_reach).map(weight).sum();
    let blurred = |values: &[f64], step: usize| -> Vec<f64> {
        let value = |i: usize| {
            let at = i / step % size;
            let around = (-blur_reach..=blur_reach).map(|dx| {
                let from = Border::Reflect101.place(at as isize + dx as isize, size).unwrap_or(at);
                values[i - at * step + from * step] * weight(dx)
            });
            around.sum::<f64>() / sum
        };
        (0..values.len()).map(value).collect()
    };
    let kernel = blurred(&blurred(&disc, 1), size);
    (kernel.into_iter().map(|weight| (weight / area) as f32).collect(), size)
}
