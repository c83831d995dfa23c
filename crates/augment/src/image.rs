//! An image in the making.

use std::fmt;

/// What is known of an image without its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// 1 (gray) or 3 (RGB).
    pub channels: usize,
}

impl Frame {
    /// The same channels at another size.
    pub fn sized(self, height: usize, width: usize) -> Frame {
        Frame { height, width, ..self }
    }

    /// Bytes of an image.
    pub fn bytes(self) -> usize {
        self.height * self.width * self.channels
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}×{}", self.height, self.width)
    }
}

/// An image, with the memory in which its next state is written.
#[derive(Clone, Debug)]
pub struct Image {
    frame: Frame,
    /// [height, width, channels]
    pixels: Vec<u8>,
    spare: Vec<u8>,
}

impl Image {
    /// An image of `frame` with these pixels.
    ///
    /// # Shapes
    /// `pixels`: [height, width, channels]
    ///
    /// # Panics
    /// If there are more or fewer pixels than `frame` says.
    pub fn new(frame: Frame, pixels: Vec<u8>) -> Image {
        assert_eq!(pixels.len(), frame.bytes(), "an image of {frame}");
        Image { frame, pixels, spare: Vec::new() }
    }

    /// Puts another image in place of this one and keeps the memory.
    pub fn reset(&mut self, frame: Frame, pixels: &[u8]) {
        assert_eq!(pixels.len(), frame.bytes(), "an image of {frame}");
        self.frame = frame;
        self.pixels.clear();
        self.pixels.extend_from_slice(pixels);
    }

    /// Its size and channels.
    pub fn frame(&self) -> Frame {
        self.frame
    }

    /// [height, width, channels]
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The pixels, to be changed in place.
    pub fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// Makes an image of `frame` from the pixels: `write` gets the old pixels and room for the new
    /// ones, which holds anything and has to be written in full.
    pub fn rewrite(&mut self, frame: Frame, write: impl FnOnce(&[u8], &mut [u8])) {
        self.spare.resize(frame.bytes(), 0);
        write(&self.pixels, &mut self.spare);
        std::mem::swap(&mut self.pixels, &mut self.spare);
        self.frame = frame;
    }
}
