//! Colours: pixels apart by channel, and from one colour space to another, as OpenCV's `cvtColor`
//! does it with bytes.

use super::image::{Frame, Image};
use super::simd::{permuted, vectorised};
use super::transform::Fault;

/// Pixels that are computed together.
pub(super) const LANES: usize = 64;

/// One channel of [`LANES`] pixels.
pub(super) type Plane = [u8; LANES];

/// That images of `frame` have colours, which `kind` needs.
pub(super) fn need_colours(kind: &str, frame: Frame) -> Result<Frame, Fault> {
    if frame.channels == 3 {
        return Ok(frame);
    }
    let message = format!("{kind} changes colours, but the images are gray");
    Err(Fault::new("", message, "images of 1 channel").help(format!("leave {kind} out")))
}

/// Bytes of pixels, or of channels: [`LANES`] of three.
type Block = [Plane; 3];

/// Of them.
const BYTES: usize = 3 * LANES;

/// Which byte of pixels comes where in channels.
const APART: Block = {
    let mut places = [[0; LANES]; 3];
    let mut byte = 0;
    while byte < BYTES {
        places[byte % 3][byte / 3] = byte as u8;
        byte += 1;
    }
    places
};

/// Which byte of channels comes where in pixels.
const TOGETHER: Block = {
    let mut places = [[0; LANES]; 3];
    let mut byte = 0;
    while byte < BYTES {
        places[byte / LANES][byte % LANES] = (byte % 3 * LANES + byte / 3) as u8;
        byte += 1;
    }
    places
};

#[inline(always)]
fn apart(pixels: &Block) -> Block {
    if let Some(planes) = permuted(pixels, &APART) {
        return planes;
    }
    let (pixels, _) = pixels.as_flattened().as_chunks::<3>();
    let mut planes = [[0; LANES]; 3];
    for (i, pixel) in pixels.iter().enumerate() {
        for c in 0..3 {
            planes[c][i] = pixel[c];
        }
    }
    planes
}

#[inline(always)]
fn together(planes: &Block) -> Block {
    if let Some(pixels) = permuted(planes, &TOGETHER) {
        return pixels;
    }
    let mut block = [[0; LANES]; 3];
    let (pixels, _) = block.as_flattened_mut().as_chunks_mut::<3>();
    for (i, pixel) in pixels.iter_mut().enumerate() {
        for c in 0..3 {
            pixel[c] = planes[c][i];
        }
    }
    block
}

/// Changes the colours of all pixels, [`LANES`] at a time. `change` has to be inlined into it.
#[inline(always)]
pub(super) fn change_colours(image: &mut Image, mut change: impl FnMut(&mut [Plane; 3])) {
    vectorised(
        #[inline(always)]
        || {
            let pixels = image.pixels_mut();
            let (whole, rest) = pixels.split_at_mut(pixels.len() / BYTES * BYTES);
            let (blocks, _) = whole.as_chunks_mut::<LANES>().0.as_chunks_mut::<3>();
            let mut last = [[0; LANES]; 3];
            last.as_flattened_mut()[..rest.len()].copy_from_slice(rest);
            for block in blocks.iter_mut().chain([&mut last]) {
                let mut planes = apart(block);
                change(&mut planes);
                *block = together(&planes);
            }
            rest.copy_from_slice(&last.as_flattened()[..rest.len()]);
        },
    );
}

/// The brightness of colours: ITU-R BT.601.
#[inline(always)]
pub(super) fn gray([r, g, b]: [u8; 3]) -> u8 {
    let weighted = 9798 * u32::from(r) + 19235 * u32::from(g) + 3735 * u32::from(b);
    ((weighted + (1 << 14)) >> 15) as u8
}

/// The brightness of each pixel.
#[inline(always)]
pub(super) fn grays([red, green, blue]: &[Plane; 3]) -> Plane {
    let mut grays = [0; LANES];
    for i in 0..LANES {
        grays[i] = gray([red[i], green[i], blue[i]]);
    }
    grays
}

/// `numerator << 12` divided by a byte, rounded; 0 for 0.
#[inline(always)]
fn scale(numerator: u32, divisor: u8) -> i32 {
    let quotient = (numerator << 12) as f32 / f32::from(divisor.max(1));
    // Rounds halves to even, see `filter`.
    let rounded = ((quotient + 8_388_608.0).to_bits() & 0x7f_ffff) as i32;
    if divisor == 0 { 0 } else { rounded }
}

/// Hue in steps of 2°, saturation and value (Smith, "Color gamut transform pairs", SIGGRAPH 1978).
#[inline(always)]
pub(super) fn to_hsv([red, green, blue]: &mut [Plane; 3]) {
    let (mut hues, mut saturations, mut values) = ([0; LANES], [0; LANES], [0; LANES]);
    for i in 0..LANES {
        let (r, g, b) = (red[i], green[i], blue[i]);
        let value = r.max(g).max(b);
        let chroma = value - r.min(g).min(b);
        let (signed_r, signed_g, signed_b) = (i32::from(r), i32::from(g), i32::from(b));
        let from_red = signed_g - signed_b;
        let from_green = signed_b - signed_r + 2 * i32::from(chroma);
        let from_blue = signed_r - signed_g + 4 * i32::from(chroma);
        let others = if value == g { from_green } else { from_blue };
        let hue = if value == r { from_red } else { others };
        let hue = (hue * scale(30, chroma) + (1 << 11)) >> 12;
        let saturation = (i32::from(chroma) * scale(255, value) + (1 << 11)) >> 12;
        hues[i] = (if hue < 0 { hue + 180 } else { hue }) as u8;
        saturations[i] = saturation as u8;
        values[i] = value;
    }
    (*red, *green, *blue) = (hues, saturations, values);
}

