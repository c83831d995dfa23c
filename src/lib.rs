//! candlewick: declarative, reproducible experiments with convolutional networks, on candle.

pub mod basis;
pub mod config;
pub mod plan;

pub mod data;
pub mod kernels;
