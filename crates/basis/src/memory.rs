//! The program's memory: one heap for large blocks, which tensors, gradients and batches are, and
//! mimalloc for everything else.
//!
//! A training step takes and frees the same large blocks again and again, in the threads of one trial
//! after the other. An allocator that keeps what was freed for the thread that had it keeps it several
//! times; one that gives it back to the system has the same pages cleared anew in every step. Here all
//! threads share one range of addresses, a block goes to the smallest gap that it fits into, and pages
//! stay until [`give_back`]: what one step, trial or thread has freed is what the next one takes.

mod gaps;

use std::alloc::{GlobalAlloc, Layout};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use gaps::Gaps;
use mimalloc::MiMalloc;

/// Blocks from this size on are large.
const LARGE: usize = 128 << 10;

/// Blocks begin at multiples of this, and end there.
const GRAIN: usize = 4096;

/// Addresses that are set aside; pages are there once they are touched. If so many are not to be
/// had, half of them is tried, and so on down to the least.
const MOST: usize = 1 << 42;
const LEAST: usize = 1 << 30;

/// The program's allocator.
pub struct Allocator;

/// How much large blocks take, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// Now.
    pub now: usize,
    /// At the peak.
    pub peak: usize,
    /// Of pages that have been touched for them: gaps between blocks are in it.
    pub touched: usize,
}

/// The range of addresses of large blocks; none where it is not to be had.
struct Range {
    start: usize,
    len: usize,
    state: Mutex<State>,
}

struct State {
    gaps: Gaps,
    usage: Use,
}

static RANGE: OnceLock<Option<Range>> = OnceLock::new();

fn range() -> Option<&'static Range> {
    RANGE.get_or_init(Range::new).as_ref()
}

/// What large blocks take.
pub fn large() -> Use {
    range().map(|range| range.state().usage).unwrap_or_default()
}

/// Gives the pages of gaps between large blocks back to the system.
pub fn give_back() {
    range().into_iter().for_each(Range::give_back);
}

impl Range {
    fn new() -> Option<Range> {
        let sizes = std::iter::successors(Some(MOST), |len| Some(len / 2));
        let found =
            sizes.take_while(|len| *len >= LEAST).find_map(|len| Some((pages::range(len)?, len)));
        let (start, len) = found?;
        let state = State { gaps: Gaps::new(len), usage: Use::default() };
        Some(Range { start, len, state: Mutex::new(state) })
    }

