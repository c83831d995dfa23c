//! Streaming (non-temporal) stores, which bypass the caches.
//!
//! An ordinary store first reads the cache line that it overwrites, and evicts another one. A result that is
//! larger than the caches has left them when the next operation reads it, so caching it gains nothing, and
//! costs a third of the memory traffic of an operation that reads as much as it writes. Memory traffic is what
//! limits trials side by side.

use std::mem::MaybeUninit;
use std::ptr;

use super::lanes::LANES;
use super::simd::{Kernel, Simd, dispatch, fence};

/// Numbers of the smallest result that is written by streaming stores: 4 MB, a core's share of most third-level
/// caches.
const LARGE: usize = 1 << 20;

/// The most numbers of a part that is made in a cache and then stored.
const ROOM: usize = 1 << 16;

/// The size of a cache line in bytes. A cache line starts at a multiple of its size.
const LINE: usize = 64;

/// Whether `result` should be written by streaming stores.
pub(super) fn is_large(result: &[MaybeUninit<f32>]) -> bool {
    result.len() >= LARGE && starts_line(result)
}

fn starts_line(numbers: &[MaybeUninit<f32>]) -> bool {
    numbers.as_ptr().addr().is_multiple_of(LINE)
}

/// Lets `make` write `part` of a result, and returns it written: by way of `room` and from there by streaming
/// stores, if the result `is_large`. What `room` holds before has no meaning. `make` returns what it was given,
/// which proves that it has written all of it.
pub(super) fn write<'a>(
    part: &'a mut [MaybeUninit<f32>],
    is_large: bool,
    room: &mut Vec<f32>,
    make: impl FnOnce(&mut [MaybeUninit<f32>]) -> &mut [f32],
) -> &'a mut [f32] {
    if is_large && part.len() <= ROOM && starts_line(part) {
        room.clear();
        room.reserve_exact(part.len());
        let made = checked(&mut room.spare_capacity_mut()[..part.len()], make);
        dispatch(Leave { room: made, part });
        fence();
    } else {
        checked(part, make);
    }
    // SAFETY: `make` has written all of it, or `Leave` has, which copies as many numbers.
    unsafe { part.assume_init_mut() }
}

/// What `make` has written, which is all of `part`.
fn checked(
    part: &mut [MaybeUninit<f32>],
    make: impl FnOnce(&mut [MaybeUninit<f32>]) -> &mut [f32],
) -> &mut [f32] {
    let place = ptr::slice_from_raw_parts(part.as_ptr().cast::<f32>(), part.len());
    assert!(ptr::eq(make(part), place), "another part was written");
    // SAFETY: a slice of numbers is written, and this is the same one.
    unsafe { part.assume_init_mut() }
}

/// Copies `room` to `part` by streaming stores.
struct Leave<'a> {
    room: &'a [f32],
    part: &'a mut [MaybeUninit<f32>],
}

impl Kernel for Leave<'_> {
    type Out = ();

    #[inline(always)]
    fn run<V: Simd>(self) {
        let (lines, rest) = self.room.as_chunks::<LANES>();
        let (into, into_rest) = self.part.as_chunks_mut::<LANES>();
        for (line, into) in lines.iter().zip(into) {
            // SAFETY: both are `LANES` numbers, and the part starts at a cache line.
            unsafe { stream_line::<V>(line.as_ptr(), into.as_mut_ptr().cast()) };
        }
        into_rest.write_copy_of_slice(rest);
    }
}

