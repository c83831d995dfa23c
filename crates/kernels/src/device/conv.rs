//! Convolution in candle's operations.
//!
//! candle convolves with one stride and one padding for both axes, and takes groups one by one. What
//! fits goes through its `conv2d` (cuDNN's, where it is built in), in both directions; groups and
//! windows that differ by axis are unrolled into a matrix by an index and multiplied.

use candle_core::{Device, Result, Tensor};

use crate::activation::Activation;
use crate::conv::Geometry;
use crate::tape::{Tape, Value};
use candlewick_basis::shape::Window;

use super::activation::then;

/// [`conv2d`](crate::conv::conv2d) on a device.
pub(crate) fn conv2d(
    tape: &mut Tape,
    x: &Value,
    w: &Value,
    bias: Option<&Value>,
    geometry: Geometry,
    activation: Option<Activation>,
    in_lanes: bool,
) -> Result<Value> {
    let y = geometry.product(x.tensor(), w.tensor())?;
    let y = match bias {
        Some(bias) => y.broadcast_add(&bias.tensor().reshape((1, geometry.filters, 1, 1))?)?,
        None => y,
    };
    let (kept_x, kept_w) = (x.tensor().clone(), w.tensor().clone());
    let mut arguments = vec![x, w];
    arguments.extend(bias);
    let y = tape.record_by_candle(y, &arguments, move |gradient, wanted| {
        let (for_x, for_w) =
            geometry.back([&gradient, &kept_x, &kept_w], [wanted[0], wanted[1]])?;
        let mut gradients = vec![for_x, for_w];
        if wanted.len() == 3 {
            gradients.push(wanted[2].then(|| gradient.sum((2, 3))?.sum(0)).transpose()?);
        }
        Ok(gradients)
    })?;
    then(tape, y.counted_in_lanes(in_lanes), activation)
}

impl Geometry {
    /// Whether candle has this convolution once padding is dealt with.
    fn is_uniform(&self) -> bool {
        let [rows, columns] = &self.windows;
        self.groups == 1 && rows.stride == columns.stride && rows.dilation == columns.dilation
    }

    /// The padding on all four sides, if it is one and no pixel is left over behind the last window.
    fn even_padding(&self) -> Option<usize> {
        let padding = self.windows[0].padding[0];
        let is_even = |axis: usize| {
            self.windows[axis].padding == [padding; 2]
                && self.size[axis] + 2 * padding == self.seen(axis)
        };
        (is_even(0) && is_even(1)).then_some(padding)
    }

    /// Pixels of the padded map that windows reach.
    fn seen(&self, axis: usize) -> usize {
        (self.out[axis] - 1) * self.windows[axis].stride + self.windows[axis].extent()
    }

    /// x with its padding, as far as windows reach.
    fn padded(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = x.clone();
        for (axis, Window { padding: [front, behind], .. }) in self.windows.iter().enumerate() {
            let padded = x.pad_with_zeros(axis + 2, *front, *behind)?;
            x = padded.narrow(axis + 2, 0, self.seen(axis))?.contiguous()?;
        }
        Ok(x)
    }

    /// The gradient of x from that of [`padded`](Self::padded) x.
    fn unpadded(&self, gradient: &Tensor) -> Result<Tensor> {
        let mut gradient = gradient.clone();
        for (axis, Window { padding: [front, behind], .. }) in self.windows.iter().enumerate() {
            let size = self.size[axis];
            let unseen = size + front + behind - self.seen(axis);
            let whole = gradient.pad_with_zeros(axis + 2, 0, unseen)?;
            gradient = whole.narrow(axis + 2, *front, size)?.contiguous()?;
        }
        Ok(gradient)
    }

    fn product(&self, x: &Tensor, w: &Tensor) -> Result<Tensor> {
        let Window { stride, dilation, .. } = self.windows[0];
        if !self.is_uniform() {
            return self.product_unrolled(x, w);
        }
        match self.even_padding() {
            Some(padding) => x.conv2d(w, padding, stride, dilation, 1),
            None => self.padded(x)?.conv2d(w, 0, stride, dilation, 1),
        }
    }

