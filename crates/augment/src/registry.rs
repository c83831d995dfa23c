//! All kinds of transforms: one line each.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{DeserializeOwned, Deserializer, Error};
use serde::{Deserialize, Serialize};

use super::boxes::BBox;
use super::image::{Frame, Image};
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

macro_rules! transforms {
    ($($kind:literal => $module:ident::$name:ident,)*) => {
        /// The kinds of transforms, as they are written: of two that are keys of one table the first is
        /// its kind.
        pub const KINDS: &[&str] = &[$($kind),*];

        /// A transform of any kind, with its parameters.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum AnyTransform {
            $(#[doc = concat!("`", $kind, "`")] $name(super::$module::$name),)*
        }

        $(impl From<super::$module::$name> for AnyTransform {
            fn from(transform: super::$module::$name) -> AnyTransform {
                AnyTransform::$name(transform)
            }
        })*

        impl AnyTransform {
            /// Has `reader` read the parameters of a transform of `kind`; none if there is no such
            /// kind.
            pub fn read<R: Reader>(
                kind: &str,
                reader: R,
            ) -> Option<Result<AnyTransform, R::Error>> {
                match kind {
                    $($kind => Some(reader.read::<super::$module::$name>().map(Into::into)),)*
                    _ => None,
                }
            }

            /// How the transforms are written as tables: kind, default of `p`, and schema without
            /// `p`.
            pub fn schemas(
                generator: &mut SchemaGenerator,
            ) -> Vec<(&'static str, f64, Schema)> {
                vec![$((
                    $kind,
                    <super::$module::$name as Transform>::P,
                    <super::$module::$name as JsonSchema>::json_schema(generator),
                )),*]
            }

            /// What it is called.
            pub fn kind(&self) -> &'static str {
                match self {
                    $(AnyTransform::$name(_) => $kind,)*
                }
            }

            /// The probability of a transform of `kind` for which none is written.
            pub fn default_p(&self) -> f64 {
                match self {
                    $(AnyTransform::$name(_) => <super::$module::$name as Transform>::P,)*
                }
            }

            fn erased(&self) -> &dyn Erased {
                match self {
                    $(AnyTransform::$name(transform) => transform,)*
                }
            }
        }
    };
}

transforms! {
    "affine" => affine::Affine,
    "auto-augment" => auto_augment::AutoAugment,
    "auto-contrast" => auto_contrast::AutoContrast,
    "blur" => blur::Blur,
    "brightness-contrast" => brightness_contrast::BrightnessContrast,
    "center-crop" => center_crop::CenterCrop,
    "channel-dropout" => channel_dropout::ChannelDropout,
    "channel-shuffle" => channel_shuffle::ChannelShuffle,
    "clahe" => clahe::Clahe,
    "coarse-dropout" => coarse_dropout::CoarseDropout,
    "color-jitter" => color_jitter::ColorJitter,
    "crop" => crop::Crop,
    "crop-and-pad" => crop_and_pad::CropAndPad,
    "defocus" => defocus::Defocus,
    "downscale" => downscale::Downscale,
    "elastic" => elastic::Elastic,
    "emboss" => emboss::Emboss,
    "equalize" => equalize::Equalize,
    "fog" => fog::Fog,
    "gamma" => gamma::Gamma,
    "gauss-noise" => gauss_noise::GaussNoise,
    "gaussian-blur" => gaussian_blur::GaussianBlur,
    "grid-distortion" => grid_distortion::GridDistortion,
    "grid-dropout" => grid_dropout::GridDropout,
    "horizontal-flip" => horizontal_flip::HorizontalFlip,
    "hue-saturation-value" => hue_saturation_value::HueSaturationValue,
    "invert" => invert::Invert,
    "iso-noise" => iso_noise::IsoNoise,
    "jpeg" => jpeg::Jpeg,
    "longest-max-size" => longest_max_size::LongestMaxSize,
    "median-blur" => median_blur::MedianBlur,
    "motion-blur" => motion_blur::MotionBlur,
    "multiplicative-noise" => multiplicative_noise::MultiplicativeNoise,
    "optical-distortion" => optical_distortion::OpticalDistortion,
    "pad-if-needed" => pad_if_needed::PadIfNeeded,
    "perspective" => perspective::Perspective,
    "pixelate" => pixelate::Pixelate,
    "posterize" => posterize::Posterize,
    "rain" => rain::Rain,
    "rand-augment" => rand_augment::RandAugment,
    "random-crop" => random_crop::RandomCrop,
    "random-erasing" => random_erasing::RandomErasing,
    "random-resized-crop" => random_resized_crop::RandomResizedCrop,
    "random-sized-bbox-safe-crop" => random_sized_bbox_safe_crop::RandomSizedBBoxSafeCrop,
    "resize" => resize::Resize,
    "rgb-shift" => rgb_shift::RgbShift,
    "rotate" => rotate::Rotate,
    "rotate-90" => rotate_90::Rotate90,
    "shadow" => shadow::Shadow,
    "sharpen" => sharpen::Sharpen,
    "shift-scale-rotate" => shift_scale_rotate::ShiftScaleRotate,
    "shot-noise" => shot_noise::ShotNoise,
    "smallest-max-size" => smallest_max_size::SmallestMaxSize,
    "snow" => snow::Snow,
    "solarize" => solarize::Solarize,
    "sun-flare" => sun_flare::SunFlare,
    "to-gray" => to_gray::ToGray,
    "to-sepia" => to_sepia::ToSepia,
    "transpose" => transpose::Transpose,
    "trivial-augment" => trivial_augment::TrivialAugment,
    "vertical-flip" => vertical_flip::VerticalFlip,
    // Before `rotate`, which is one of its keys.
}

