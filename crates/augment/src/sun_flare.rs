//! The sun in the lens: Albumentations' `RandomSunFlare`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bytes::rounded;
use super::drawing::{disc, disc_rows};
use super::image::{Frame, Image};
use super::parameters::{Fill, Range};
use super::simd::vectorised;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// The sun in the lens: `{ sun-flare = [6, 10], flare-roi = [0, 0, 1, 0.5], src-radius = 400,
/// src-color = 255, angle-range = [0, 1] }`
///
/// By the method "overlay", Albumentations' default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SunFlare {
    /// How many circles of flare (`num_flare_circles_range` of Albumentations).
    sun_flare: Range,
    /// Where the sun may be, in parts of the image: left, top, right, bottom.
    #[serde(default = "upper_half")]
    flare_roi: [f64; 4],
    /// Pixels over which the sun fades.
    #[serde(default = "far")]
    src_radius: usize,
    /// The colour of the sun.
    #[serde(default = "white")]
    src_color: Fill,
    /// The direction of the flare, in parts of a full turn.
    #[serde(default = "any")]
    angle_range: Range,
}

fn upper_half() -> [f64; 4] {
    [0.0, 0.0, 1.0, 0.5]
}

fn far() -> usize {
    400
}

fn white() -> Fill {
    Fill::of([255; 3])
}

fn any() -> Range {
    Range::new(0.0, 1.0)
}

/// The sun and its flare.
#[derive(Serialize, Deserialize)]
pub struct Drawn {
    sun: [i64; 2],
    circles: Vec<Circle>,
}

/// A circle of flare.
#[derive(Serialize, Deserialize)]
pub(super) struct Circle {
    alpha: f64,
    center: [i64; 2],
    radius: usize,
    color: [u8; 3],
}

impl Transform for SunFlare {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        frame.coloured("sun-flare")?;
        self.sun_flare.check("sun-flare", 1.0, 100.0)?;
        self.sun_flare.whole("sun-flare")?;
        let [left, top, right, bottom] = self.flare_roi;
        Range::new(left, right).check("flare-roi", 0.0, 1.0)?;
        Range::new(top, bottom).check("flare-roi", 0.0, 1.0)?;
        self.angle_range.check("angle-range", 0.0, 1.0)?;
        if !(2..=4096).contains(&self.src_radius) {
            let message = format!("src-radius = {}: from 2 to 4096", self.src_radius);
            return Err(Fault::new("src-radius", message, "from 2 to 4096"));
        }
        Ok(frame)
    }

    fn draw(&self, scene: &Scene, stream: &mut Stream) -> Drawn {
        let (height, width) = (scene.frame.height as f64, scene.frame.width as f64);
        let angle = std::f64::consts::TAU * self.angle_range.draw(stream);
        let [left, top, right, bottom] = self.flare_roi;
        let x = (width * Range::new(left, right).draw(stream)) as i64;
        let y = (height * Range::new(top, bottom).draw(stream)) as i64;
        let n = self.sun_flare.draw_whole(stream);
        let step = (libm::hypot(height, width) * 0.01).floor().max(1.0);
        let most_radius = (height * 0.01).floor().max(2.0) as u64;
        let colour = self.src_color.channels();
        let darker = (f64::from(colour.into_iter().max().unwrap_or(0)) * 0.2) as u8;
        let circle = |_| {
            let alpha = Range::new(0.05, 0.2).draw(stream);
            let along = -x as f64 + step * stream.below((width / step).ceil() as u64) as f64;
            let radius = stream.below(most_radius) as usize + 1;
            let color = colour.map(|value| {
                let least = value.saturating_sub(darker);
                least + stream.below(u64::from(value - least) + 1) as u8
            });
            let center = [
                (x as f64 + along * libm::cos(angle)) as i64,
                (y as f64 + along * libm::sin(angle)) as i64,
            ];
            Circle { alpha, center, radius: radius.pow(3), color }
        };
        let circles = (0..n).map(circle).collect();
        Drawn { sun: [x, y], circles }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        let Frame { height, width, channels } = image.frame();
        if channels != 3 {
            return;
        }
        // Circles are opaque on a copy, of which a part is blended in after each of them.
        let mut overlay = image.pixels().to_vec();
        for Circle { alpha, center, radius, color } in &drawn.circles {
            let radius = (*radius).min(1 << 20);
            for (row, left, right) in disc_rows(*center, &disc(radius), [height, width]) {
                let row = &mut overlay[row * width * 3..][..width * 3];
                row[left * 3..right * 3].as_chunks_mut::<3>().0.fill(*color);
            }
            let alpha = *alpha as f32;
            vectorised(
                #[inline(always)]
                || {
                    for (value, over) in image.pixels_mut().iter_mut().zip(&overlay) {
                        *value =
                            rounded(alpha * f32::from(*over) + (1.0 - alpha) * f32::from(*value));
                    }
                },
            );
        }
        // The sun: rings that fade outwards. A pixel of the n-th ring is covered by all discs from
        // the n-th on.
        let rings = self.src_radius / 10;
        let weight: f64 = drawn.circles.iter().map(|c| c.alpha * c.radius as f64).sum();
        let total: f64 = drawn.circles.iter().map(|c| c.radius as f64).sum();
        let most = if total > 0.0 { (weight / total * 5.0).min(1.0) } else { 0.0 };
        let part = |at: usize| if rings > 1 { at as f64 / (rings - 1) as f64 } else { 0.0 };
        let mut ring_of = vec![rings; height * width];
        for ring in (0..rings).rev() {
            let radius = 1.0 + (self.src_radius - 1) as f64 * part(ring);
            for (row, left, right) in disc_rows(drawn.sun, &disc(radius as usize), [height, width])
            {
                ring_of[row * width + left..row * width + right].fill(ring);
            }
        }
        let tables = self.src_color.channels().map(|colour| {
            let mut tables =
                vec![std::array::from_fn::<u8, 256, _>(|value| value as u8); rings + 1];
            for (first, table) in tables.iter_mut().enumerate() {
                for ring in first..rings {
                    let alpha = (most * part(rings - 1 - ring)).powi(3) as f32;
                    for value in table.iter_mut() {
                        let (sun, old) = (f32::from(colour), f32::from(*value));
                        *value = rounded(alpha * sun + (1.0 - alpha) * old);
                    }
                }
            }
            tables
        });
        let (pixels, _) = image.pixels_mut().as_chunks_mut::<3>();
        for (pixel, ring) in pixels.iter_mut().zip(&ring_of) {
            for (value, tables) in pixel.iter_mut().zip(&tables) {
                *value = tables[*ring][usize::from(*value)];
            }
        }
    }
}