    /// The gradients of x and w, as far as they are wanted.
    fn back(
        &self,
        [gradient, x, w]: [&Tensor; 3],
        wanted: [bool; 2],
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        if !self.is_uniform() {
            return self.back_unrolled([gradient, x, w], wanted);
        }
        let for_x = wanted[0].then(|| self.back_to_input(gradient, w)).transpose()?;
        let for_w = wanted[1].then(|| self.back_to_weights(gradient, x)).transpose()?;
        Ok((for_x, for_w))
    }

    /// The gradient, spread by the stride, convolved with the turned filters.
    fn back_to_input(&self, gradient: &Tensor, w: &Tensor) -> Result<Tensor> {
        let Window { stride, dilation, .. } = self.windows[0];
        let spread = spread(gradient, stride)?;
        let turned = w.flip(&[2, 3])?.transpose(0, 1)?.contiguous()?;
        let reach = [0, 1].map(|axis| self.windows[axis].extent() - 1);
        if let Some(padding) = self.even_padding()
            && reach[0] == reach[1]
            && let Some(around) = reach[0].checked_sub(padding)
        {
            return spread.conv2d(&turned, around, 1, dilation, 1);
        }
        let around = spread
            .pad_with_zeros(2, reach[0], reach[0])?
            .pad_with_zeros(3, reach[1], reach[1])?
            .contiguous()?;
        self.unpadded(&around.conv2d(&turned, 0, 1, dilation, 1)?)
    }

    /// x convolved with the gradient: images are channels, and stride and dilation change places.
    fn back_to_weights(&self, gradient: &Tensor, x: &Tensor) -> Result<Tensor> {
        let Window { stride, dilation, .. } = self.windows[0];
        let gradient = gradient.transpose(0, 1)?.contiguous()?;
        let (x, padding) = match self.even_padding() {
            Some(padding) => (x.clone(), padding),
            None => (self.padded(x)?, 0),
        };
        let x = x.transpose(0, 1)?.contiguous()?;
        x.conv2d(&gradient, padding, dilation, stride, 1)?.transpose(0, 1)?.contiguous()
    }

    fn windows_taps(&self) -> [usize; 2] {
        self.windows.map(|window| window.kernel)
    }

    /// The pixel that the window at `position` sees through `tap`, along one axis.
    fn pixel(&self, axis: usize, position: usize, tap: usize) -> Option<usize> {
        let Window { stride, dilation, padding, .. } = self.windows[axis];
        let at = (position * stride + tap * dilation).checked_sub(padding[0])?;
        (at < self.size[axis]).then_some(at)
    }

    /// The position whose window sees `pixel` through `tap`, along one axis.
    fn position(&self, axis: usize, pixel: usize, tap: usize) -> Option<usize> {
        let Window { stride, dilation, padding, .. } = self.windows[axis];
        let start = (pixel + padding[0]).checked_sub(tap * dilation)?;
        (start.is_multiple_of(stride) && start / stride < self.out[axis]).then_some(start / stride)
    }

    /// For each tap and each place of a grid of `size`, where `look` finds it in maps of `other` size;
    /// behind those if it finds nothing.
    fn index(
        &self,
        size: [usize; 2],
        other: [usize; 2],
        look: impl Fn(usize, usize, usize) -> Option<usize>,
        device: &Device,
    ) -> Result<Tensor> {
        let [down, right] = self.windows_taps();
        let mut index = Vec::with_capacity(down * right * size[0] * size[1]);
        for (y_tap, x_tap) in (0..down).flat_map(|y| (0..right).map(move |x| (y, x))) {
            let columns: Vec<_> = (0..size[1]).map(|x| look(1, x, x_tap)).collect();
            for row in (0..size[0]).map(|y| look(0, y, y_tap)) {
                let places = columns.iter().map(|column| match (row, column) {
                    (Some(row), Some(column)) => row * other[1] + column,
                    _ => other[0] * other[1],
                });
                index.extend(places.map(|place| place as u32));
            }
        }
        let count = index.len();
        Tensor::from_vec(index, count, device)
    }

