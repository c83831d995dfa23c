//! Tables of 256 entries: any change of a pixel that depends on its own value alone.

use super::image::Image;
use super::simd::permutes_bytes;

/// One output for every input.
pub(super) type Lut = [u8; 256];

/// The table of `value`, which is rounded to the nearest whole number (halves to even, as OpenCV
/// and NumPy do) and cut to 0..=255.
pub(super) fn lut(value: impl Fn(f64) -> f64) -> Lut {
    std::array::from_fn(|input| value(input as f64).round_ties_even().clamp(0.0, 255.0) as u8)
}

/// The table of `value`, which is cut to 0..=255 and to a whole number, as NumPy's `astype` does.
pub(super) fn cut_lut(value: impl Fn(f32) -> f32) -> Lut {
    std::array::from_fn(|input| value(input as f32) as u8)
}

/// Puts every pixel of every channel through `table`.
pub(super) fn look_up(image: &mut Image, table: &Lut) {
    look_up_rotating(image.pixels_mut(), [table; 3]);
}

/// Puts channel c through `tables[c]`.
pub(super) fn look_up_channels(image: &mut Image, tables: &[Lut; 3]) {
    let [red, green, blue] = tables;
    match image.frame().channels {
        1 => look_up_rotating(image.pixels_mut(), [red; 3]),
        _ => look_up_rotating(image.pixels_mut(), [red, green, blue]),
    }
}

/// Puts the n-th value through table n mod 3.
fn look_up_rotating(values: &mut [u8], tables: [&Lut; 3]) {
    #[cfg(target_arch = "x86_64")]
    let values = if permutes_bytes() {
        // SAFETY: the machine has what the function is compiled for.
        unsafe { look_up_permuting(values, tables) }
    } else {
        values
    };
    let [red, green, blue] = tables;
    let (triples, rest) = values.as_chunks_mut::<3>();
    for [r, g, b] in triples {
        *r = red[usize::from(*r)];
        *g = green[usize::from(*g)];
        *b = blue[usize::from(*b)];
    }
    for (value, table) in rest.iter_mut().zip(tables) {
        *value = table[usize::from(*value)];
    }
}

/// Puts all values but the last few through their tables and returns the last few, which begin with
/// one for the first table. A table fits in four vectors, and two permutations look 64 values up.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn look_up_permuting<'a>(values: &'a mut [u8], tables: [&Lut; 3]) -> &'a mut [u8] {
    use std::arch::x86_64::*;

    /// 64 bytes as a vector.
    #[target_feature(enable = "avx512f,avx512bw")]
    fn load(bytes: &[u8; 64]) -> __m512i {
        // SAFETY: unaligned, and as large as the array.
        unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
    }
    let quarters = tables.map(|table| {
        let (quarters, _) = table.as_chunks::<64>();
        [load(&quarters[0]), load(&quarters[1]), load(&quarters[2]), load(&quarters[3])]
    });
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn through(quarters: &[__m512i; 4], values: __m512i) -> __m512i {
        let low = _mm512_permutex2var_epi8(quarters[0], values, quarters[1]);
        let high = _mm512_permutex2var_epi8(quarters[2], values, quarters[3]);
        _mm512_mask_blend_epi8(_mm512_movepi8_mask(values), low, high)
    }
    let store = |bytes: &mut [u8; 64], found: __m512i| {
        // SAFETY: unaligned, and as large as the array.
        unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), found) }
    };
    let (blocks, rest) = values.as_chunks_mut::<192>();
    if std::ptr::eq(tables[0], tables[1]) && std::ptr::eq(tables[0], tables[2]) {
        for block in blocks {
            for bytes in block.as_chunks_mut::<64>().0 {
                store(bytes, through(&quarters[0], load(bytes)));
            }
        }
        return rest;
    }
    // Every third place, from the first, the second and the third on.
    const THIRDS: [u64; 3] = {
        let first = 0x9249_2492_4924_9249;
        [first, first << 1, first << 2]
    };
    for block in blocks {
        for (bytes, turn) in block.as_chunks_mut::<64>().0.iter_mut().zip(0..) {
            // 64 = 3 · 21 + 1: the second vector begins with the second table, and so on.
            let values = load(bytes);
            let [first, second, third] = [turn % 3, (turn + 1) % 3, (turn + 2) % 3]
                .map(|n: usize| through(&quarters[n], values));
            let found = _mm512_mask_blend_epi8(THIRDS[1], first, second);
            store(bytes, _mm512_mask_blend_epi8(THIRDS[2], found, third));
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Frame;

    #[test]
    fn every_value_goes_through_the_table_of_its_channel() {
        let tables: [Lut; 3] = [lut(|x| 255.0 - x), lut(|x| x / 2.0), lut(|x| x + 9.0)];
        for channels in [1, 3] {
            for width in [1, 21, 64, 67, 200] {
                let frame = Frame { height: 1, width, channels };
                let before: Vec<u8> = (0..frame.bytes()).map(|i| (i * 37 + i / 7) as u8).collect();
                let mut image = Image::new(frame, before.clone());
                look_up_channels(&mut image, &tables);
                for (i, (before, after)) in before.iter().zip(image.pixels()).enumerate() {
                    assert_eq!(*after, tables[i % channels][usize::from(*before)], "{frame} {i}");
                }
                let mut image = Image::new(frame, before.clone());
                look_up(&mut image, &tables[1]);
                for (before, after) in before.iter().zip(image.pixels()) {
                    assert_eq!(*after, tables[1][usize::from(*before)]);
                }
            }
        }
    }
}
