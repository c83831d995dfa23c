//! Colours made gray, in as many channels: Albumentations' `ToGray`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::colour::{LANES, change_colours, grays, need_colours};
use super::image::{Frame, Image};
use super::lab;
use super::parameters::Always;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Colours made gray, in as many channels: `{ to-gray = true, method = "weighted-average" }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ToGray {
    to_gray: Always,
    /// Which gray stands for a colour.
    #[serde(default)]
    method: Method,
}

/// Which gray stands for a colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Method {
    /// Brightness by ITU-R BT.601.
    #[default]
    WeightedAverage,
    /// Lightness in CIELAB.
    FromLab,
    /// The mean of the greatest and the least channel.
    Desaturation,
    /// The mean of all channels.
    Average,
    /// The greatest channel.
    Max,
}

impl Transform for ToGray {
    type Drawn = ();

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        need_colours("to-gray", frame)
    }

    fn draw(&self, _: &Scene, _: &mut Stream) {}

    fn pixels(&self, (): &(), image: &mut Image) {
        match self.method {
            Method::WeightedAverage => change_colours(
                image,
                #[inline(always)]
                |planes| *planes = [grays(planes); 3],
            ),
            Method::FromLab => {
                let tables = lab::tables();
                change_colours(
                    image,
                    #[inline(always)]
                    |planes| {
                        tables.to_lab(planes);
                        *planes = [planes[0]; 3];
                    },
                );
            }
            // Means are cut to whole numbers.
            Method::Desaturation => by_pixel(
                image,
                #[inline(always)]
                |r, g, b| (r.max(g).max(b) + r.min(g).min(b)) / 2,
            ),
            Method::Average => by_pixel(
                image,
                #[inline(always)]
                |r, g, b| (r + g + b) / 3,
            ),
            Method::Max => by_pixel(
                image,
                #[inline(always)]
                |r, g, b| r.max(g).max(b),
            ),
        }
    }
}

#[inline(always)]
fn by_pixel(image: &mut Image, gray: impl Fn(u16, u16, u16) -> u16) {
    change_colours(
        image,
        #[inline(always)]
        |planes| {
            let [red, green, blue] = *planes;
            let mut grays = [0; LANES];
            for i in 0..LANES {
                grays[i] = gray(red[i].into(), green[i].into(), blue[i].into()) as u8;
            }
            *planes = [grays; 3];
        },
    );
}
