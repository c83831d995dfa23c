//! The brown of old photographs: Albumentations' `ToSepia`.

use serde::{Deserialize, Serialize};

use super::colour::{LANES, change_colours, need_colours};
use super::image::{Frame, Image};
use super::parameters::Always;
use super::transform::{Fault, Scene, Transform};
use crate::basis::seed::Stream;

/// `"to-sepia"`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ToSepia {
    to_sepia: Always,
}

/// How much of red, green and blue is in each channel, in parts of 1024.
const MATRIX: [[u32; 3]; 3] = [[402, 787, 194], [357, 702, 172], [279, 547, 134]];

impl Transform for ToSepia {
    type Drawn = ();

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        need_colours("to-sepia", frame)
    }

    fn draw(&self, _: &Scene, _: &mut Stream) {}

    fn pixels(&self, (): &(), image: &mut Image) {
        change_colours(
            image,
            #[inline(always)]
            |planes| {
                let [red, green, blue] = *planes;
                for (plane, [r, g, b]) in planes.iter_mut().zip(MATRIX) {
                    for i in 0..LANES {
                        let sum = r * u32::from(red[i]) + g * u32::from(green[i]);
                        let sum = sum + b * u32::from(blue[i]);
                        plane[i] = ((sum + 512) >> 10).min(255) as u8;
                    }
                }
            },
        );
    }
}
