//! The `wick` binary.

use candlewick::cli::{Exit, main as run};

/// Keeps freed pages: a training step frees and takes the same buffers again and again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Exit {
    run(std::env::args_os())
}
