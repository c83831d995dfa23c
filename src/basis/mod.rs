//! The ground floor: randomness, shape arithmetic, records. Knows nothing of files, models or tensors.

pub mod record;
pub mod seed;
pub mod shape;
pub mod written;