/// The kind that `key` names.
pub fn kind_of(key: &str) -> Option<&'static str> {
    KINDS.iter().find(|kind| **kind == key).copied()
}

/// Reads parameters from wherever they are written.
pub trait Reader {
    /// Why they cannot be read.
    type Error;
    /// The parameters of one kind.
    fn read<T: DeserializeOwned>(self) -> Result<T, Self::Error>;
}

/// A [`Transform`] whose draws have no type.
trait Erased {
    fn check(&self, frame: Frame) -> Result<Frame, Fault>;
    fn at_evaluation(&self, frame: Frame) -> Option<AnyTransform>;
    fn takes_any_size(&self, wanted: Frame) -> bool;
    fn is_settled(&self) -> bool;
    fn apply(
        &self,
        image: &mut Image,
        boxes: &mut Vec<BBox>,
        stream: &mut Stream,
        told: Option<&mut serde_json::Value>,
    );
    fn draw(&self, scene: &Scene, stream: &mut Stream) -> serde_json::Value;
    fn apply_drawn(
        &self,
        drawn: serde_json::Value,
        image: &mut Image,
        boxes: &mut Vec<BBox>,
    ) -> serde_json::Result<()>;
}

impl<T: Transform> Erased for T {
    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        Transform::check(self, frame)
    }

    fn at_evaluation(&self, frame: Frame) -> Option<AnyTransform> {
        Transform::at_evaluation(self, frame)
    }

    fn takes_any_size(&self, wanted: Frame) -> bool {
        Transform::takes_any_size(self, wanted)
    }

    fn is_settled(&self) -> bool {
        Transform::is_settled(self)
    }

    fn apply(
        &self,
        image: &mut Image,
        boxes: &mut Vec<BBox>,
        stream: &mut Stream,
        told: Option<&mut serde_json::Value>,
    ) {
        let frame = image.frame();
        let drawn = Transform::draw(self, &Scene { frame, boxes }, stream);
        if let Some(told) = told {
            *told = serde_json::to_value(&drawn).expect("what is drawn is plain data");
        }
        self.pixels(&drawn, image);
        if !boxes.is_empty() {
            self.boxes(&drawn, frame, boxes);
        }
    }

    fn draw(&self, scene: &Scene, stream: &mut Stream) -> serde_json::Value {
        serde_json::to_value(Transform::draw(self, scene, stream))
            .expect("what is drawn is plain data")
    }

    fn apply_drawn(
        &self,
        drawn: serde_json::Value,
        image: &mut Image,
        boxes: &mut Vec<BBox>,
    ) -> serde_json::Result<()> {
        let drawn = serde_json::from_value(drawn)?;
        let frame = image.frame();
        self.pixels(&drawn, image);
        self.boxes(&drawn, frame, boxes);
        Ok(())
    }
}

impl AnyTransform {
    /// As [`Transform::check`].
    pub fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.erased().check(frame)
    }

    /// As [`Transform::at_evaluation`].
    pub fn at_evaluation(&self, frame: Frame) -> Option<AnyTransform> {
        self.erased().at_evaluation(frame)
    }

    /// As [`Transform::takes_any_size`].
    pub fn takes_any_size(&self, wanted: Frame) -> bool {
        self.erased().takes_any_size(wanted)
    }

    /// As [`Transform::is_settled`].
    pub fn is_settled(&self) -> bool {
        self.erased().is_settled()
    }

    /// Draws for one image, changes it, and moves its boxes; `told` gets what was drawn. Boxes may
    /// leave the image.
    pub fn apply(
        &self,
        image: &mut Image,
        boxes: &mut Vec<BBox>,
        stream: &mut Stream,
        told: Option<&mut serde_json::Value>,
    ) {
        self.erased().apply(image, boxes, stream, told);
    }

    /// What [`apply`](Self::apply) would draw.
    pub fn draw(&self, scene: &Scene, stream: &mut Stream) -> serde_json::Value {
        self.erased().draw(scene, stream)
    }

    /// Does what [`apply`](Self::apply) does when this is drawn.
    ///
    /// # Errors
    /// If this kind of transform draws something else.
    pub fn apply_drawn(
        &self,
        drawn: serde_json::Value,
        image: &mut Image,
        boxes: &mut Vec<BBox>,
    ) -> serde_json::Result<()> {
        self.erased().apply_drawn(drawn, image, boxes)
    }
}

impl<'de> Deserialize<'de> for AnyTransform {
    /// From a table with a key that names a kind, as it was serialised.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Json(serde_json::Value);
        impl Reader for Json {
            type Error = serde_json::Error;
            fn read<T: DeserializeOwned>(self) -> Result<T, serde_json::Error> {
                serde_json::from_value(self.0)
            }
        }
        let value = serde_json::Value::deserialize(deserializer)?;
        // The first key that is a kind: others may be parameters that are called like kinds.
        let kind = value.as_object().and_then(|table| table.keys().find_map(|key| kind_of(key)));
        let read = kind.and_then(|kind| AnyTransform::read(kind, Json(value)));
        read.ok_or_else(|| D::Error::custom("no kind of transform"))?.map_err(D::Error::custom)
    }
}
