//! What JPEG loses: Albumentations' `ImageCompression`.
//!
//! Colours, chroma of half the size, cosines and their rounding, and all the way back, with the
//! integer arithmetic of libjpeg; entropy coding, which loses nothing, is left out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::image::{Frame, Image};
use super::parameters::Range;
use super::simd::vectorised;
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// What JPEG loses: `{ jpeg = [99, 100] }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Jpeg {
    /// From 1, the worst, to 100 (`quality_range` of Albumentations).
    jpeg: Range,
}

/// How good it is.
#[derive(Serialize, Deserialize)]
pub struct Drawn {
    quality: u32,
}

impl Transform for Jpeg {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.jpeg.check("jpeg", 1.0, 100.0)?;
        self.jpeg.whole("jpeg")?;
        Ok(frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Drawn {
        Drawn { quality: self.jpeg.draw_whole(stream) as u32 }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        let frame = image.frame();
        let luminance = scaled(&LUMINANCE, drawn.quality);
        let chrominance = scaled(&CHROMINANCE, drawn.quality);
        vectorised(
            #[inline(always)]
            || {
                if frame.channels == 1 {
                    let mut luma = Plane::new(frame.height, frame.width);
                    luma.fill(image.pixels());
                    luma.quantise(&luminance);
                    for (row, new) in image.pixels_mut().chunks_exact_mut(frame.width).enumerate() {
                        new.copy_from_slice(&luma.row(row)[..frame.width]);
                    }
                } else {
                    let (mut luma, mut blue, mut red) = separated(frame, image.pixels());
                    luma.quantise(&luminance);
                    blue.quantise(&chrominance);
                    red.quantise(&chrominance);
                    join(frame, [&luma, &blue, &red], image.pixels_mut());
                }
            },
        );
    }
}

/// Table K.1 of the standard (ITU-T T.81).
const LUMINANCE: Block = [
    [16, 11, 10, 16, 24, 40, 51, 61],
    [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56],
    [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77],
    [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101],
    [72, 92, 95, 98, 112, 100, 103, 99],
];

/// Table K.2 of the standard.
const CHROMINANCE: Block = [
    [17, 18, 24, 47, 99, 99, 99, 99],
    [18, 21, 26, 66, 99, 99, 99, 99],
    [24, 26, 56, 99, 99, 99, 99, 99],
    [47, 66, 99, 99, 99, 99, 99, 99],
    [99, 99, 99, 99, 99, 99, 99, 99],
    [99, 99, 99, 99, 99, 99, 99, 99],
    [99, 99, 99, 99, 99, 99, 99, 99],
    [99, 99, 99, 99, 99, 99, 99, 99],
];

/// A table for a quality, by libjpeg's rule.
fn scaled(table: &Block, quality: u32) -> Block {
    let quality = quality.clamp(1, 100) as i32;
    let percent = if quality < 50 { 5000 / quality } else { 200 - 2 * quality };
    table.map(|row| row.map(|step| ((step * percent + 50) / 100).clamp(1, 255)))
}

type Block = [[i32; 8]; 8];

/// One component, in whole blocks; what lies beyond the image repeats its last column and row.
struct Plane {
    /// Rows of the image in it.
    height: usize,
    /// Columns of the image in it.
    width: usize,
    /// Columns with those that fill the last block.
    stride: usize,
    values: Vec<u8>,
}

impl Plane {
    #[inline(always)]
    fn new(height: usize, width: usize) -> Plane {
        let stride = width.next_multiple_of(8);
        Plane { height, width, stride, values: vec![0; stride * height.next_multiple_of(8)] }
    }

    #[inline(always)]
    fn row(&self, row: usize) -> &[u8] {
        &self.values[row * self.stride..][..self.stride]
    }

    #[inline(always)]
    fn row_mut(&mut self, row: usize) -> &mut [u8] {
        &mut self.values[row * self.stride..][..self.stride]
    }

    /// Takes values without anything between the rows.
    #[inline(always)]
    fn fill(&mut self, values: &[u8]) {
        let width = self.width;
        for (row, values) in values.chunks_exact(width).enumerate() {
            self.row_mut(row)[..width].copy_from_slice(values);
            self.extend_row(row);
        }
        self.extend_down();
    }

