//! Frozen layers: what they give for an image is computed once.

pub mod extractor;
pub mod features;
