//! The brown of old photographs: Albumentations' `ToSepia`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::colour::{LANES, change_colours, need_colours};
use super::image::{Frame, Image};
use super::parameters::Always;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// The brown of old photographs: `"to-sepia"`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ToSepia {
    to_sepia: Always,
}

/// How much of red, green and blue is in each channel, in parts of 1024.
const MATRIX: [[u16; 3]; 3] = [[402, 787, 194], [357, 702, 172], [279, 547, 134]];

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
                for (plane, weights) in planes.iter_mut().zip(MATRIX) {
                    // Sums of 1024ths do not fit into 16 bits, those of 8ths and of the rest do.
                    let (coarse, fine) = (weights.map(|w| w / 128), weights.map(|w| w % 128));
                    for i in 0..LANES {
                        let [r, g, b] = [red[i], green[i], blue[i]].map(u16::from);
                        let coarse = coarse[0] * r + coarse[1] * g + coarse[2] * b;
                        let fine = fine[0] * r + fine[1] * g + fine[2] * b + 512;
                        plane[i] = ((coarse + (fine >> 7)) >> 3).min(255) as u8;
                    }
                }
            },
        );
    }
}
