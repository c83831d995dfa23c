//! Means of squares: Albumentations' `Blur`, OpenCV's `blur`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filter::{BLOCK, LARGEST_KERNEL, Mirror, Rows, lengthened, views};
use super::image::{Frame, Image};
use super::parameters::{Border, Kernels};
use super::simd::vectorised;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Means of squares: `{ blur = 5 }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Blur {
    /// The size of the square, an odd number: the greatest, or the least and the greatest.
    blur: Kernels,
}

/// What [`Blur`] draws.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Drawn {
    kernel: usize,
}

impl Transform for Blur {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.blur.check("blur", LARGEST_KERNEL)?;
        Ok(frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Drawn {
        Drawn { kernel: self.blur.draw(stream) }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        blur(image, drawn.kernel);
    }
}

/// The greatest kernel whose sum of bytes, and half its area, fit in 16 bits.
const SMALL: usize = 15;

/// The mean of the `kernel` × `kernel` pixels around each one, halves upwards.
fn blur(image: &mut Image, kernel: usize) {
    let frame = image.frame();
    image.rewrite(frame, |from, into| {
        vectorised(
            #[inline(always)]
            || blur_rows(frame, from, into, kernel),
        );
    });
}

#[inline(always)]
fn blur_rows(frame: Frame, from: &[u8], into: &mut [u8], kernel: usize) {
    let Frame { width, channels, .. } = frame;
    let radius = kernel / 2;
    let (row_bytes, margin) = (width * channels, radius * channels);
    let length = lengthened(row_bytes);
    let image = Rows::new(frame, from);
    let row = |y: isize| image.at(y, Border::Reflect101).as_chunks::<BLOCK>().0;
    let mirror = Mirror::new(frame, radius, Border::Reflect101);
    // The sums of `kernel` values above each other. The next row's follow from them.
    let mut columns = vec![0u16; length + 2 * margin];
    let mut squares = vec![0u32; if kernel > SMALL { row_bytes } else { 0 }];
    let mut bytes = vec![0; length];
    let above = radius as isize;
    for y in -above..=above {
        let (inner, _) = columns[margin..].as_chunks_mut::<BLOCK>();
        for (sums, values) in inner.iter_mut().zip(row(y)) {
            for i in 0..BLOCK {
                sums[i] += u16::from(values[i]);
            }
        }
    }
    for (out, y) in into.chunks_exact_mut(row_bytes).zip(0..) {
        mirror.extend(&mut columns);
        match kernel {
            3 => means::<3>(&columns, channels, &mut bytes),
            5 => means::<5>(&columns, channels, &mut bytes),
            7 => means::<7>(&columns, channels, &mut bytes),
            9 => means::<9>(&columns, channels, &mut bytes),
            11 => means::<11>(&columns, channels, &mut bytes),
            13 => means::<13>(&columns, channels, &mut bytes),
            15 => means::<15>(&columns, channels, &mut bytes),
            _ => wide_means(&columns, kernel, channels, &mut squares, &mut bytes),
        }
        out.copy_from_slice(&bytes[..row_bytes]);
        let (leaving, entering) = (row(y - above), row(y + above + 1));
        let (inner, _) = columns[margin..].as_chunks_mut::<BLOCK>();
        for ((sums, leaving), entering) in inner.iter_mut().zip(leaving).zip(entering) {
            // What lies behind a row's end may wrap around.
            for i in 0..BLOCK {
                let grown = sums[i].wrapping_add(u16::from(entering[i]));
                sums[i] = grown.wrapping_sub(u16::from(leaving[i]));
            }
        }
    }
}

/// A factor and a shift that divide 16 bits by the area of a small kernel: the upper half of the
/// product, shifted (Granlund and Montgomery, "Division by invariant integers using
/// multiplication", PLDI 1994).
fn reciprocal(area: u32) -> (u16, u32) {
    let shift = area.ilog2();
    (((1 << (16 + shift)) / area + 1) as u16, shift)
}

#[inline(always)]
fn divide(sum: u16, (factor, shift): (u16, u32)) -> u16 {
    ((u32::from(sum) * u32::from(factor)) >> 16) as u16 >> shift
}

/// Means from column sums, each added up anew.
#[inline(always)]
fn means<const KERNEL: usize>(columns: &[u16], channels: usize, out: &mut [u8]) {
    let area = KERNEL * KERNEL;
    let reciprocal = reciprocal(area as u32);
    let mut places = [0; KERNEL];
    for i in 0..KERNEL {
        places[i] = i * channels;
    }
    let (out, _) = out.as_chunks_mut::<BLOCK>();
    let columns = views(columns, places, out.len());
    for (block, out) in out.iter_mut().enumerate() {
        let mut quotients = [0u16; BLOCK];
        for i in 0..BLOCK {
            let mut sum = (area / 2) as u16;
            for column in columns {
                sum = sum.wrapping_add(column[block][i]);
            }
            quotients[i] = sum;
        }
        for i in 0..BLOCK {
            out[i] = divide(quotients[i], reciprocal) as u8;
        }
    }
}

/// Means from column sums, each sum following from its neighbour's.
#[inline(always)]
fn wide_means(
    columns: &[u16],
    kernel: usize,
    channels: usize,
    squares: &mut [u32],
    out: &mut [u8],
) {
    for x in 0..squares.len() {
        squares[x] = match x.checked_sub(channels) {
            Some(left) => {
                let (entering, leaving) = (columns[left + kernel * channels], columns[left]);
                (squares[left] + u32::from(entering)) - u32::from(leaving)
            }
            None => (x..).step_by(channels).take(kernel).map(|x| u32::from(columns[x])).sum(),
        };
    }
    // Below 2^24, so that an f32 holds every sum.
    let scale = 1.0 / (kernel * kernel) as f32;
    for (byte, sum) in out.iter_mut().zip(squares.iter()) {
        *byte = (*sum as f32 * scale + 0.5) as u32 as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multiplication_divides_every_sum_that_a_small_kernel_can_have() {
        for kernel in (3..=SMALL as u32).step_by(2) {
            let area = kernel * kernel;
            for sum in 0..=255 * area + area / 2 {
                let found = divide(u16::try_from(sum).unwrap(), reciprocal(area));
                assert_eq!(u32::from(found), sum / area, "{sum} / {area}");
            }
        }
    }
}
