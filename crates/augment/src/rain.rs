//! Streaks of rain: Albumentations' `RandomRain`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bytes::rounded;
use super::drawing::line;
use super::image::{Frame, Image};
use super::parameters::{Border, Fill, Range};
use super::simd::vectorised;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Streaks of rain: `{ rain = "default", slant-range = [-10, 10], drop-color = 200, blur-value = 7,
/// brightness-coefficient = 0.7 }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rain {
    /// How much it rains: "drizzle", "default", "heavy" or "torrential" (`rain_type` of
    /// Albumentations).
    rain: Strength,
    /// How far the end of a streak is to the right of its beginning.
    #[serde(default = "ten")]
    slant_range: Range,
    /// Rows of a streak; without it an eighth of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    drop_length: Option<usize>,
    /// Fill of streaks before they are blurred.
    #[serde(default = "light_gray")]
    drop_color: Fill,
    /// Side of the square over which streaks are blurred.
    #[serde(default = "seven")]
    blur_value: usize,
    /// What brightness is multiplied by.
    #[serde(default = "darker")]
    brightness_coefficient: f64,
}

fn ten() -> Range {
    Range::new(-10.0, 10.0)
}

fn light_gray() -> Fill {
    Fill::of([200; 3])
}

fn seven() -> usize {
    7
}

fn darker() -> f64 {
    0.7
}

/// How much it rains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Strength {
    /// A streak for every four rows.
    Drizzle,
    /// A streak for every three rows.
    Default,
    /// A streak for every row.
    Heavy,
    /// Two streaks for every row.
    Torrential,
}

/// Where it rains.
#[derive(Serialize, Deserialize)]
pub struct Drawn {
    slant: f64,
    /// Beginnings of streaks: [x, y].
    drops: Vec<[i64; 2]>,
}

impl Rain {
    fn length(&self, frame: Frame) -> usize {
        self.drop_length.unwrap_or((frame.height / 8).max(1))
    }
}

impl Transform for Rain {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        frame.coloured("rain")?;
        self.slant_range.check("slant-range", -20.0, 20.0)?;
        let brightness = self.brightness_coefficient;
        Range::new(brightness, brightness).check("brightness-coefficient", 0.0, 1.0)?;
        if !(1..=255).contains(&self.blur_value) {
            let message = format!("blur-value = {}: from 1 to 255", self.blur_value);
            return Err(Fault::new("blur-value", message, "from 1 to 255"));
        }
        if let Some(length) = self.drop_length
            && !(1..=frame.height).contains(&length)
        {
            let message = format!("drop-length = {length} does not fit images of {frame}");
            return Err(Fault::new("drop-length", message, "from 1 to the rows of the image"));
        }
        Ok(frame)
    }

    fn draw(&self, scene: &Scene, stream: &mut Stream) -> Drawn {
        let Frame { height, width, .. } = scene.frame;
        let n = match self.rain {
            Strength::Drizzle => height / 4,
            Strength::Default => height / 3,
            Strength::Heavy => height,
            Strength::Torrential => height * 2,
        };
        let rows = height.saturating_sub(self.length(scene.frame)).max(1) as u64;
        let slant = self.slant_range.draw(stream);
        let drop = |_| [stream.below(width as u64) as i64, stream.below(rows) as i64];
        Drawn { slant, drops: (0..n).map(drop).collect() }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        let frame = image.frame();
        if drawn.drops.is_empty() || frame.channels != 3 {
            return;
        }
        let Frame { height, width, .. } = frame;
        let mut streaks = vec![0u16; height * width];
        for [x, y] in &drawn.drops {
            let end_x = (*x as f64 + drawn.slant) as i64;
            let end_y = y + self.length(frame) as i64;
            line([*x, *y], [end_x, end_y], true, |x, y| {
                if (0..width as i64).contains(&x) && (0..height as i64).contains(&y) {
                    streaks[y as usize * width + x as usize] = 1;
                }
            });
        }
        // The mean over a square follows from how much of it is streaks.
        let k = self.blur_value;
        let tables = self.drop_color.channels().map(|value| -> Vec<u8> {
            let area = (k * k) as f32;
            (0..=k * k).map(|count| rounded(count as f32 * f32::from(value) / area)).collect()
        });
        let place = |at: usize, length: usize| {
            Border::Reflect101.place(at as isize - (k / 2) as isize, length).unwrap_or(0)
        };
        let mut down = vec![0u16; width];
        let mut padded = vec![0u16; width + k];
        let mut layer = vec![0u8; 3 * width];
        let brightness = self.brightness_coefficient as f32;
        for tap in 0..k {
            let row = &streaks[place(tap, height) * width..][..width];
            down.iter_mut().zip(row).for_each(|(sum, streak)| *sum += streak);
        }
        let columns: Vec<usize> = (0..width + k).map(|at| place(at, width)).collect();
        vectorised(
            #[inline(always)]
            || {
                for (row, pixels) in image.pixels_mut().chunks_exact_mut(3 * width).enumerate() {
                    for (padded, column) in padded.iter_mut().zip(&columns) {
                        *padded = down[*column];
                    }
                    let mut sum: u16 = padded[..k].iter().sum();
                    for (at, pixel) in layer.as_chunks_mut::<3>().0.iter_mut().enumerate() {
                        for (value, table) in pixel.iter_mut().zip(&tables) {
                            *value = table[usize::from(sum)];
                        }
                        sum = sum + padded[at + k] - padded[at];
                    }
                    for (value, light) in pixels.iter_mut().zip(&layer) {
                        *value = rounded(f32::from(value.saturating_add(*light)) * brightness);
                    }
                    if row + 1 < height {
                        let new = &streaks[place(row + k, height) * width..][..width];
                        let old = &streaks[place(row, height) * width..][..width];
                        for ((sum, new), old) in down.iter_mut().zip(new).zip(old) {
                            *sum = *sum + new - old;
                        }
                    }
                }
            },
        );
    }
}
