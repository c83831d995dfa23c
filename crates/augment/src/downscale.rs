//! Smaller and back: Albumentations' `Downscale`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::image::{Frame, Image};
use super::parameters::Range;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Smaller and back: `{ downscale = [0.25, 0.25] }`
///
/// Both ways with the nearest pixel, as Albumentations does by default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Downscale {
    /// The part of rows and columns that is left in between (`scale_range` of Albumentations).
    downscale: Range,
}

/// How much smaller.
#[derive(Serialize, Deserialize)]
pub struct Drawn {
    scale: f64,
}

/// Which of `length` rows or columns each one shows after the way down and up.
fn shown(length: usize, scale: f64) -> Vec<usize> {
    let small = (length as f64 * scale).round_ties_even().max(1.0);
    let up = small / length as f64;
    let last = |at: f64, length: f64| at.floor().min(length - 1.0);
    (0..length)
        .map(|at| last(last(at as f64 * up, small) / scale, length as f64) as usize)
        .collect()
}

/// Shows at each place the pixel of one of `rows` and one of `columns`.
pub(super) fn gather(image: &mut Image, rows: &[usize], columns: &[usize]) {
    fn row<const C: usize>(columns: &[usize], old: &[u8], new: &mut [u8]) {
        let (old, _) = old.as_chunks::<C>();
        let (new, _) = new.as_chunks_mut::<C>();
        for (new, column) in new.iter_mut().zip(columns) {
            *new = old[*column];
        }
    }
    let frame = image.frame();
    let row_bytes = frame.width * frame.channels;
    image.rewrite(frame, |old, new| {
        let mut done: Option<usize> = None;
        for (at, shown) in rows.iter().enumerate() {
            let start = at * row_bytes;
            if done == Some(*shown) {
                new.copy_within(start - row_bytes..start, start);
            } else {
                let old = &old[shown * row_bytes..][..row_bytes];
                let new = &mut new[start..][..row_bytes];
                match frame.channels {
                    1 => row::<1>(columns, old, new),
                    _ => row::<3>(columns, old, new),
                }
                done = Some(*shown);
            }
        }
    });
}

impl Transform for Downscale {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.downscale.check("downscale", 0.0, 1.0)?;
        if self.downscale.low == 0.0 {
            return Err(Fault::new("downscale", "downscale = 0: nothing would be left", "zero"));
        }
        Ok(frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Drawn {
        Drawn { scale: self.downscale.draw(stream) }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        let Frame { height, width, .. } = image.frame();
        gather(image, &shown(height, drawn.scale), &shown(width, drawn.scale));
    }
}
