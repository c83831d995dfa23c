//! Means weighted by a normal distribution: Albumentations' `GaussianBlur`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filter::{LARGEST_KERNEL, correlate_separable};
use super::image::{Frame, Image};
use super::parameters::{Range, UpTo, odd};
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Means weighted by a normal distribution: `{ gaussian-blur = 0, sigma-limit = [0.5, 3.0] }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GaussianBlur {
    /// The size of the kernel: the greatest, or the least and the greatest. 0 lets the standard
    /// deviation decide.
    gaussian_blur: UpTo<0>,
    /// The standard deviation in pixels: the greatest, or the least and the greatest.
    #[serde(default = "sigma_limit")]
    sigma_limit: UpTo<0>,
}

fn sigma_limit() -> UpTo<0> {
    UpTo(Range::new(0.5, 3.0))
}

/// What [`GaussianBlur`] draws.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Drawn {
    sigma: f64,
    kernel: usize,
}

/// The size at which Pillow cuts the distribution off.
fn natural_size(sigma: f64) -> usize {
    (sigma * 3.5) as usize * 2 + 1
}

impl Transform for GaussianBlur {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.gaussian_blur.check("gaussian-blur", LARGEST_KERNEL as f64)?;
        let Range { low, high } = self.gaussian_blur.0;
        for size in [low, high] {
            if size != 0.0 {
                odd("gaussian-blur", size)?;
            }
        }
        // Their natural size is the largest kernel at most.
        self.sigma_limit.check("sigma-limit", 36.0)?;
        Ok(frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Drawn {
        let sigma = self.sigma_limit.0.draw(stream);
        let kernel = match self.gaussian_blur.0.draw_whole(stream) as usize {
            0 => natural_size(sigma),
            size => size | 1,
        };
        Drawn { sigma, kernel }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        correlate_separable(image, &half_kernel(drawn));
    }
}

/// The weights from the middle on.
fn half_kernel(drawn: &Drawn) -> Vec<f32> {
    let Drawn { sigma, kernel } = *drawn;
    // Without deviation all weight lies in the middle.
    let sigma = sigma.max(1e-9);
    let half = (0..=kernel / 2).map(|x| libm::exp(-0.5 * (x as f64 / sigma).powi(2)));
    let half: Vec<f64> = half.collect();
    let sum = half[0] + 2.0 * half[1..].iter().sum::<f64>();
    half.into_iter().map(|weight| (weight / sum) as f32).collect()
}
