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
mod mixing;
mod parameters;
mod registry;
mod simd;
mod transform;

// Shared by several transforms.
mod bytes;
mod colour;
mod distortion;
mod drawing;
mod filter;
mod gaussian;
mod histogram;
mod hls;
mod holes;
mod lab;
mod lut;
mod noise;
mod operations;
mod poisson;
mod projection;
mod quarter_turn;
mod resample;
mod size;
mod warp;
mod window;

// The transforms.
mod affine;
mod auto_augment;
mod auto_contrast;
mod blur;
mod brightness_contrast;
mod center_crop;
mod channel_dropout;
mod channel_shuffle;
mod clahe;
mod coarse_dropout;
mod color_jitter;
mod crop;
mod crop_and_pad;
mod defocus;
mod downscale;
mod elastic;
mod emboss;
mod equalize;
mod fog;
mod gamma;
mod gauss_noise;
mod gaussian_blur;
mod grid_distortion;
mod grid_dropout;
mod horizontal_flip;
mod hue_saturation_value;
mod invert;
mod iso_noise;
mod jpeg;
mod longest_max_size;
mod median_blur;
mod motion_blur;
mod multiplicative_noise;
mod optical_distortion;
mod pad_if_needed;
mod perspective;
mod pixelate;
mod posterize;
mod rain;
mod rand_augment;
mod random_crop;
mod random_erasing;
mod random_resized_crop;
mod random_sized_bbox_safe_crop;
mod resize;
mod rgb_shift;
mod rotate;
mod rotate_90;
mod shadow;
mod sharpen;
mod shift_scale_rotate;
mod shot_noise;
mod smallest_max_size;
mod snow;
mod solarize;
mod sun_flare;
mod to_gray;
mod to_sepia;
mod transpose;
mod trivial_augment;
mod vertical_flip;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod refusals;

pub use boxes::{BBox, BoxFormat, BoxRules};
pub use chain::{Applied, Chain, Step};
pub use image::{Frame, Image};
pub use mixing::{Mixed, Mixing};
pub use parameters::{Fill, Range};
pub use registry::{AnyTransform, KINDS, Reader, kind_of};
pub use transform::{Fault, Scene, Transform};
