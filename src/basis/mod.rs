//! The ground floor: randomness, memory, shape arithmetic, records. Knows nothing of files, models or tensors.

pub mod memory;
pub mod record;
pub mod seed;
pub mod shape;
pub mod written;
