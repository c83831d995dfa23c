//! An image file of a kind that the first byte chooses: it is decoded and brought to a size, or told to be none.
#![no_main]

use candlewick::config::data::Image;
use candlewick::config::fit::Fit;
use candlewick::data::decode_image;

const KINDS: [&str; 7] = ["png", "jpg", "bmp", "gif", "webp", "ppm", "tiff"];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((&first, bytes)) = data.split_first() else { return };
    let kind = KINDS[usize::from(first) % KINDS.len()];
    let path = candlewick_fuzz_program::write(&format!("image.{kind}"), bytes);
    let channels = if first < 128 { 1 } else { 3 };
    let plan = Image { size: [16, 12], channels };
    if let Ok(pixels) = decode_image(&path, &plan, &Fit::Stretch, 1 << 20) {
        assert_eq!(pixels.len(), 16 * 12 * channels);
    }
});
