//! The sets of images that trials were run on.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::results::layout;

use super::{Store, StoreError, write_whole};

/// A set of images as trials found it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Images {
    /// Equal for equal images.
    pub fingerprint: String,
    /// How many there are.
    pub images: usize,
    /// Images that the source declares for testing and that were left out because another source
    /// is the test set.
    pub set_aside: usize,
    /// Files that were left out, each with its reason.
    pub skipped: Vec<String>,
    /// What there is to say of images with the same pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copies: Option<String>,
}

fn read_images(path: &Path) -> Option<Images> {
    toml::from_str(&fs::read_to_string(path).ok()?).ok()
}

impl Store {
    /// Compares the images called `key` with those of earlier trials, and remembers them if there
    /// are none: whether they are the same.
    pub fn check_images(&self, key: &str, images: &Images) -> Result<bool, StoreError> {
        let name = &blake3::hash(key.as_bytes()).to_hex()[..16];
        let path = layout::trials(&self.root).join(format!("images-{name}.toml"));
        match read_images(&path) {
            Some(known) => Ok(known.fingerprint == images.fingerprint),
            None => {
                let text = toml::to_string(images).expect("images are plain data");
                write_whole(&path, text.as_bytes()).map(|()| true)
            }
        }
    }

    /// The sets of images that trials were run on, in the order of their files' names.
    pub fn images(&self) -> Vec<(PathBuf, Images)> {
        let Ok(entries) = fs::read_dir(layout::trials(&self.root)) else { return Vec::new() };
        let mut paths: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.is_file())
            .collect();
        paths.sort();
        paths.into_iter().filter_map(|path| Some((path.clone(), read_images(&path)?))).collect()
    }
}
