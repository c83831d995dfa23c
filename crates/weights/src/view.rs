//! Which numbers of a storage make up a tensor, and in which order.

use super::dtype::reserve;
use super::error::{Fault, shape_text};

/// No tensor of a network has more dimensions.
pub(super) const MAX_DIMENSIONS: usize = 16;

/// A tensor's window into consecutive numbers that begin at its first element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct View {
    /// Elements of the tensor.
    pub(super) count: usize,
    /// Numbers from the first to the last element, those between them included.
    pub(super) extent: usize,
    /// Sides longer than one, with the distance between neighbours; `None` if the elements simply
    /// follow one another.
    strides: Option<Vec<(usize, usize)>>,
}

impl View {
    /// Elements that follow one another, the last dimension fastest.
    pub(super) fn contiguous(shape: &[usize]) -> Result<View, Fault> {
        let count = count(shape)?;
        Ok(View { count, extent: count, strides: None })
    }

    /// Elements that follow one another, the first dimension fastest.
    pub(super) fn column_major(shape: &[usize]) -> Result<View, Fault> {
        count(shape)?;
        let mut distance = 1usize;
        let strides: Vec<usize> = shape
            .iter()
            .map(|side| {
                let stride = distance;
                distance = distance.saturating_mul(*side);
                stride
            })
            .collect();
        View::strided(shape, &strides)
    }

    /// Elements `strides` apart, in numbers. A view that shows a number more than once is refused
    /// where it has more elements than numbers: nothing else keeps its size within the file's.
    pub(super) fn strided(shape: &[usize], strides: &[usize]) -> Result<View, Fault> {
        if shape.len() != strides.len() {
            return Err(Fault::damaged(format!(
                "{} sides and {} strides",
                shape.len(),
                strides.len()
            )));
        }
        let count = count(shape)?;
        if count == 0 {
            return Ok(View { count, extent: 0, strides: None });
        }
        let sides: Vec<(usize, usize)> = shape
            .iter()
            .copied()
            .zip(strides.iter().copied())
            .filter(|(side, _)| *side > 1)
            .collect();
        let extent = sides
            .iter()
            .try_fold(1usize, |extent, (side, stride)| {
                (side - 1).checked_mul(*stride)?.checked_add(extent)
            })
            .ok_or_else(|| Fault::damaged("its strides lead out of any memory"))?;
        if count > extent {
            return Err(Fault::unsupported(format!(
                "its {} elements repeat {extent} stored numbers; save `tensor.contiguous()` instead",
                shape_text(shape)
            )));
        }
        let mut dense = 1;
        let in_order = sides.iter().rev().all(|(side, stride)| {
            let fits = *stride == dense;
            dense *= side;
            fits
        });
        Ok(View { count, extent, strides: (!in_order).then_some(sides) })
    }

    /// The tensor's elements out of its `extent` numbers.
    pub(super) fn gather<T: Copy>(&self, numbers: Vec<T>) -> Result<Vec<T>, Fault> {
        let Some(sides) = &self.strides else { return Ok(numbers) };
        let mut elements = Vec::new();
        reserve(&mut elements, self.count)?;
        let mut index = vec![0; sides.len()];
        let mut place = 0;
        loop {
            elements.push(numbers[place]);
            let mut dimension = sides.len();
            loop {
                if dimension == 0 {
                    return Ok(elements);
                }
                dimension -= 1;
                let (side, stride) = sides[dimension];
                index[dimension] += 1;
                place += stride;
                if index[dimension] < side {
                    break;
                }
                place -= stride * side;
                index[dimension] = 0;
            }
        }
    }
}

/// Elements of `shape`.
fn count(shape: &[usize]) -> Result<usize, Fault> {
    if shape.len() > MAX_DIMENSIONS {
        return Err(Fault::damaged(format!(
            "a tensor of {} dimensions, at most {MAX_DIMENSIONS} are read",
            shape.len()
        )));
    }
    if shape.contains(&0) {
        return Ok(0);
    }
    shape.iter().try_fold(1usize, |count, side| count.checked_mul(*side)).ok_or_else(|| {
        Fault::damaged(format!("a tensor of {} is larger than any memory", shape_text(shape)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(view: View) -> Vec<f32> {
        let numbers = (0..view.extent).map(|i| i as f32).collect();
        view.gather(numbers).unwrap()
    }

    #[test]
    fn a_transpose_is_put_in_order() {
        let view = View::strided(&[3, 2], &[1, 3]).unwrap();
        assert_eq!(gathered(view.clone()), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert_eq!(view, View::column_major(&[3, 2]).unwrap());
    }

    #[test]
    fn a_slice_with_gaps_skips_them() {
        let view = View::strided(&[2, 2], &[5, 2]).unwrap();
        assert_eq!((view.count, view.extent), (4, 8));
        assert_eq!(gathered(view), [0.0, 2.0, 5.0, 7.0]);
    }

    #[test]
    fn strides_of_sides_of_one_do_not_matter() {
        let view = View::strided(&[2, 1, 3, 1], &[3, 999, 1, usize::MAX]).unwrap();
        assert_eq!(view, View::contiguous(&[2, 3]).unwrap());
        assert_eq!(View::strided(&[1, 1], &[7, 7]).unwrap(), View::contiguous(&[]).unwrap());
    }

    #[test]
    fn an_empty_tensor_has_no_numbers_whatever_its_other_sides() {
        let view = View::strided(&[0, usize::MAX, usize::MAX], &[1, 1, 1]).unwrap();
        assert_eq!((view.count, view.extent), (0, 0));
        assert!(gathered(view).is_empty());
    }

    #[test]
    fn sizes_beyond_memory_and_repetition_are_refused() {
        assert!(matches!(View::contiguous(&[1 << 40, 1 << 40]), Err(Fault::Damaged(_))));
        assert!(matches!(View::strided(&[3, 2], &[usize::MAX, 1]), Err(Fault::Damaged(_))));
        assert!(matches!(View::strided(&[3], &[1, 1]), Err(Fault::Damaged(_))));
        assert!(matches!(View::contiguous(&[1; 17]), Err(Fault::Damaged(_))));
        assert!(matches!(View::strided(&[1 << 40], &[0]), Err(Fault::Unsupported(_))));
    }
}
