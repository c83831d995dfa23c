//! candlewick: declarative, reproducible experiments with convolutional networks, on candle.

pub mod basis;
pub mod kernels;
pub mod plan;
