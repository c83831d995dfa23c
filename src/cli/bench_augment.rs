//! `wick bench-augment`: how many images per second a chain augments on one thread; for
//! `benches/peers`, which runs Albumentations beside it.

use crate::augment::{BoxRules, Frame, Image};
use crate::basis::seed::derive;
use crate::sweep::clock::Stopwatch;

use super::arguments::BenchAugment;
use super::error::Result;
use super::output::print;
use super::trained::chain;

/// The run is measured in so many parts, of which the fastest counts: what else runs on a machine
/// only ever makes it slower.
const PARTS: u64 = 5;

/// Runs the command.
pub(super) fn bench_augment(arguments: &BenchAugment) -> Result {
    let size = usize::from(arguments.image_size);
    let frame = Frame { height: size, width: size, channels: 3 };
    let chain = chain(&arguments.chain, frame)?;
    // A ramp under noise: flat images would be too easy, noise alone too hard for some.
    let mut stream = derive(1, "bench", &[]);
    let pixels: Vec<u8> = (0..frame.bytes())
        .map(|place| ((place / 3 % size * 215 / size) as u64 + stream.below(40)) as u8)
        .collect();
    let mut image = Image::new(frame, pixels.clone());
    let mut fastest: f64 = 0.0;
    for part in 0..PARTS {
        let (stopwatch, mut images) = (Stopwatch::start(), 0);
        while stopwatch.seconds() < arguments.seconds / PARTS as f64 {
            for _ in 0..8 {
                image.reset(frame, &pixels);
                let mut stream = derive(1, "bench", &[part, images]);
                chain.apply(&mut image, &mut Vec::new(), BoxRules::default(), &mut stream, None);
                images += 1;
            }
        }
        fastest = fastest.max(images as f64 / stopwatch.seconds());
    }
    print(&format!("{fastest:.1} img/s\n"));
    Ok(())
}