    /// `[groups, taps, batch · positions]`, where taps are those of all channels of a group.
    fn unrolled(&self, x: &Tensor) -> Result<Tensor> {
        let index = self.index(self.out, self.size, |a, p, t| self.pixel(a, p, t), x.device())?;
        let taps = self.windows_taps().iter().product::<usize>();
        let (batch, positions) = (self.batch, self.positions());
        x.transpose(0, 1)?
            .reshape((self.channels, batch, self.pixels()))?
            .pad_with_zeros(2, 0, 1)?
            .contiguous()?
            .index_select(&index, 2)?
            .reshape((self.channels, batch, taps, positions))?
            .transpose(1, 2)?
            .reshape((self.groups, self.taps(), batch * positions))
    }

    /// The gradient of x from that of [`unrolled`](Self::unrolled) x: each pixel looks for the windows
    /// that saw it.
    fn rolled(&self, gradient: &Tensor) -> Result<Tensor> {
        let look = |a: usize, p: usize, t: usize| self.position(a, p, t);
        let taps = self.windows_taps().iter().product::<usize>();
        let (batch, positions) = (self.batch, self.positions());
        let index = self.index(self.size, self.out, look, gradient.device())?;
        // Tap by tap, so that no tap's gradients are copied for the others.
        let gradient = gradient
            .reshape((self.channels, taps, batch, positions))?
            .pad_with_zeros(3, 0, 1)?
            .contiguous()?;
        let mut sum: Option<Tensor> = None;
        for tap in 0..taps {
            let index = index.narrow(0, tap * self.pixels(), self.pixels())?.contiguous()?;
            let part = gradient.narrow(1, tap, 1)?.squeeze(1)?.contiguous()?;
            let part = part.index_select(&index, 2)?;
            sum = Some(match sum {
                None => part,
                Some(sum) => (sum + part)?,
            });
        }
        let Some(sum) = sum else { candle_core::bail!("a filter without taps") };
        sum.transpose(0, 1)?.reshape((batch, self.channels, self.size[0], self.size[1]))
    }

    fn product_unrolled(&self, x: &Tensor, w: &Tensor) -> Result<Tensor> {
        let w = w.reshape((self.groups, self.filters / self.groups, self.taps()))?;
        w.matmul(&self.unrolled(x)?)?
            .reshape((self.filters, self.batch, self.positions()))?
            .transpose(0, 1)?
            .reshape((self.batch, self.filters, self.out[0], self.out[1]))
    }

    fn back_unrolled(
        &self,
        [gradient, x, w]: [&Tensor; 3],
        wanted: [bool; 2],
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let own_filters = self.filters / self.groups;
        let gradient = gradient
            .reshape((self.batch, self.filters, self.positions()))?
            .transpose(0, 1)?
            .reshape((self.groups, own_filters, self.batch * self.positions()))?;
        let for_x = || {
            let w = w.reshape((self.groups, own_filters, self.taps()))?;
            self.rolled(&w.transpose(1, 2)?.contiguous()?.matmul(&gradient)?)
        };
        let for_w = || {
            let unrolled = self.unrolled(x)?.transpose(1, 2)?.contiguous()?;
            gradient.matmul(&unrolled)?.reshape(w.shape())
        };
        Ok((wanted[0].then(for_x).transpose()?, wanted[1].then(for_w).transpose()?))
    }
}

/// `[batch, filters, height, width]` with stride − 1 zeros between neighbours.
fn spread(maps: &Tensor, stride: usize) -> Result<Tensor> {
    if stride == 1 {
        return Ok(maps.clone());
    }
    let (batch, filters, height, width) = maps.dims4()?;
    let (tall, wide) = (height * stride, width * stride);
    maps.reshape((batch * filters * height, width, 1))?
        .pad_with_zeros(2, 0, stride - 1)?
        .reshape((batch * filters, height, 1, wide))?
        .pad_with_zeros(2, 0, stride - 1)?
        .reshape((batch, filters, tall, wide))?
        .narrow(2, 0, tall - (stride - 1))?
        .narrow(3, 0, wide - (stride - 1))?
        .contiguous()
}
