//! Blocks of one colour.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::downscale::gather;
use super::image::{Frame, Image};
use super::parameters::Range;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Blocks of one colour: `{ pixelate = [2, 8] }`
///
/// Every block of so many rows and columns shows the pixel in its middle: the image made smaller
/// and larger again with the nearest pixel. Albumentations 2.0.8 has `Downscale` for this, whose
/// blocks need not be whole pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Pixelate {
    /// Rows and columns of a block: whole numbers.
    pixelate: Range,
}

/// How large a block is.
#[derive(Serialize, Deserialize)]
pub struct Drawn {
    block: usize,
}

impl Transform for Pixelate {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.pixelate.check("pixelate", 1.0, 4096.0)?;
        self.pixelate.whole("pixelate")?;
        Ok(frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Drawn {
        Drawn { block: self.pixelate.draw_whole(stream) as usize }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        let block = drawn.block.max(1);
        let shown = |length: usize| -> Vec<usize> {
            (0..length).map(|at| (at / block * block + block / 2).min(length - 1)).collect()
        };
        let Frame { height, width, .. } = image.frame();
        gather(image, &shown(height), &shown(width));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_shows_its_middle() {
        let frame = Frame { height: 3, width: 5, channels: 1 };
        let mut image = Image::new(frame, (0..15).collect());
        let transform = Pixelate { pixelate: Range::new(2.0, 2.0) };
        transform.pixels(&Drawn { block: 2 }, &mut image);
        let expected = [6, 6, 8, 8, 9, 6, 6, 8, 8, 9, 11, 11, 13, 13, 14];
        assert_eq!(image.pixels(), expected);
    }
}
