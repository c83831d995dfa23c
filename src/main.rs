//! The `wick` binary.

use candlewick::basis::memory::Allocator;
use candlewick::cli::{Exit, main as run};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// mimalloc's `purge_delay`, which the crate does not name: how long freed pages are kept, in
/// milliseconds. Its 10 are shorter than a training step of a large network, which then waits for
/// the system to clear the same pages anew every time.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

fn main() -> Exit {
    // SAFETY: sets a number in a table, before any other thread runs.
    unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, 1000) };
    run(std::env::args_os())
}
