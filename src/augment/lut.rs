//! Tables of 256 entries: any change of a pixel that depends on its own value alone.

use super::image::Image;

/// One output for every input.
pub(super) type Lut = [u8; 256];

/// The table of `value`, which is rounded to the nearest whole number (halves to even, as OpenCV
/// and NumPy do) and cut to 0..=255.
pub(super) fn lut(value: impl Fn(f64) -> f64) -> Lut {
    std::array::from_fn(|input| value(input as f64).round_ties_even().clamp(0.0, 255.0) as u8)
}

/// Puts every pixel of every channel through `table`.
pub(super) fn look_up(image: &mut Image, table: &Lut) {
    for pixel in image.pixels_mut() {
        *pixel = table[usize::from(*pixel)];
    }
}

/// Puts channel c through `tables[c]`.
pub(super) fn look_up_channels(image: &mut Image, tables: &[Lut; 3]) {
    let channels = image.frame().channels;
    for pixel in image.pixels_mut().chunks_exact_mut(channels) {
        for (value, table) in pixel.iter_mut().zip(tables) {
            *value = table[usize::from(*value)];
        }
    }
}
