//! All kinds of transforms: one line each.

use serde::de::{DeserializeOwned, Deserializer, Error};
use serde::{Deserialize, Serialize};

use super::boxes::BBox;
use super::image::{Frame, Image};
use super::transform::{Fault, Scene, Transform};
use crate::basis::seed::Stream;

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
    "horizontal-flip" => horizontal_flip::HorizontalFlip,
    "vertical-flip" => vertical_flip::VerticalFlip,
    "transpose" => transpose::Transpose,
    "rotate-90" => rotate_90::Rotate90,
    // Before `rotate`, which is one of its keys.
    "affine" => affine::Affine,
    "rotate" => rotate::Rotate,
    "shift-scale-rotate" => shift_scale_rotate::ShiftScaleRotate,
    "perspective" => perspective::Perspective,
    "elastic" => elastic::Elastic,
    "grid-distortion" => grid_distortion::GridDistortion,
    "optical-distortion" => optical_distortion::OpticalDistortion,
    "resize" => resize::Resize,
    "smallest-max-size" => smallest_max_size::SmallestMaxSize,
    "longest-max-size" => longest_max_size::LongestMaxSize,
    "center-crop" => center_crop::CenterCrop,
    "random-crop" => random_crop::RandomCrop,
    "crop" => crop::Crop,
    "random-resized-crop" => random_resized_crop::RandomResizedCrop,
    "random-sized-bbox-safe-crop" => random_sized_bbox_safe_crop::RandomSizedBBoxSafeCrop,
    "crop-and-pad" => crop_and_pad::CropAndPad,
    "pad-if-needed" => pad_if_needed::PadIfNeeded,
    "invert" => invert::Invert,
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
    fn apply(
        &self,
        image: &mut Image,
        boxes: &mut Vec<BBox>,
        stream: &mut Stream,
        told: Option<&mut serde_json::Value>,
    );
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

    fn apply(
        &self,
        image: &mut Image,
        boxes: &mut Vec<BBox>,
        stream: &mut Stream,
        told: Option<&mut serde_json::Value>,
    ) {
        let frame = image.frame();
        let drawn = self.draw(&Scene { frame, boxes }, stream);
        if let Some(told) = told {
            *told = serde_json::to_value(&drawn).expect("what is drawn is plain data");
        }
        self.pixels(&drawn, image);
        if !boxes.is_empty() {
            self.boxes(&drawn, frame, boxes);
        }
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
        let kind = KINDS.iter().find(|kind| value.get(kind).is_some());
        let read = kind.and_then(|kind| AnyTransform::read(kind, Json(value)));
        read.ok_or_else(|| D::Error::custom("no kind of transform"))?.map_err(D::Error::custom)
    }
}