/// Copies `LANES` numbers by streaming stores.
///
/// # Safety
/// Both pointers lead to `LANES` numbers, and `to` to the start of a cache line.
#[inline(always)]
pub(super) unsafe fn stream_line<V: Simd>(from: *const f32, to: *mut f32) {
    // SAFETY: WIDTH divides LANES; the rest is the caller's promise.
    unsafe {
        for part in (0..LANES).step_by(V::WIDTH) {
            V::load(from.add(part)).stream(to.add(part));
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Tensor;

    use candlewick_basis::shape::Window;

    use super::super::activation::Activation;
    use super::super::buffer::Buffer;
    use super::super::conv::conv2d;
    use super::super::lanes::{enter, leave};
    use super::super::merge::sum;
    use super::super::norm::{Statistics, batch_norm};
    use super::super::pool::max_pool2d;
    use super::super::rectified_pool::{normalised_max_pool2d, rectified_max_pool2d};
    use super::super::tape::{Tape, numbers};
    use super::super::tests::{spread, taken, window};
    use super::*;

    #[test]
    fn a_part_holds_what_was_made_wherever_it_starts_and_ends() {
        let mut numbers = vec![MaybeUninit::new(0.0f32); ROOM + 64];
        let start = numbers.as_ptr().align_offset(LINE);
        for (first, len) in [(0, 64), (0, 100), (3, 40), (0, 5), (16, 0), (0, ROOM), (16, ROOM + 1)]
        {
            for is_large in [false, true] {
                numbers.fill(MaybeUninit::new(-1.0));
                let part = &mut numbers[start + first..][..len];
                // Longer than the part, and not zeros.
                let mut room = vec![7.0; 200];
                let part = write(part, is_large, &mut room, |part| {
                    assert_eq!(part.len(), len);
                    let numbers: Vec<f32> = (0..len).map(|i| i as f32).collect();
                    part.write_copy_of_slice(&numbers)
                });
                let made = part.iter().enumerate().all(|(i, number)| *number == i as f32);
                assert!(made, "{len} numbers from {first} on, {is_large}");
                // SAFETY: they are from the start on.
                let numbers = unsafe { numbers.assume_init_ref() };
                let around = numbers.iter().filter(|number| **number == -1.0).count();
                assert_eq!(around, numbers.len() - len, "{len} from {first} on, {is_large}");
            }
        }
    }

    const BATCH: usize = 64;
    const FILTERS: usize = 16;
    const SIZE: usize = 34;
    /// Batches that are computed one after the other.
    const PARTS: usize = 4;
    const _: () = assert!(BATCH * FILTERS * SIZE * SIZE >= LARGE);
    const _: () = assert!(BATCH * FILTERS * SIZE * SIZE / PARTS < LARGE);

    /// Results of every operation that uses streaming stores, and the gradient of the images; batch norm
    /// by running averages, so that images know nothing of each other.
    fn network(images: &Tensor, slopes: Vec<f32>) -> [Vec<f32>; 2] {
        let mut recording = Tape::recording();
        let tape = &mut recording;
        let leaf = tape.leaf(images, true);
        let [w, v, gamma, beta] = [
            ("w", &[FILTERS, 3, 3, 3][..]),
            ("v", &[FILTERS, FILTERS, 3, 3]),
            ("gamma", &[FILTERS]),
            ("beta", &[FILTERS]),
        ]
        .map(|(name, shape)| tape.leaf(&spread(shape, name), false));
        let mean = Buffer::Host(vec![0.1; FILTERS]);
        let variance = Buffer::Host(vec![0.5; FILTERS]);
        let running = Statistics::Running { mean: &mean, variance: &variance };
        let (same, halves): ([Window; 2], _) = ([window(3, 1, 1, 1); 2], [window(2, 2, 0, 1); 2]);
        let x = enter(tape, &leaf).unwrap();
        let y = conv2d(tape, &x, &w, None, same, 1, None).unwrap();
        let z = conv2d(tape, &y, &v, None, same, 1, Some(Activation::Relu)).unwrap();
        let both = sum(tape, &[y, z], None).unwrap();
        let (y, _) =
            batch_norm(tape, &both, &gamma, &beta, 1e-5, running, Some(Activation::Relu)).unwrap();
        let first = max_pool2d(tape, &y, halves, false).unwrap();
        let second = rectified_max_pool2d(tape, &both, None, halves, false).unwrap();
        let affine = [&gamma, &beta];
        let (third, _) =
            normalised_max_pool2d(tape, &both, affine, 1e-5, running, None, halves, false).unwrap();
        let all = sum(tape, &[first, second, third], None).unwrap();
        let all = leave(tape, &all).unwrap();
        let values = numbers(all.tensor()).unwrap().to_vec();
        let gradient = taken(&mut recording.backward_from(&all, slopes).unwrap(), &leaf).unwrap();
        [values, gradient]
    }

    #[test]
    fn large_results_are_the_same_bits_as_small_ones() {
        let images = spread(&[BATCH, 3, SIZE, SIZE], "images");
        let slopes = spread(&[BATCH, FILTERS, SIZE / 2, SIZE / 2], "slopes");
        let slopes = numbers(&slopes).unwrap().to_vec();
        assert!(
            is_large(&Box::<[f32]>::new_uninit_slice(LARGE)),
            "blocks of this program's memory start lines"
        );
        let whole = network(&images, slopes.clone());
        let mut parts = [Vec::new(), Vec::new()];
        for (part, slopes) in slopes.chunks(slopes.len() / PARTS).enumerate() {
            let count = BATCH / PARTS;
            let images = images.narrow(0, part * count, count).unwrap().contiguous().unwrap();
            let found = network(&images, slopes.to_vec());
            parts.iter_mut().zip(found).for_each(|(all, found)| all.extend(found));
        }
        let bits =
            |all: &[Vec<f32>; 2]| all.clone().map(|n| n.iter().map(|n| n.to_bits()).collect());
        let [whole, parts]: [[Vec<u32>; 2]; 2] = [bits(&whole), bits(&parts)];
        assert!(whole == parts);
    }
}
