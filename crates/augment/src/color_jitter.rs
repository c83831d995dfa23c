//! Brightness, contrast, saturation and hue, in any order: Albumentations' `ColorJitter`, as
//! torchvision defines it.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::colour::{LANES, change_colours, from_hsv, grays, need_colours, to_hsv};
use super::hue_saturation_value::{hue_turn, turn_hues};
use super::image::{Frame, Image};
use super::lut::{cut_lut, look_up};
use super::parameters::{Limit, Range};
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;
use candlewick_basis::written::written;

/// Brightness, contrast, saturation and hue, in any order: `{ color-jitter = [0.2, 0.2, 0.2, 0.1]
/// }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ColorJitter {
    /// Factors of brightness, contrast and saturation, each as the least and the greatest or as how
    /// far from 1; and how far the hue is turned, in parts of a circle.
    color_jitter: (Factor, Factor, Factor, Limit),
}

/// A range of factors that one number x makes 1 − x to 1 + x, and at least 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Factor(Range);

written!(Factor, "Factor", {
    "description": "How far from 1 a factor may be, or two numbers between which one is drawn.",
    "type": ["number", "array"],
    "items": { "type": "number" },
    "minItems": 2,
    "maxItems": 2,
});

impl<'de> Deserialize<'de> for Factor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a number, or two for a range")]
        enum Written {
            One(f64),
            Two([f64; 2]),
        }
        Ok(Factor(match Written::deserialize(deserializer)? {
            Written::One(x) => Range::new((1.0 - x).max(0.0), 1.0 + x),
            Written::Two([low, high]) => Range::new(low, high),
        }))
    }
}

/// What [`ColorJitter`] draws.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Drawn {
    brightness: f64,
    contrast: f64,
    saturation: f64,
    hue: f64,
    order: [Change; 4],
}

/// What is changed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Change {
    Brightness,
    Contrast,
    Saturation,
    Hue,
}

impl Transform for ColorJitter {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        let (brightness, contrast, saturation, hue) = self.color_jitter;
        for factor in [brightness, contrast, saturation] {
            factor.0.check("color-jitter", 0.0, 1000.0)?;
        }
        hue.check("color-jitter", -0.5, 0.5)?;
        need_colours("color-jitter", frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Drawn {
        let (brightness, contrast, saturation, hue) = self.color_jitter;
        let [brightness, contrast, saturation] =
            [brightness, contrast, saturation].map(|factor| factor.0.draw(stream));
        let hue = hue.draw(stream);
        let mut order = [Change::Brightness, Change::Contrast, Change::Saturation, Change::Hue];
        stream.shuffle(&mut order);
        Drawn { brightness, contrast, saturation, hue, order }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        for change in drawn.order {
            match change {
                Change::Brightness => brighten(image, drawn.brightness),
                Change::Contrast => contrast(image, drawn.contrast),
                Change::Saturation => saturate(image, drawn.saturation),
                Change::Hue => turn_hue(image, drawn.hue),
            }
        }
    }
}

fn brighten(image: &mut Image, factor: f64) {
    if factor != 1.0 {
        look_up(image, &cut_lut(|x| x * factor as f32));
    }
}

/// Moves all values towards the mean brightness, or away from it.
fn contrast(image: &mut Image, factor: f64) {
    if factor == 1.0 {
        return;
    }
    // Black fills the last block and does not count.
    let mut sum = 0;
    let Frame { height, width, .. } = image.frame();
    change_colours(
        image,
        #[inline(always)]
        |planes| sum += grays(planes).iter().map(|gray| u32::from(*gray)).sum::<u32>() as u64,
    );
    let mean = sum as f64 / (height * width) as f64;
    if factor == 0.0 {
        image.pixels_mut().fill((mean + 0.5) as u8);
        return;
    }
    let summand = (mean * (1.0 - factor)) as f32;
    look_up(image, &cut_lut(|x| x * factor as f32 + summand));
}

/// Moves colours towards their gray, or away from it.
fn saturate(image: &mut Image, factor: f64) {
    if factor == 1.0 {
        return;
    }
    let (own, other) = (factor as f32, (1.0 - factor) as f32);
    change_colours(
        image,
        #[inline(always)]
        |planes| {
            let grays = grays(planes);
            for plane in planes {
                for i in 0..LANES {
                    let mixed = f32::from(plane[i]).mul_add(own, f32::from(grays[i]) * other);
                    plane[i] = (mixed.clamp(0.0, 255.0) + 8_388_608.0).to_bits() as u8;
                }
            }
        },
    );
}

fn turn_hue(image: &mut Image, circles: f64) {
    if circles == 0.0 {
        return;
    }
    let turn = hue_turn(180.0 * circles);
    change_colours(
        image,
        #[inline(always)]
        |planes| {
            to_hsv(planes);
            turn_hues(&mut planes[0], turn);
            from_hsv(planes);
        },
    );
}
