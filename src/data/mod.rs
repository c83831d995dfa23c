//! Images and labels: sources, decoding, splits, normalisation and batches.
//!
//! A source is *listed* first (names, labels and declared parts, no pixels), which is all that
//! `wick check` needs. Where memory has room, every image is then decoded once, in parallel, and kept as
//! bytes that all trials share; where it has not, an image is decoded when somebody asks for it, and kept
//! on disk.

mod attributes;
mod bundled;
mod cache;
mod cifar;
mod cifar_python;
mod class_names;
mod dataset;
mod decode;
mod duplicates;
mod epochs;
mod error;
mod fit;
mod folder;
mod group;
mod gtsrb;
mod held;
mod holding;
mod idx;
mod inventory;
mod jpeg;
mod labels;
mod leaks;
mod linear;
mod listing;
mod load;
mod manifest;
mod measure;
mod normalise;
mod npz;
mod own_size;
mod parquet;
mod parquet_pages;
mod part_names;
mod pixel_file;
mod pixels;
mod resize;
mod sampling;
mod shards;
mod sizes;
mod source;
mod split;
mod stratified;
mod survey;
mod tar;
mod tiff;
mod views;

pub use cache::Cache;
pub use dataset::{Dataset, Part};
pub use duplicates::Copies;
pub use epochs::{Epochs, TrialEpochs, Work};
pub use error::{BadImage, Error};
pub use folder::images_in;
pub use holding::{Disk, Holding, News};
pub use inventory::{Changes, Inventory, SourceFile, Stamp};
pub use labels::{Labels, written_labels};
pub use leaks::{Copied, leaks, listed};
pub use load::{decode_centre, decode_image, decode_own_size, load};
pub use measure::{Measured, measure};
pub use normalise::{Normalisation, Table, normalisation};
pub use pixel_file::cached_bytes;
pub use sampling::Order;
pub use sizes::{Sizes, sizes};
pub use split::{Split, left_out_as_copies, split};
pub use survey::survey;
pub use views::{Batch, View, Views, augmentation_stream, mixing_stream};
