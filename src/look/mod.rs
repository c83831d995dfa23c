//! What a trained network sees: its first filters, its maps, where it looks for a class, and which patches of images
//! excite it.

pub mod filters;
pub mod maps;
pub mod patches;
pub mod pictures;
pub mod saliency;