    #[inline(always)]
    fn extend_row(&mut self, row: usize) {
        let width = self.width;
        let row = self.row_mut(row);
        let last = row[width - 1];
        row[width..].fill(last);
    }

    #[inline(always)]
    fn extend_down(&mut self) {
        let (stride, end) = (self.stride, self.height * self.stride);
        for start in (end..self.values.len()).step_by(stride) {
            self.values.copy_within(end - stride..end, start);
        }
    }

    /// Every block to cosines, which are rounded to whole steps, and back. A row of blocks is done at
    /// once: cosines of rows are those of columns of the transposed blocks.
    #[inline(always)]
    fn quantise(&mut self, steps: &Block) {
        let stride = self.stride;
        let mut strip: Strip = [(); 8].map(|()| vec![0; stride]);
        let mut other = strip.clone();
        let steps_of_row: Strip = steps.map(|row| row.repeat(stride / 8));
        for rows in self.values.chunks_exact_mut(8 * stride) {
            for (y, row) in rows.chunks_exact(stride).enumerate() {
                for (block, bytes) in row.as_chunks::<8>().0.iter().enumerate() {
                    for (x, byte) in bytes.iter().enumerate() {
                        strip[x][block * 8 + y] = i32::from(*byte) - 128;
                    }
                }
            }
            to_cosines(&mut strip, -2);
            transpose(&strip, &mut other);
            to_cosines(&mut other, 2);
            for (cosines, steps) in other.iter_mut().zip(&steps_of_row) {
                for (cosine, step) in cosines.iter_mut().zip(steps) {
                    // The cosines are eight times too large. The quotient of floats cannot be
                    // rounded up to a whole number: both are smaller than 2^16.
                    let quotient = (cosine.abs() + 4 * step) as f32 / (8 * step) as f32;
                    let whole = (quotient.floor() + 8_388_608.0).to_bits() as i32 & 0x7f_ffff;
                    *cosine = step * if *cosine < 0 { -whole } else { whole };
                }
            }
            from_cosines(&mut other, 11);
            transpose(&other, &mut strip);
            from_cosines(&mut strip, 18);
            for (y, row) in rows.chunks_exact_mut(stride).enumerate() {
                for (block, bytes) in row.as_chunks_mut::<8>().0.iter_mut().enumerate() {
                    for (x, byte) in bytes.iter_mut().enumerate() {
                        *byte = (strip[x][block * 8 + y] + 128).clamp(0, 255) as u8;
                    }
                }
            }
        }
    }
}

/// Eight rows of blocks side by side.
type Strip = [Vec<i32>; 8];

/// Transposes each block.
#[inline(always)]
fn transpose(from: &Strip, to: &mut Strip) {
    for (y, row) in from.iter().enumerate() {
        for (block, values) in row.as_chunks::<8>().0.iter().enumerate() {
            for (x, value) in values.iter().enumerate() {
                to[x][block * 8 + y] = *value;
            }
        }
    }
}

/// Puts every column of eight values through `change`.
#[inline(always)]
fn each_column(strip: &mut Strip, change: impl Fn([i32; 8]) -> [i32; 8]) {
    let n = strip[0].len();
    let [a, b, c, d, e, f, g, h] = strip.each_mut().map(|row| &mut row[..n]);
    for x in 0..n {
        let column = [a[x], b[x], c[x], d[x], e[x], f[x], g[x], h[x]];
        [a[x], b[x], c[x], d[x], e[x], f[x], g[x], h[x]] = change(column);
    }
}

/// Divided by 2^`bits` and rounded; multiplied if `bits` is negative.
#[inline(always)]
fn descaled(value: i32, bits: i32) -> i32 {
    if bits < 0 { value << -bits } else { (value + (1 << (bits - 1))) >> bits }
}

/// Cosines of each column (Loeffler, Ligtenberg and Moschytz, "Practical fast 1-D DCT algorithms with
/// 11 multiplications", 1989, as libjpeg's jfdctint), divided by 2^`bits`. Constants are in parts of
/// 2^13.
#[inline(always)]
fn to_cosines(strip: &mut Strip, bits: i32) {
    each_column(
        strip,
        #[inline(always)]
        |[a, b, c, d, e, f, g, h]: [i32; 8]| {
            let (t0, t7, t1, t6) = (a + h, a - h, b + g, b - g);
            let (t2, t5, t3, t4) = (c + f, c - f, d + e, d - e);
            let (even0, even3, even1, even2) = (t0 + t3, t0 - t3, t1 + t2, t1 - t2);
            let z = (even2 + even3) * 4433;
            let z5 = (t4 + t6 + t5 + t7) * 9633;
            let (z1, z2) = ((t4 + t7) * -7373, (t5 + t6) * -20995);
            let (z3, z4) = ((t4 + t6) * -16069 + z5, (t5 + t7) * -3196 + z5);
            let fine = 13 + bits;
            [
                descaled(even0 + even1, bits),
                descaled(t7 * 12299 + z1 + z4, fine),
                descaled(z + even3 * 6270, fine),
                descaled(t6 * 25172 + z2 + z3, fine),
                descaled(even0 - even1, bits),
                descaled(t5 * 16819 + z2 + z4, fine),
                descaled(z - even2 * 15137, fine),
                descaled(t4 * 2446 + z1 + z3, fine),
            ]
        },
    );
}

/// The way back from cosines of each column, as libjpeg's jidctint, divided by 2^`bits`.
#[inline(always)]
fn from_cosines(strip: &mut Strip, bits: i32) {
    each_column(
        strip,
        #[inline(always)]
        |[c0, c1, c2, c3, c4, c5, c6, c7]: [i32; 8]| {
            let z = (c2 + c6) * 4433;
            let (t2, t3) = (z - c6 * 15137, z + c2 * 6270);
            let (t0, t1) = ((c0 + c4) << 13, (c0 - c4) << 13);
            let (even0, even1, even2, even3) = (t0 + t3, t1 + t2, t1 - t2, t0 - t3);
            let z5 = (c7 + c3 + c5 + c1) * 9633;
            let (z1, z2) = ((c7 + c1) * -7373, (c5 + c3) * -20995);
            let (z3, z4) = ((c7 + c3) * -16069 + z5, (c5 + c1) * -3196 + z5);
            let odd0 = c1 * 12299 + z1 + z4;
            let odd1 = c3 * 25172 + z2 + z3;
            let odd2 = c5 * 16819 + z2 + z4;
            let odd3 = c7 * 2446 + z1 + z3;
            [
                descaled(even0 + odd0, bits),
                descaled(even1 + odd1, bits),
                descaled(even2 + odd2, bits),
                descaled(even3 + odd3, bits),
                descaled(even3 - odd3, bits),
                descaled(even2 - odd2, bits),
                descaled(even1 - odd1, bits),
                descaled(even0 - odd0, bits),
            ]
        },
    );
}

/// Luma, and blue and red chroma of half the size. Albumentations hands red, green and blue to
/// OpenCV as if they were blue, green and red; so red has the weight of blue here.
#[inline(always)]
fn separated(frame: Frame, pixels: &[u8]) -> (Plane, Plane, Plane) {
    let Frame { height, width, .. } = frame;
    let (half_height, half_width) = (height.div_ceil(2), width.div_ceil(2));
    let mut luma = Plane::new(height, width);
    let mut blue = Plane::new(half_height, half_width);
    let mut red = Plane::new(half_height, half_width);
    let full = blue.stride * 2;
    let mut chroma = [(); 2].map(|()| [vec![0i32; full], vec![0i32; full]]);
    let (rows, _) = pixels.as_chunks::<3>();
    for half_row in 0..half_height {
        for (chroma, row) in chroma.iter_mut().zip([2 * half_row, 2 * half_row + 1]) {
            let pixels = &rows[row.min(height - 1) * width..][..width];
            let [blues, reds] = chroma;
            for ((pixel, blue), red) in pixels.iter().zip(&mut *blues).zip(&mut *reds) {
                let [b, g, r] = pixel.map(i32::from);
                *blue = (-11059 * r - 21709 * g + 32768 * b + (128 << 16) + 32767) >> 16;
                *red = (32768 * r - 27439 * g - 5329 * b + (128 << 16) + 32767) >> 16;
            }
            for values in [blues, reds] {
                let last = values[width - 1];
                values[width..].fill(last);
            }
            if row < height {
                for (pixel, luma) in pixels.iter().zip(luma.row_mut(row)) {
                    let [b, g, r] = pixel.map(i32::from);
                    *luma = ((19595 * r + 38470 * g + 7471 * b + 32768) >> 16) as u8;
                }
                luma.extend_row(row);
            }
        }
        let [upper, lower] = &chroma;
        for (plane, (upper, lower)) in
            [&mut blue, &mut red].into_iter().zip(upper.iter().zip(lower))
        {
            let (upper, _) = upper.as_chunks::<2>();
            let (lower, _) = lower.as_chunks::<2>();
            let row = plane.row_mut(half_row);
            for (at, ((value, upper), lower)) in row.iter_mut().zip(upper).zip(lower).enumerate() {
                // Halves are rounded down and up in turn.
                let bias = 1 + (at & 1) as i32;
                *value = ((upper[0] + upper[1] + lower[0] + lower[1] + bias) >> 2) as u8;
            }
        }
    }
    luma.extend_down();
    blue.extend_down();
    red.extend_down();
    (luma, blue, red)
}

/// Colours again; chroma between its samples is blended of the nearest ones, 3 : 1.
#[inline(always)]
fn join(frame: Frame, [luma, blue, red]: [&Plane; 3], pixels: &mut [u8]) {
    let width = frame.width;
    let mut sums = vec![0i32; blue.width];
    let mut rows = [vec![0i32; 2 * blue.width], vec![0i32; 2 * blue.width]];
    let (pixels, _) = pixels.as_chunks_mut::<3>();
    for (row, pixels) in pixels.chunks_exact_mut(width).enumerate() {
        for (plane, row_values) in [blue, red].into_iter().zip(&mut rows) {
            enlarge(plane, row, &mut sums, row_values);
        }
        let [blues, reds] = &rows;
        let chroma = blues.iter().zip(reds);
        for ((pixel, luma), (blue, red)) in pixels.iter_mut().zip(luma.row(row)).zip(chroma) {
            let (y, blue, red) = (i32::from(*luma), blue - 128, red - 128);
            let r = y + ((91881 * red + 32768) >> 16);
            let g = y + ((-22554 * blue - 46802 * red + 32768) >> 16);
            let b = y + ((116_130 * blue + 32768) >> 16);
            *pixel = [b, g, r].map(|value| value.clamp(0, 255) as u8);
        }
    }
}

/// One row of twice the size.
#[inline(always)]
fn enlarge(plane: &Plane, row: usize, sums: &mut [i32], out: &mut [i32]) {
    let near = &plane.row(row / 2)[..plane.width];
    let (pairs, _) = out.as_chunks_mut::<2>();
    if plane.width <= 2 {
        // libjpeg does not blend what is so small.
        for (pair, value) in pairs.iter_mut().zip(near) {
            *pair = [i32::from(*value); 2];
        }
        return;
    }
    let far = if row.is_multiple_of(2) { (row / 2).saturating_sub(1) } else { row / 2 + 1 };
    let far = &plane.row(far.min(plane.height - 1))[..plane.width];
    for ((sum, near), far) in sums.iter_mut().zip(near).zip(far) {
        *sum = 3 * i32::from(*near) + i32::from(*far);
    }
    let last = sums.len() - 1;
    pairs[0] = [(4 * sums[0] + 8) >> 4, (3 * sums[0] + sums[1] + 7) >> 4];
    pairs[last] = [(3 * sums[last] + sums[last - 1] + 8) >> 4, (4 * sums[last] + 7) >> 4];
    for (pair, sums) in pairs[1..last].iter_mut().zip(sums.windows(3)) {
        *pair = [(3 * sums[1] + sums[0] + 8) >> 4, (3 * sums[1] + sums[2] + 7) >> 4];
    }
}
