//! Augmentation: transforms of images and their boxes, and chains of them.
//!
//! The names, parameters and definitions are Albumentations' (version 2.0.8, the last under the MIT
//! licence; Buslaev et al., "Albumentations: fast and flexible image augmentations", Information
//! 2020). Images are bytes, as there; pixels agree with it, as goldens show.
//!
//! A transform is one file: its parameters as they are written, their check, what is drawn for one
//! image, and what becomes of pixels and boxes. This room knows nothing of experiments: an image and
//! a random stream go in, an image comes out. It lies below `config`, so that the struct that is
//! read from TOML is the struct that runs, and below `plan`, which follows image sizes through a
//! chain before any image is there.

mod boxes;
mod chain;
mod image;
mod parameters;
mod registry;
mod simd;
mod transform;

// Shared by several transforms.
mod distortion;
mod lut;
mod projection;
mod quarter_turn;
mod resample;
mod size;
mod warp;
mod window;

// Geometric transforms.
mod affine;
mod center_crop;
mod crop;
mod crop_and_pad;
mod elastic;
mod grid_distortion;
mod horizontal_flip;
mod longest_max_size;
mod optical_distortion;
mod pad_if_needed;
mod perspective;
mod random_crop;
mod random_resized_crop;
mod random_sized_bbox_safe_crop;
mod resize;
mod rotate;
mod rotate_90;
mod shift_scale_rotate;
mod smallest_max_size;
mod transpose;
mod vertical_flip;

// Pixel-level transforms.
mod invert;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod refusals;

pub use boxes::{BBox, BoxRules};
pub use chain::{Chain, Step};
pub use image::{Frame, Image};
pub use registry::{AnyTransform, KINDS};
pub use transform::{Fault, Scene, Transform};
