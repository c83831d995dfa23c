//! The ground floor: randomness, devices, memory, instruction sets, shape arithmetic, records, regular files, Student's t.
//! Knows nothing of models or tensors.

pub mod activation;
pub mod device;
pub mod fault;
pub mod instructions;
pub mod loss;
pub mod memory;
pub mod naming;
pub mod number;
pub mod optimizer;
pub mod printable;
pub mod record;
pub mod regular;
pub mod seed;
pub mod shape;
pub mod student;
pub mod written;
