//! `data.fit`: how an image of any shape is brought to the one size of `data.image.size`.
//!
//! ```toml
//! fit = "stretch"                    # both sides, each by its own factor
//! fit = "crop"                       # the image covers the size, and its centre is cut out
//! fit = "pad"                        # the image fits into the size, with black around it
//! fit = { pad = { fill = 114, interpolation = "antialias" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::written::or_default;
use crate::augment::Fill;

/// How an image is brought to its size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// Both sides are scaled, each by its own factor.
    #[default]
    Stretch,
    /// Scaled until it covers the size, then cut to its centre.
    #[serde(deserialize_with = "or_default")]
    #[schemars(with = "Option<CropSettings>")]
    Crop(CropSettings),
    /// Scaled until it fits into the size, then padded on both sides.
    #[serde(deserialize_with = "or_default")]
    #[schemars(with = "Option<PadSettings>")]
    Pad(PadSettings),
}

/// The settings of `crop`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[schemars(!default)]
pub struct CropSettings {
    /// How values between pixels are found; `"linear"` if not given.
    #[schemars(with = "Option<Interpolation>")]
    pub interpolation: Interpolation,
}

/// The settings of `pad`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[schemars(!default)]
pub struct PadSettings {
    /// How values between pixels are found; `"linear"` if not given.
    #[schemars(with = "Option<Interpolation>")]
    pub interpolation: Interpolation,
    /// What is added, a value from 0 to 255 or three for red, green and blue; 0 if not given. A gray image
    /// takes the first.
    #[schemars(with = "Option<Fill>")]
    pub fill: Fill,
}

/// How values between pixels are found where an image is brought to its size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Interpolation {
    /// From 2×2 pixels, as OpenCV and so Albumentations do, byte for byte. Of an image that becomes much
    /// smaller, pixels between these are lost.
    #[default]
    Linear,
    /// From all pixels that a new one covers, as stretching does, and Pillow and torchvision.
    Antialias,
}

impl Fit {
    /// Whether both sides are scaled, each by its own factor.
    pub fn is_stretch(&self) -> bool {
        *self == Fit::Stretch
    }

    /// Its name in the file.
    pub fn name(&self) -> &'static str {
        match self {
            Fit::Stretch => "stretch",
            Fit::Crop(_) => "crop",
            Fit::Pad(_) => "pad",
        }
    }
}
