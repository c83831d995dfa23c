//! Rectangles that are cut out of images, and room that is added around them.

use serde::{Deserialize, Serialize};

use super::boxes::BBox;
use super::image::{Frame, Image};
use super::parameters::{Border, Fill};
use super::size::Size;
use candlewick_basis::seed::Stream;

/// A rectangle of pixels that lies in an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The first row.
    pub(super) top: usize,
    /// The first column.
    pub(super) left: usize,
    /// Rows.
    pub(super) height: usize,
    /// Columns.
    pub(super) width: usize,
}

impl Window {
    /// A window of `size` in the middle of `frame`, which is not smaller.
    pub(super) fn central(size: Size, frame: Frame) -> Window {
        let Size { height, width } = size;
        Window { top: (frame.height - height) / 2, left: (frame.width - width) / 2, height, width }
    }

    /// A window of `size` anywhere in `frame`, which is not smaller.
    pub(super) fn draw(size: Size, frame: Frame, stream: &mut Stream) -> Window {
        let Size { height, width } = size;
        let mut place = |room: usize| stream.below(room as u64 + 1) as usize;
        let (top, left) = (place(frame.height - height), place(frame.width - width));
        Window { top, left, height, width }
    }

    /// Cuts the window out of `image`.
    pub(super) fn crop(self, image: &mut Image) {
        let from = image.frame();
        let to = from.sized(self.height, self.width);
        if from == to {
            return;
        }
        let channels = from.channels;
        image.rewrite(to, |old, new| {
            let old_rows = old.chunks_exact(from.width * channels).skip(self.top);
            for (new, old) in new.chunks_exact_mut(to.width * channels).zip(old_rows) {
                new.copy_from_slice(&old[self.left * channels..][..new.len()]);
            }
        });
    }

    /// Moves boxes as [`crop`](Self::crop) moves pixels.
    pub(super) fn crop_boxes(self, boxes: &mut [BBox]) {
        let (top, left) = (self.top as f64, self.left as f64);
        boxes.iter_mut().for_each(|bbox| *bbox = bbox.moved(|x, y| (x - left, y - top)));
    }
}

/// Rows and columns that are added around an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Padding {
    /// Rows above.
    pub(super) top: usize,
    /// Rows below.
    pub(super) bottom: usize,
    /// Columns on the left.
    pub(super) left: usize,
    /// Columns on the right.
    pub(super) right: usize,
}

impl Padding {
    /// The size of an image of `frame` with this around it.
    pub(super) fn around(self, frame: Frame) -> Frame {
        frame.sized(frame.height + self.top + self.bottom, frame.width + self.left + self.right)
    }

    /// Adds it, as OpenCV's `copyMakeBorder`.
    pub(super) fn pad(self, image: &mut Image, border: Border, fill: Fill) {
        let from = image.frame();
        let to = self.around(from);
        if from == to {
            return;
        }
        image.rewrite(to, |old, new| match from.channels {
            1 => self.pad_channels::<1>(from, old, to, new, border, fill),
            _ => self.pad_channels::<3>(from, old, to, new, border, fill),
        });
    }

    fn pad_channels<const C: usize>(
        self,
        from: Frame,
        old: &[u8],
        to: Frame,
        new: &mut [u8],
        border: Border,
        fill: Fill,
    ) {
        let fill: [u8; C] = std::array::from_fn(|c| fill.channels()[c]);
        let place = |at: usize, before: usize, length: usize| {
            border.place(at as isize - before as isize, length)
        };
        let outside = (0..self.left).chain(self.left + from.width..to.width);
        let columns: Vec<(usize, Option<usize>)> =
            outside.map(|x| (x, place(x, self.left, from.width))).collect();
        let (old, _) = old.as_chunks::<C>();
        let (new, _) = new.as_chunks_mut::<C>();
        for (y, row) in new.chunks_exact_mut(to.width).enumerate() {
            let Some(y) = place(y, self.top, from.height) else {
                row.fill(fill);
                continue;
            };
            let old_row = &old[y * from.width..][..from.width];
            row[self.left..][..from.width].copy_from_slice(old_row);
            for (x, inside) in &columns {
                row[*x] = inside.map_or(fill, |x| old_row[x]);
            }
        }
    }

    /// Moves boxes as [`pad`](Self::pad) moves pixels. A mirrored border makes no boxes of the mirror
    /// images.
    pub(super) fn pad_boxes(self, boxes: &mut [BBox]) {
        let (top, left) = (self.top as f64, self.left as f64);
        boxes.iter_mut().for_each(|bbox| *bbox = bbox.moved(|x, y| (x + left, y + top)));
    }
}
