//! The one clock. What it says goes to `timings.csv` and to progress, never into results.

use std::fs::File;
use std::io;
use std::time::{Instant, SystemTime};

/// Measures seconds from its making.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[expect(clippy::disallowed_methods, reason = "this is the one clock")]
    pub fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// Seconds since the start.
    pub fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

/// Seconds since somebody asked first: for differences.
pub fn seconds() -> f64 {
    static FIRST: std::sync::OnceLock<Stopwatch> = std::sync::OnceLock::new();
    FIRST.get_or_init(Stopwatch::start).seconds()
}

/// Gives a file the date of now: which of several gives way first depends on it, and nothing else.
#[expect(clippy::disallowed_methods, reason = "this is the one clock")]
pub fn touch(file: &File) -> io::Result<()> {
    file.set_modified(SystemTime::now())
}
