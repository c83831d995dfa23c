//! Transfer learning: what a pretrained network is worth on other images, and what its frozen layers
//! give for each of them, computed once.

pub mod advise;
pub mod candidates;
pub mod evidence;
pub mod extractor;
pub mod features;
pub mod tournament;