/// Back from what [`to_hsv`] makes.
#[inline(always)]
pub(super) fn from_hsv([hue, saturation, value]: &mut [Plane; 3]) {
    let (mut low, mut falling, mut rising) = ([0; LANES], [0; LANES], [0; LANES]);
    for i in 0..LANES {
        let h = f32::from(hue[i]) * (6.0 / 180.0);
        let s = f32::from(saturation[i]) * (1.0 / 255.0);
        let v = f32::from(value[i]) * (1.0 / 255.0);
        let part = h - h.trunc();
        // OpenCV's vectors cut here, where it rounds elsewhere.
        // SAFETY: all numbers lie between 0 and 256.
        let floor = |x: f32| unsafe { (x * 255.0).to_int_unchecked::<i32>() as u8 };
        low[i] = floor(v * (1.0 - s));
        falling[i] = floor(v * (1.0 - s * part));
        rising[i] = floor(v * (1.0 - s * (1.0 - part)));
    }
    let channel = |behind| hsv_channel(behind, hue, value, [&low, &falling, &rising]);
    (*hue, *saturation, *value) = (channel(0), channel(60), channel(120));
}

/// The first channel is at its top around red, and falls and rises beside that; the others follow a
/// third and two thirds of a circle `behind`.
#[inline(always)]
fn hsv_channel(behind: u8, hue: &Plane, top: &Plane, [low, falling, rising]: [&Plane; 3]) -> Plane {
    let mut plane = [0; LANES];
    for i in 0..LANES {
        let h = if hue[i] >= behind { hue[i] - behind } else { hue[i] + (180 - behind) };
        let edge = choose(h < 60, falling[i], rising[i]);
        let outside = choose(h.wrapping_sub(60) < 60, low[i], edge);
        plane[i] = choose(h.wrapping_sub(30) < 120, outside, top[i]);
    }
    plane
}

/// `yes` or `no`. An `if` of two places in memory becomes a choice of addresses, one by one.
#[inline(always)]
fn choose(condition: bool, yes: u8, no: u8) -> u8 {
    no ^ ((yes ^ no) & u8::from(condition).wrapping_neg())
}

/// Brightness and the two differences of colours: ITU-R BT.601 over the whole range of bytes.
#[inline(always)]
pub(super) fn to_ycrcb([red, green, blue]: &mut [Plane; 3]) {
    for i in 0..LANES {
        let (r, g, b) = (i32::from(red[i]), i32::from(green[i]), i32::from(blue[i]));
        let y = (4899 * r + 9617 * g + 1868 * b + (1 << 13)) >> 14;
        let difference = |value: i32, factor: i32| {
            (((value - y) * factor + (128 << 14) + (1 << 13)) >> 14).clamp(0, 255) as u8
        };
        (red[i], green[i], blue[i]) = (y as u8, difference(r, 11682), difference(b, 9241));
    }
}

/// Back from what [`to_ycrcb`] makes.
#[inline(always)]
pub(super) fn from_ycrcb([y, cr, cb]: &mut [Plane; 3]) {
    for i in 0..LANES {
        let (bright, r, b) = (i32::from(y[i]), i32::from(cr[i]) - 128, i32::from(cb[i]) - 128);
        let channel = |sum: i32| (bright + ((sum + (1 << 13)) >> 14)).clamp(0, 255) as u8;
        y[i] = channel(22987 * r);
        cr[i] = channel(-11698 * r - 5636 * b);
        cb[i] = channel(29049 * b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_quotients_rounded_to_the_nearest() {
        for numerator in [30, 255] {
            assert_eq!(scale(numerator, 0), 0);
            for divisor in 1..=255u8 {
                let exact = f64::from(numerator << 12) / f64::from(divisor);
                assert_eq!(scale(numerator, divisor), exact.round_ties_even() as i32);
            }
        }
    }

    #[test]
    fn channels_are_taken_apart_and_put_together() {
        let pixels: Block = std::array::from_fn(|n| std::array::from_fn(|i| (n * LANES + i) as u8));
        let planes = apart(&pixels);
        for byte in 0..BYTES {
            assert_eq!(usize::from(planes[byte % 3][byte / 3]), byte);
        }
        assert_eq!(together(&planes), pixels);
    }

    #[test]
    fn grays_stay_gray_in_every_space_and_back() {
        let ramp: Plane = std::array::from_fn(|i| (i * 4) as u8);
        let all = [ramp; 3];
        for (to, from) in [(to_hsv as fn(&mut _), from_hsv as fn(&mut _)), (to_ycrcb, from_ycrcb)] {
            let mut planes = all;
            to(&mut planes);
            assert_ne!(planes, all);
            from(&mut planes);
            assert_eq!(planes, all);
        }
    }
}
