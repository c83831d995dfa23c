//! What every transform is: written parameters, a draw for one image, pixels and boxes.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::boxes::BBox;
use super::image::{Frame, Image};
use super::registry::AnyTransform;
use candlewick_basis::seed::Stream;

/// What a transform knows of an image when it draws.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// Size and channels.
    pub frame: Frame,
    /// The boxes of the image.
    pub boxes: &'a [BBox],
}

/// A parameter that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The key, or empty for the transform as a whole.
    pub key: &'static str,
    /// What is wrong, in a sentence that names what was found.
    pub message: String,
    /// A few words at the place.
    pub label: String,
    /// The way out.
    pub help: Option<String>,
}

impl Fault {
    /// Something wrong with the value of `key`.
    pub fn new(key: &'static str, message: impl Into<String>, label: impl Into<String>) -> Fault {
        Fault { key, message: message.into(), label: label.into(), help: None }
    }

    /// The way out.
    pub fn help(self, help: impl Into<String>) -> Fault {
        Fault { help: Some(help.into()), ..self }
    }
}

impl Frame {
    /// Whether images have colours, which the transform `kind` needs.
    pub(super) fn coloured(self, kind: &'static str) -> Result<(), Fault> {
        if self.channels == 3 {
            return Ok(());
        }
        let message = format!("{kind} changes colours, but the images are gray");
        Err(Fault::new(kind, message, "needs red, green and blue"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// One kind of transform. The implementing struct holds the parameters as they are written in TOML.
pub trait Transform: Sized {
    /// All that chance decides for one image; pixels and boxes follow from it.
    type Drawn: Serialize + DeserializeOwned;

    /// The probability with which it is applied if nothing is written: Albumentations' default.
    const P: f64 = 0.5;

    /// Checks the parameters for images of `frame` and says what comes out.
    fn check(&self, frame: Frame) -> Result<Frame, Fault>;

    /// Draws for one image.
    fn draw(&self, scene: &Scene, stream: &mut Stream) -> Self::Drawn;

    /// Changes the pixels.
    fn pixels(&self, drawn: &Self::Drawn, image: &mut Image);

    /// Moves the boxes of an image that was of `frame` before. They may leave the image: whoever
    /// applies a transform clips them.
    fn boxes(&self, _drawn: &Self::Drawn, _frame: Frame, _boxes: &mut [BBox]) {}

    /// What stands in its place for validation and test images of `frame`: nothing unless it
    /// decides the size of images.
    fn at_evaluation(&self, _frame: Frame) -> Option<AnyTransform> {
        None
    }

    /// Whether images may come to it in sizes of their own, where the network gets those of `wanted`: it
    /// brings them to a size, or cuts out a window of that very size.
    fn takes_any_size(&self, _wanted: Frame) -> bool {
        false
    }

    /// Whether nothing in it is left to chance.
    fn is_settled(&self) -> bool {
        false
    }
}
