//! Operations on f32 tensors in NCHW order, each with its exact gradient: kernels for processors, and
//! their counterparts in candle's operations for every other [`device`].
//!
//! Every operation is a function that takes the [`Tape`](tape::Tape) first, computes its result and,
//! while recording, leaves behind what its backward pass needs. Work is split into pieces whose
//! borders depend on shapes alone, and partial sums are added in a fixed order, so results are the
//! same bits for any number of threads.

pub mod activation;
pub mod arrange;
pub mod blur_pool;
pub mod buffer;
pub mod channel_pool;
pub mod conv;
mod correlation;
pub mod dense;
mod depthwise;
pub mod device;
mod direct;
pub mod distillation;
pub mod dropout;
mod exponential;
mod frame;
mod gelu;
pub mod group_norm;
mod lanes;
pub mod layer_norm;
pub mod layer_scale;
pub mod loss;
mod matmul;
pub mod merge;
pub mod multi_label;
pub mod norm;
mod per_image;
mod pieces;
mod pointwise;
pub mod pool;
pub mod rectified_pool;
pub mod response_norm;
mod simd;
mod streaming;
pub mod tape;
mod transform;
mod unroll;
pub mod update;
mod winograd;
mod winograd_deep;
mod winograd_weights;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod random_shapes;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod threads;

use candlewick_basis::instructions;

/// Images that one piece of work holds: a piece is the unit of threads and of partial sums.
const IMAGES_PER_PIECE: usize = 8;

/// The vector instructions that the kernels use.
pub fn instruction_set() -> String {
    format!("{:?}", instructions::used().set())
}

// As in the program: whether results are written by streaming stores depends on where blocks of memory start.
// Miri has its own memory.
#[cfg(all(test, not(miri)))]
#[global_allocator]
static ALLOCATOR: candlewick_basis::memory::Allocator = candlewick_basis::memory::Allocator;
