//! Medians of squares: Albumentations' `MedianBlur`, OpenCV's `medianBlur`.

use serde::{Deserialize, Serialize};

use super::filter::Mirror;
use super::image::{Frame, Image};
use super::parameters::{Border, Kernels};
use super::simd::vectorised;
use super::transform::{Fault, Scene, Transform};
use crate::basis::seed::Stream;

/// `{ median-blur = 5 }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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

/// Values that are computed together.
const LANES: usize = 64;

type Values = [u8; LANES];

fn median_blur(image: &mut Image, kernel: usize) {
    let frame = image.frame();
    let Frame { height, channels, .. } = frame;
    let radius = kernel / 2;
    let (row_bytes, margin) = (frame.width * channels, radius * channels);
    let mirror = Mirror::new(frame, radius, Border::Replicate);
    let stride = row_bytes + 2 * margin + LANES;
    let mut rows = vec![0u8; stride * kernel];
    image.rewrite(frame, |from, into| {
        vectorised(
            #[inline(always)]
            || {
                for (row, y) in (0..height + 2 * radius).zip(-(radius as isize)..) {
                    let source = Border::Replicate.place(y, height).unwrap_or(0);
                    let slot = &mut rows[row % kernel * stride..][..stride];
                    slot[margin..][..row_bytes]
                        .copy_from_slice(&from[source * row_bytes..][..row_bytes]);
                    mirror.extend(slot);
                    let Some(row) = row.checked_sub(2 * radius) else { continue };
                    let out = &mut into[row * row_bytes..][..row_bytes];
                    for (out, x) in out.chunks_mut(LANES).zip((0..).step_by(LANES)) {
                        // The order of the rows does not matter to a median.
                        let at = |i: usize| -> &Values {
                            let place = i / kernel * stride + i % kernel * channels + x;
                            rows[place..].first_chunk().unwrap()
                        };
                        let medians = match kernel {
                            3 => median_of_nine(std::array::from_fn(|i| *at(i))),
                            _ => median_by_bits(&rows[x..], kernel, stride, channels),
                        };
                        out.copy_from_slice(&medians[..out.len()]);
                    }
                }
            },
        );
    });
}

/// The fewest exchanges that leave the median in the middle (Paeth, "Median finding on a 3×3 grid",
/// Graphics Gems, 1990).
#[inline(always)]
fn median_of_nine(mut v: [Values; 9]) -> Values {
    const EXCHANGES: [(usize, usize); 19] = [
        (1, 2),
        (4, 5),
        (7, 8),
        (0, 1),
        (3, 4),
        (6, 7),
        (1, 2),
        (4, 5),
        (7, 8),
        (0, 3),
        (5, 8),
        (4, 7),
        (3, 6),
        (1, 4),
        (2, 5),
        (4, 7),
        (4, 2),
        (6, 4),
        (4, 2),
    ];
    for (low, high) in EXCHANGES {
        for lane in 0..LANES {
            let (a, b) = (v[low][lane], v[high][lane]);
            v[low][lane] = a.min(b);
            v[high][lane] = a.max(b);
        }
    }
    v[4]
}

/// Medians bit by bit from the highest: a bit is set if at least half of the values are as large as
/// the number that it makes.
#[inline(always)]
fn median_by_bits(rows: &[u8], kernel: usize, stride: usize, channels: usize) -> Values {
    let half = (kernel * kernel / 2 + 1) as u8;
    let mut medians = [0u8; LANES];
    for bit in (0..8).rev() {
        let candidates = medians.map(|median| median | 1 << bit);
        let mut counts = [0u8; LANES];
        for row in (0..).step_by(stride).take(kernel) {
            for place in (row..).step_by(channels).take(kernel) {
                let values: &Values = rows[place..].first_chunk().unwrap();
                for ((count, value), candidate) in counts.iter_mut().zip(values).zip(&candidates) {
                    *count += u8::from(value >= candidate);
                }
            }
        }
        for ((median, candidate), count) in medians.iter_mut().zip(candidates).zip(counts) {
            *median = if count >= half { candidate } else { *median };
        }
    }
    medians
}
