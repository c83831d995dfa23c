//! Shape arithmetic of convolution and pooling windows, one spatial axis at a time.

/// One axis of a sliding window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Elements the window covers (before dilation).
    pub kernel: usize,
    /// Step between two positions.
    pub stride: usize,
    /// Elements added before and after.
    pub padding: [usize; 2],
    /// Distance between two taps; 1 is a dense window.
    pub dilation: usize,
}

impl Window {
    /// The extent of the window with its holes: `dilation · (kernel − 1) + 1`.
    pub fn extent(&self) -> usize {
        self.dilation * (self.kernel - 1) + 1
    }

    /// `⌊(size + padding − extent) / stride⌋ + 1`, or `None` if the window does not fit.
    pub fn out(&self, size: usize) -> Option<usize> {
        let padded = size + self.padding[0] + self.padding[1];
        padded.checked_sub(self.extent()).map(|room| room / self.stride + 1)
    }

    /// As [`out`](Self::out) but rounding up, PyTorch's `ceil_mode`: a window that would start in
    /// the padding behind the last element is dropped.
    pub fn out_ceil(&self, size: usize) -> Option<usize> {
        let padded = size + self.padding[0] + self.padding[1];
        let room = padded.checked_sub(self.extent())?;
        let out = room.div_ceil(self.stride) + 1;
        let starts_behind = (out - 1) * self.stride >= size + self.padding[0];
        Some(if starts_behind { out - 1 } else { out })
    }

    /// Padding that keeps `⌈size / stride⌉` outputs, the extra element behind ("same").
    pub fn same_padding(kernel: usize, stride: usize, dilation: usize, size: usize) -> [usize; 2] {
        let extent = dilation * (kernel - 1) + 1;
        let out = size.div_ceil(stride);
        let total = ((out - 1) * stride + extent).saturating_sub(size);
        [total / 2, total - total / 2]
    }
}

/// A readable shape: `32×14×14`.
pub fn display(shape: &[usize]) -> String {
    shape.iter().map(ToString::to_string).collect::<Vec<_>>().join("×")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(kernel: usize, stride: usize, padding: usize, dilation: usize) -> Window {
        Window { kernel, stride, padding: [padding; 2], dilation }
    }

    #[test]
    fn sizes_follow_the_lecture_formula() {
        assert_eq!(window(3, 1, 0, 1).out(32), Some(30));
        assert_eq!(window(11, 4, 2, 1).out(224), Some(55));
        assert_eq!(window(3, 2, 0, 1).out(55), Some(27));
        assert_eq!(window(3, 1, 2, 2).out(7), Some(7));
        assert_eq!(window(5, 1, 0, 1).out(3), None);
    }

    #[test]
    fn ceil_mode_drops_windows_that_start_in_the_padding() {
        assert_eq!(window(3, 2, 0, 1).out_ceil(112), Some(56));
        assert_eq!(window(2, 2, 1, 1).out_ceil(3), Some(2));
        assert_eq!(window(2, 2, 0, 1).out_ceil(5), Some(3));
    }

    #[test]
    fn same_padding_keeps_the_size_at_stride_one_and_divides_it_otherwise() {
        for size in 1..40 {
            for kernel in 1..8 {
                for stride in 1..4 {
                    for dilation in 1..3 {
                        let padding = Window::same_padding(kernel, stride, dilation, size);
                        let window = Window { kernel, stride, padding, dilation };
                        assert_eq!(window.out(size), Some(size.div_ceil(stride)));
                    }
                }
            }
        }
    }
}
