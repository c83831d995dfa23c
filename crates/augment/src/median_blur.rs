//! Medians of squares: Albumentations' `MedianBlur`, OpenCV's `medianBlur`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filter::{BLOCK, Mirror, Rows, lengthened, views};
use super::image::{Frame, Image};
use super::parameters::{Border, Kernels};
use super::simd::vectorised;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Medians of squares: `{ median-blur = 5 }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MedianBlur {
    /// The size of the square, an odd number: the greatest, or the least and the greatest.
    median_blur: Kernels,
}

/// What [`MedianBlur`] draws.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Drawn {
    kernel: usize,
}

/// The greatest kernel: the pixels of a larger one cannot be counted in a byte.
const LARGEST: usize = 15;

impl Transform for MedianBlur {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.median_blur.check("median-blur", LARGEST)?;
        Ok(frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Drawn {
        Drawn { kernel: self.median_blur.draw(stream) }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        median_blur(image, drawn.kernel);
    }
}

fn median_blur(image: &mut Image, kernel: usize) {
    let frame = image.frame();
    image.rewrite(frame, |from, into| {
        vectorised(
            #[inline(always)]
            || median_rows(frame, from, into, kernel),
        );
    });
}

#[inline(always)]
fn median_rows(frame: Frame, from: &[u8], into: &mut [u8], kernel: usize) {
    let Frame { height, width, channels } = frame;
    let radius = kernel / 2;
    let (row_bytes, margin) = (width * channels, radius * channels);
    let length = lengthened(row_bytes);
    let image = Rows::new(frame, from);
    let mirror = Mirror::new(frame, radius, Border::Replicate);
    // The rows under the square; each new one replaces the oldest. Their order does not matter to a
    // median.
    let stride = length + 2 * margin;
    let mut rows = vec![0u8; stride * kernel];
    let mut counts = vec![0u8; length];
    let mut bytes = vec![0u8; length];
    for (row, y) in (0..height + 2 * radius).zip(-(radius as isize)..) {
        let slot = &mut rows[row % kernel * stride..][..stride];
        slot[margin..][..length].copy_from_slice(image.at(y, Border::Replicate));
        mirror.extend(slot);
        let Some(row) = row.checked_sub(2 * radius) else { continue };
        match kernel {
            3 => medians_of_nine(&rows, stride, channels, &mut bytes),
            5 => medians::<5>(&rows, stride, channels, &mut counts, &mut bytes),
            7 => medians::<7>(&rows, stride, channels, &mut counts, &mut bytes),
            9 => medians::<9>(&rows, stride, channels, &mut counts, &mut bytes),
            11 => medians::<11>(&rows, stride, channels, &mut counts, &mut bytes),
            13 => medians::<13>(&rows, stride, channels, &mut counts, &mut bytes),
            _ => medians::<15>(&rows, stride, channels, &mut counts, &mut bytes),
        }
        into[row * row_bytes..][..row_bytes].copy_from_slice(&bytes[..row_bytes]);
    }
}

/// Medians of 3 × 3 by the fewest exchanges that leave them in the middle (Paeth, "Median finding on
/// a 3×3 grid", Graphics Gems, 1990).
#[inline(always)]
fn medians_of_nine(rows: &[u8], stride: usize, channels: usize, out: &mut [u8]) {
    let mut places = [0; 9];
    for i in 0..9 {
        places[i] = i / 3 * stride + i % 3 * channels;
    }
    let (out, _) = out.as_chunks_mut::<BLOCK>();
    let views = views(rows, places, out.len());
    for (block, out) in out.iter_mut().enumerate() {
        for i in 0..BLOCK {
            let mut v = [0; 9];
            for (value, view) in v.iter_mut().zip(views) {
                *value = view[block][i];
            }
            macro_rules! exchange {
                ($($low:literal $high:literal),*) => {
                    $((v[$low], v[$high]) = (v[$low].min(v[$high]), v[$low].max(v[$high]));)*
                };
            }
            exchange!(1 2, 4 5, 7 8, 0 1, 3 4, 6 7, 1 2, 4 5, 7 8, 0 3);
            exchange!(5 8, 4 7, 3 6, 1 4, 2 5, 4 7, 4 2, 6 4, 4 2);
            out[i] = v[4];
        }
    }
}

/// Medians bit by bit from the highest: a bit is set if at least half of the values are as large as
/// the number that it makes.
#[inline(always)]
fn medians<const KERNEL: usize>(
    rows: &[u8],
    stride: usize,
    channels: usize,
    counts: &mut [u8],
    out: &mut [u8],
) {
    let half = (KERNEL * KERNEL / 2 + 1) as u8;
    let (counts, _) = counts.as_chunks_mut::<BLOCK>();
    let (out, _) = out.as_chunks_mut::<BLOCK>();
    out.fill([0; BLOCK]);
    for bit in (0..8).rev() {
        counts.fill([0; BLOCK]);
        for row in (0..).step_by(stride).take(KERNEL) {
            let mut places = [0; KERNEL];
            for i in 0..KERNEL {
                places[i] = row + i * channels;
            }
            let views = views(rows, places, out.len());
            for (block, (counts, out)) in counts.iter_mut().zip(out.iter()).enumerate() {
                for i in 0..BLOCK {
                    let candidate = out[i] | 1 << bit;
                    let mut count = counts[i];
                    for view in views {
                        count += u8::from(view[block][i] >= candidate);
                    }
                    counts[i] = count;
                }
            }
        }
        for (medians, counts) in out.iter_mut().zip(counts.iter()) {
            for i in 0..BLOCK {
                medians[i] |= u8::from(counts[i] >= half) << bit;
            }
        }
    }
}
