//! `wick bench-decode`: how many image files per second are decoded and brought to a size; for `benches/peers`, which
//! runs other programs beside it.

use rayon::ThreadPoolBuilder;
use rayon::prelude::*;

use crate::data::decode_image;
use crate::plan::data::{Fit, Image};
use crate::sweep::clock::Stopwatch;

use super::arguments::BenchDecode;
use super::error::Result;
use super::output::print;

/// The files are decoded so many times, and the fastest time counts: what else runs on a machine only ever makes it
/// slower.
const PARTS: usize = 5;

/// Runs the command.
pub(super) fn bench_decode(arguments: &BenchDecode) -> Result {
    let image = Image { size: [usize::from(arguments.image_size); 2], channels: 3 };
    let threads = ThreadPoolBuilder::new().num_threads(usize::from(arguments.threads)).build()?;
    let mut fastest: f64 = 0.0;
    for _ in 0..PARTS {
        let stopwatch = Stopwatch::start();
        threads.install(|| {
            arguments.files.par_iter().try_for_each(|file| {
                decode_image(file, &image, &Fit::Stretch, u64::MAX).map(|_| ())
            })
        })?;
        fastest = fastest.max(arguments.files.len() as f64 / stopwatch.seconds());
    }
    print(&format!("{fastest:.1} img/s\n"));
    Ok(())
}
