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

/// How much of red, green and blue is in each channel, to the nearest part of 1024.
const MATRIX: [[f32; 3]; 3] = [
    [402.0 / 1024.0, 787.0 / 1024.0, 194.0 / 1024.0],
    [357.0 / 1024.0, 702.0 / 1024.0, 172.0 / 1024.0],
    [279.0 / 1024.0, 547.0 / 1024.0, 134.0 / 1024.0],
];

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
                        // Exact, and halves go upwards.
                        let sum = f32::from(red[i]).mul_add(r, 1.0 / 4096.0);
                        let sum = f32::from(green[i]).mul_add(g, sum);
                        let sum = f32::from(blue[i]).mul_add(b, sum);
                        plane[i] = (sum.min(255.0) + 8_388_608.0).to_bits() as u8;
                    }
                }
            },
        );
    }
}
