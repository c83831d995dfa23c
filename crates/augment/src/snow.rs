//! Snow: Albumentations' `RandomSnow`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bytes::{rounded, whole};
use super::gaussian::{blur, kernel};
use super::hls;
use super::image::{Frame, Image};
use super::noise::{BLOCK, Field, Normal};
use super::parameters::Range;
use super::simd::vectorised;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Snow: `{ snow = [0.1, 0.3], brightness-coeff = 2.5, method = "bleach" }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Snow {
    /// How much snow lies (`snow_point_range` of Albumentations).
    snow: Range,
    /// What the lightness of dark pixels is multiplied by.
    #[serde(default = "bright")]
    brightness_coeff: f64,
    /// "bleach" makes dark pixels bright, "texture" lays noise over the image, more at its top.
    #[serde(default)]
    method: Method,
}

fn bright() -> f64 {
    2.5
}

/// How snow is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Method {
    /// Dark pixels become bright.
    #[default]
    Bleach,
    /// Noise is laid over the image.
    Texture,
}

/// How much snow lies, and the key of its texture.
#[derive(Serialize, Deserialize)]
pub struct Drawn {
    snow_point: f64,
    key: u64,
}

impl Transform for Snow {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        frame.coloured("snow")?;
        self.snow.check("snow", 0.0, 1.0)?;
        let brightness = self.brightness_coeff;
        Range::new(brightness, brightness).check("brightness-coeff", 0.0, 255.0)?;
        Ok(frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Drawn {
        Drawn { snow_point: self.snow.draw(stream), key: stream.next_u64() }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        match self.method {
            Method::Bleach => self.bleach(drawn, image),
            Method::Texture => self.lay(drawn, image),
        }
    }
}

type Planes = [[f32; BLOCK]; 3];

/// Has `change` change colours, channels apart and many at once; it gets their place in the image.
#[inline(always)]
fn recolour(pixels: &mut [[u8; 3]], change: impl Fn(usize, &mut Planes)) {
    for (index, pixels) in pixels.chunks_mut(BLOCK).enumerate() {
        let mut planes = [[0.0f32; BLOCK]; 3];
        let [red, green, blue] = &mut planes;
        for (place, [r, g, b]) in pixels.iter().enumerate() {
            red[place] = f32::from(*r);
            green[place] = f32::from(*g);
            blue[place] = f32::from(*b);
        }
        change(index * BLOCK, &mut planes);
        let [red, green, blue] = &planes;
        for (place, pixel) in pixels.iter_mut().enumerate() {
            *pixel = [red[place], green[place], blue[place]].map(rounded);
        }
    }
}

/// One step of it: the numbers of each pixel for others.
#[inline(always)]
fn each(planes: &mut Planes, change: impl Fn(usize, [f32; 3]) -> [f32; 3]) {
    let [a, b, c] = planes;
    for place in 0..BLOCK {
        [a[place], b[place], c[place]] = change(place, [a[place], b[place], c[place]]);
    }
}

impl Snow {
    fn bleach(&self, drawn: &Drawn, image: &mut Image) {
        let below = (drawn.snow_point * 127.5 + 85.0) as f32;
        let factor = self.brightness_coeff as f32;
        let (pixels, _) = image.pixels_mut().as_chunks_mut::<3>();
        vectorised(
            #[inline(always)]
            || {
                recolour(
                    pixels,
                    #[inline(always)]
                    |_, planes| {
                        each(
                            planes,
                            #[inline(always)]
                            |_, rgb| hls::of_rgb(rgb.map(|value| value * (1.0 / 255.0))),
                        );
                        each(
                            planes,
                            #[inline(always)]
                            |_, [hue, lightness, saturation]| {
                                // Hue in steps of 2 degrees, the others of 1/255, as OpenCV's bytes.
                                let hue = whole(hue * 0.5) * 2.0;
                                let lightness = whole(lightness * 255.0);
                                let saturation = whole(saturation * 255.0) * (1.0 / 255.0);
                                let factor = if lightness < below { factor } else { 1.0 };
                                let lightness = (lightness * factor).min(255.0).floor();
                                [hue, lightness * (1.0 / 255.0), saturation]
                            },
                        );
                        each(
                            planes,
                            #[inline(always)]
                            |_, hls| hls::to_rgb(hls).map(|value| value * 255.0),
                        );
                    },
                );
            },
        );
    }

    fn lay(&self, drawn: &Drawn, image: &mut Image) {
        let Frame { height, width, .. } = image.frame();
        let (field, normal) = (Field::new(drawn.key), Normal::table());
        let mut texture = vec![0.0f32; height * width];
        for (index, values) in texture.chunks_mut(BLOCK).enumerate() {
            for (value, word) in values.iter_mut().zip(&field.block(index)) {
                *value = 0.5 + 0.3 * normal.of(*word);
            }
        }
        // Albumentations blurs twice with a deviation of 1.
        blur(&mut texture, [height, width, 1], &kernel(13, 2.0_f64.sqrt()));
        let point = drawn.snow_point as f32;
        let last = (height.max(2) - 1) as f32;
        for (row, values) in texture.chunks_exact_mut(width).enumerate() {
            let depth = 1.0 - 0.8 * row as f32 / last;
            values.iter_mut().for_each(|value| *value *= depth * 255.0 * point);
        }
        // Room for the last block.
        texture.resize((height * width).next_multiple_of(BLOCK), 0.0);
        let brighter = (1.0 + self.brightness_coeff * drawn.snow_point) as f32;
        let tint = [0.6, 0.75, 1.0].map(|tint| tint * 0.15 * point);
        let (pixels, _) = image.pixels_mut().as_chunks_mut::<3>();
        vectorised(
            #[inline(always)]
            || {
                recolour(
                    pixels,
                    #[inline(always)]
                    |start, planes| {
                        let texture = &texture[start..start + BLOCK];
                        each(
                            planes,
                            #[inline(always)]
                            |place, [r, g, b]| {
                                let value = r.max(g).max(b);
                                let chroma = value - r.min(g).min(b);
                                let step = 30.0 / chroma.max(1.0);
                                let later = if value == g {
                                    (b - r) * step + 60.0
                                } else {
                                    (r - g) * step + 120.0
                                };
                                let hue = if value == r { (g - b) * step } else { later };
                                let hue = whole(if hue < 0.0 { hue + 180.0 } else { hue });
                                let saturation = whole(chroma * 255.0 / value.max(1.0));
                                let value = (value * brighter).min(255.0);
                                // Albumentations adds the snow to hue and saturation, too. Values above 255, which
                                // become dark there, are white.
                                let snowy = |value: f32, tint: f32| {
                                    ((value + texture[place]) * 0.85 + tint)
                                        .clamp(0.0, 255.0)
                                        .floor()
                                };
                                let hue = snowy(hue, tint[0]) * (1.0 / 30.0);
                                let saturation = snowy(saturation, tint[1]) * (1.0 / 255.0);
                                let value = snowy(value, tint[2]);
                                let channel = |turn: f32| {
                                    let at = hue + turn;
                                    let at = at - (at * (1.0 / 6.0)).floor() * 6.0;
                                    value - value * saturation * at.min(4.0 - at).clamp(0.0, 1.0)
                                };
                                [channel(5.0), channel(3.0), channel(1.0)]
                            },
                        );
                    },
                );
            },
        );
        // One pixel of a hundred glitters.
        let glitter = Stream::keyed(!drawn.key);
        for (pixel, place) in pixels.iter_mut().zip(0..) {
            if glitter.at(place) >> 32 > 0xfd70_a3d7 {
                *pixel = [255; 3];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texture_brightens_as_much_as_that_of_albumentations() {
        // RandomSnow((0.2, 0.2), method="texture") on a flat (100, 60, 60): means of the channels in
        // the upper and the lower 20 of 128 rows; 1.0 % of pixels are white.
        let transform: Snow =
            serde_json::from_str(r#"{"snow": 0.2, "method": "texture"}"#).unwrap();
        let frame = Frame { height: 128, width: 160, channels: 3 };
        let mut image = Image::new(frame, [100, 60, 60].repeat(128 * 160));
        transform.pixels(&Drawn { snow_point: 0.2, key: 4 }, &mut image);
        let bytes = 20 * 160 * 3;
        let upper = &image.pixels()[..bytes];
        let lower = &image.pixels()[frame.bytes() - bytes..];
        for (part, expected) in [(upper, [148.5, 127.7, 86.8]), (lower, [133.9, 94.4, 86.2])] {
            for (c, expected) in expected.into_iter().enumerate() {
                let channel = part.iter().skip(c).step_by(3).map(|value| f64::from(*value));
                let mean = channel.sum::<f64>() / (20.0 * 160.0);
                assert!((mean - expected).abs() < 2.0, "{c}: {mean}");
            }
        }
        let white = image.pixels().chunks(3).filter(|pixel| *pixel == [255; 3]).count();
        assert!((140..270).contains(&white), "{white}");
    }
}
