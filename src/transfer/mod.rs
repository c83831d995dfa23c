//! Transfer learning: what a pretrained network is worth on other images.

pub mod advise;
pub mod measures;