    fn give_back(&self) {
        let mut state = self.state();
        for (offset, len) in state.gaps.iter() {
            // What the system does not take stays as it is, and counts as touched.
            pages::give_back(self.start + offset, len);
        }
        let (end, touched) = (state.gaps.end(), state.usage.touched);
        let is_back = pages::give_back(self.start + end, touched.saturating_sub(end));
        if is_back && pages::COME_BACK_AS_ZEROS {
            state.usage.touched = touched.min(end);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn holds(&self, block: *mut u8) -> bool {
        (block as usize).wrapping_sub(self.start) < self.len
    }

    /// A block of `size` bytes, and how many of its bytes from its start on may not be zeros.
    fn take(&self, size: usize) -> Option<(*mut u8, usize)> {
        let size = rounded(size);
        let mut state = self.state();
        let offset = state.gaps.take(size)?;
        let usage = &mut state.usage;
        let used = usage.touched.saturating_sub(offset).min(size);
        usage.now += size;
        usage.peak = usage.peak.max(usage.now);
        usage.touched = usage.touched.max(offset + size);
        Some(((self.start + offset) as *mut u8, used))
    }

    fn give(&self, block: *mut u8, size: usize) {
        let size = rounded(size);
        let mut state = self.state();
        state.gaps.give(block as usize - self.start, size);
        state.usage.now -= size;
    }
}

fn rounded(size: usize) -> usize {
    size.next_multiple_of(GRAIN)
}

fn is_large(layout: Layout) -> bool {
    layout.size() >= LARGE && layout.size() <= isize::MAX as usize && layout.align() <= GRAIN
}

/// A large block for `layout`; none if it is to come from elsewhere.
fn take(layout: Layout) -> Option<(*mut u8, usize)> {
    if is_large(layout) { range()?.take(layout.size()) } else { None }
}

/// The range that a block is from; none for one from elsewhere. Small blocks never ask.
fn home(block: *mut u8, layout: Layout) -> Option<&'static Range> {
    if is_large(layout) { range().filter(|range| range.holds(block)) } else { None }
}

// SAFETY: a large block is a part of the range that nobody else has until it is given back, and
// begins at a multiple of `GRAIN`; all others are mimalloc's.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match take(layout) {
            Some((block, _)) => block,
            // SAFETY: the caller's promise.
            None => unsafe { MiMalloc.alloc(layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match take(layout) {
            Some((block, used)) => {
                // SAFETY: the block has `used` bytes at least.
                unsafe { block.write_bytes(0, used) };
                block
            }
            // SAFETY: the caller's promise.
            None => unsafe { MiMalloc.alloc_zeroed(layout) },
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match home(block, layout) {
            Some(range) => range.give(block, layout.size()),
            // SAFETY: the caller's promise.
            None => unsafe { MiMalloc.dealloc(block, layout) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: by the caller's promise, `size` is allowed with this alignment.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        let from = home(block, layout);
        if from.is_none() && !is_large(new) {
            // SAFETY: the caller's promise; the block is mimalloc's.
            return unsafe { MiMalloc.realloc(block, layout, size) };
        }
        if from.is_some() && is_large(new) && rounded(size) == rounded(layout.size()) {
            return block;
        }
        // SAFETY: both blocks have as many bytes as are copied, and the old one is freed once.
        unsafe {
            let to = self.alloc(new);
            if !to.is_null() {
                to.copy_from_nonoverlapping(block, size.min(layout.size()));
                self.dealloc(block, layout);
            }
            to
        }
    }
}

/// Ranges of addresses from the system.
#[cfg(unix)]
mod pages {
    use std::ptr;

    /// The start of a range of `len` addresses, whose pages are zeros once they are touched.
    pub(super) fn range(len: usize) -> Option<usize> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_NORESERVE;
        // SAFETY: a new range at a place that the system chooses; nothing that exists is touched.
        let start = unsafe { libc::mmap(ptr::null_mut(), len, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return None;
        }
        // Large pages are faster to have, and to look up; where there are none, nothing is lost.
        #[cfg(target_os = "linux")]
        // SAFETY: advice about a range that was just mapped.
        unsafe {
            libc::madvise(start, len, libc::MADV_HUGEPAGE);
        }
        Some(start as usize)
    }

    /// Whether pages that were given back read as zeros, and not as what they held.
    pub(super) const COME_BACK_AS_ZEROS: bool = cfg!(target_os = "linux");

    /// Gives back the pages of a range that nobody uses: whether the system has taken them all. It does not take pages
    /// that are locked into memory.
    pub(super) fn give_back(start: usize, len: usize) -> bool {
        // SAFETY: the range lies within one of ours, and holds nothing that is still needed.
        unsafe { libc::madvise(start as *mut libc::c_void, len, libc::MADV_DONTNEED) == 0 }
    }
}

/// Elsewhere large blocks are mimalloc's, too.
#[cfg(not(unix))]
mod pages {
    pub(super) fn range(_len: usize) -> Option<usize> {
        None
    }

    pub(super) const COME_BACK_AS_ZEROS: bool = false;

    pub(super) fn give_back(_start: usize, _len: usize) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 64).unwrap()
    }

    /// Whether a block is one byte over and over.
    fn is_all(block: *mut u8, size: usize, byte: u8) -> bool {
        // SAFETY: the blocks of all callers have `size` bytes, and each byte is written.
        unsafe { std::slice::from_raw_parts(block, size) }.iter().all(|found| *found == byte)
    }

    #[test]
    fn blocks_of_many_threads_hold_what_was_written_to_them() {
        std::thread::scope(|scope| {
            for thread in 1..=4u8 {
                scope.spawn(move || {
                    for round in 0..50 {
                        let size = LARGE + 7777 * ((round * usize::from(thread)) % 11);
                        // SAFETY: each block is written before it is read, and freed once.
                        unsafe {
                            let block = Allocator.alloc(layout(size));
                            block.write_bytes(thread, size);
                            let zeros = Allocator.alloc_zeroed(layout(size));
                            assert!(is_all(zeros, size, 0));
                            zeros.write_bytes(9, size);
                            Allocator.dealloc(zeros, layout(size));
                            // Larger, smaller, and no longer large.
                            let grown = Allocator.realloc(block, layout(size), 2 * size);
                            assert!(is_all(grown, size, thread));
                            let shrunk = Allocator.realloc(grown, layout(2 * size), 1000);
                            assert!(is_all(shrunk, 1000, thread));
                            Allocator.dealloc(shrunk, layout(1000));
                        }
                        if round % 20 == 0 {
                            give_back();
                        }
                    }
                });
            }
        });
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn pages_that_the_system_does_not_take_back_are_cleared_before_they_count_as_zeros() {
        let Some(range) = Range::new() else { return };
        let (block, _) = range.take(LARGE).unwrap();
        // SAFETY: the block has LARGE bytes. The test locks one of its pages and unlocks it at the end.
        unsafe {
            block.write_bytes(7, LARGE);
            if libc::mlock(block.cast(), GRAIN) != 0 {
                return;
            }
        }
        range.give(block, LARGE);
        range.give_back();
        let (again, used) = range.take(LARGE).unwrap();
        assert_eq!((again, used), (block, LARGE), "all of it may hold what it held");
        // SAFETY: the page that was locked.
        assert_eq!(unsafe { libc::munlock(block.cast(), GRAIN) }, 0);
        range.give(block, LARGE);
        range.give_back();
        let (again, used) = range.take(LARGE).unwrap();
        assert_eq!(used, 0);
        assert!(is_all(again, LARGE, 0));
    }

    #[test]
    fn large_blocks_are_counted() {
        let Some(range) = Range::new() else { return };
        let (first, _) = range.take(LARGE).unwrap();
        let (second, _) = range.take(LARGE + 1).unwrap();
        range.give(first, LARGE);
        let now = LARGE + GRAIN;
        assert_eq!(range.state().usage, Use { now, peak: now + LARGE, touched: now + LARGE });
        range.give(second, LARGE + 1);
        assert_eq!(range.state().usage.now, 0);
    }
}
