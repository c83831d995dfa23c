//! Matrix products on one thread: pieces are what threads share.
//!
//! The order of each sum is part of the definition, so that all instruction sets and caches give the same bits:
//! products are added up in blocks of [`INNER`], each from 0 on and with one rounding a step, and blocks are added
//! to the result from the first to the last. How many outputs are computed together changes no bit.

use std::mem::MaybeUninit;

use super::lanes::LANES;
use super::simd::{Kernel, Simd, dispatch};

/// Products that are added up before their sum is added to the result.
const INNER: usize = 256;

/// A view of numbers as a matrix.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    numbers: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// `rows` × `columns` numbers in row-major order.
    pub(super) fn new(numbers: &'a [f32], rows: usize, columns: usize) -> Matrix<'a> {
        assert_eq!(numbers.len(), rows * columns, "a matrix of {rows} rows and {columns} columns");
        Matrix { numbers, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// The same numbers with rows and columns exchanged.
    pub(super) fn t(self) -> Matrix<'a> {
        Matrix {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// `count` columns from `first` on.
    pub(super) fn columns(self, first: usize, count: usize) -> Matrix<'a> {
        assert!(first + count <= self.columns, "columns of a matrix");
        Matrix { numbers: &self.numbers[first * self.column_stride..], columns: count, ..self }
    }
}

/// `into = left · right`, or `into += left · right` if `add`; `into` is row-major.
pub(super) fn matmul(left: Matrix, right: Matrix, into: &mut [f32], add: bool) {
    assert_eq!(left.columns, right.rows, "inner sizes of a product");
    assert_eq!(into.len(), left.rows * right.columns, "size of a product");
    if left.columns == 0 && !add {
        into.fill(0.0);
    }
    dispatch(Product { left, right, into, add });
}

/// Columns of the right factor, `[INNER][LANES]`, with zeros behind its last column.
#[repr(align(64))]
struct Panel([[MaybeUninit<f32>; LANES]; INNER]);

impl Panel {
    fn new() -> Panel {
        Panel([[MaybeUninit::uninit(); LANES]; INNER])
    }

    /// Takes `count` rows from `first` on of the columns from `column` on. All numbers of these rows are written.
    #[inline(always)]
    fn fill<V: Simd>(&mut self, matrix: Matrix, first: usize, count: usize, column: usize) {
        let columns = (matrix.columns - column).min(LANES);
        let start = &matrix.numbers[first * matrix.row_stride + column * matrix.column_stride..];
        let mut row = 0;
        if matrix.row_stride == 1 {
            let mut padded = [0.0; LANES * LANES];
            while row + LANES <= count {
                let (mut from, mut stride) = (start[row..].as_ptr(), matrix.column_stride);
                if columns < LANES {
                    for (lane, into) in padded.chunks_exact_mut(LANES).take(columns).enumerate() {
                        into.copy_from_slice(&start[row + lane * stride..][..LANES]);
                    }
                    (from, stride) = (padded.as_ptr(), LANES);
                }
                let into = self.0[row].as_mut_ptr().cast();
                // SAFETY: the matrix, or its padded copy, has LANES columns and rows from here on, and so has
                // the panel.
                unsafe { V::transpose(from, stride, into, LANES) };
                row += LANES;
            }
        }
        for (row, into) in self.0[..count].iter_mut().enumerate().skip(row) {
            let from = &start[row * matrix.row_stride..];
            if columns == LANES && matrix.column_stride == 1 {
                let from = &from[..LANES];
                for part in (0..LANES).step_by(V::WIDTH) {
                    // SAFETY: WIDTH divides LANES.
                    unsafe {
                        V::load(from[part..].as_ptr()).store(into[part..].as_mut_ptr().cast())
                    };
                }
            } else {
                for (lane, into) in into.iter_mut().enumerate() {
                    let number =
                        if lane < columns { from[lane * matrix.column_stride] } else { 0.0 };
                    into.write(number);
                }
            }
        }
    }
}

struct Product<'a> {
    left: Matrix<'a>,
    right: Matrix<'a>,
    into: &'a mut [f32],
    add: bool,
}

impl Kernel for Product<'_> {
    type Out = ();

    #[inline(always)]
    fn run<V: Simd>(mut self) {
        let (inner, columns) = (self.left.columns, self.right.columns);
        // As many as registers hold the sums of.
        let most = if V::MANY_REGISTERS && V::WIDTH == LANES { 2 } else { 1 };
        let mut panels = [Panel::new(), Panel::new()];
        for first in (0..inner).step_by(INNER) {
            let count = (inner - first).min(INNER);
            for column in (0..columns).step_by(most * LANES) {
                let used = (columns - column).div_ceil(LANES).min(most);
                for (index, panel) in panels[..used].iter_mut().enumerate() {
                    panel.fill::<V>(self.right, first, count, column + index * LANES);
                }
                let block = Block { panels: &panels, first, count, column };
                // SAFETY: `fill` has written `count` rows of the panels that are used.
                unsafe { self.block::<V>(&block, used) };
            }
        }
    }
}

/// Some columns of the right factor, at rows `first..first + count`.
struct Block<'a> {
    panels: &'a [Panel; 2],
    first: usize,
    count: usize,
    column: usize,
}

impl Product<'_> {
    /// Adds the products with a block to all rows.
    ///
    /// # Safety
    /// `count` rows of `used` panels of the block are written.
    #[inline(always)]
    unsafe fn block<V: Simd>(&mut self, block: &Block, used: usize) {
        let rows = self.left.rows;
        let mut row = 0;
        while row < rows {
            // SAFETY: there are as many rows left; the rest is the caller's promise.
            unsafe {
                row += match (V::WIDTH, used, rows - row) {
                    (16, 2, 12..) => self.tile::<V, 12, 2>(block, row),
                    (16, 2, 4..) => self.tile::<V, 4, 2>(block, row),
                    (16, 2, _) => self.tile::<V, 1, 2>(block, row),
                    (16, _, 12..) => self.tile::<V, 12, 1>(block, row),
                    (16, _, 4..) => self.tile::<V, 4, 1>(block, row),
                    (16, ..) => self.tile::<V, 1, 1>(block, row),
                    (8, _, 6..) => self.tile::<V, 6, 2>(block, row),
                    (8, _, 4..) => self.tile::<V, 4, 2>(block, row),
                    (8, _, 2..) => self.tile::<V, 2, 2>(block, row),
                    (8, ..) => self.tile::<V, 1, 2>(block, row),
                    (_, _, 6..) => self.tile::<V, 6, 4>(block, row),
                    (_, _, 2..) => self.tile::<V, 2, 4>(block, row),
                    _ => self.tile::<V, 1, 4>(block, row),
                };
            }
        }
    }

    /// `F` rows and `P` vectors of columns; how many rows.
    ///
    /// # Safety
    /// There are `F` rows from `row` on, and `count` rows are written of as many panels as `P` vectors fill.
    #[inline(always)]
    unsafe fn tile<V: Simd, const F: usize, const P: usize>(
        &mut self,
        block: &Block,
        row: usize,
    ) -> usize {
        let (left, columns) = (self.left, self.right.columns);
        let from = &left.numbers[row * left.row_stride + block.first * left.column_stride..];
        let reach = (F - 1) * left.row_stride + (block.count - 1) * left.column_stride;
        assert!(reach < from.len(), "a tile of the left factor");
        let mut sums = [[V::splat(0.0); P]; F];
        // SAFETY: the left factor reaches as far, as asserted; the panels are the caller's promise.
        unsafe {
            let places: [*const f32; P] = std::array::from_fn(|p| {
                let lane = p * V::WIDTH;
                block.panels[lane / LANES].0.as_ptr().cast::<f32>().add(lane % LANES)
            });
            let rows: [*const f32; F] =
                std::array::from_fn(|f| from.as_ptr().add(f * left.row_stride));
            for k in 0..block.count {
                let right: [V; P] = V::load_each(|p| places[p].add(k * LANES));
                for f in 0..F {
                    let number = V::splat(*rows[f].add(k * left.column_stride));
                    for p in 0..P {
                        sums[f][p] = right[p].fma(number, sums[f][p]);
                    }
                }
            }
        }
        let add = self.add || block.first > 0;
        let width = (columns - block.column).min(P * V::WIDTH);
        for f in 0..F {
            let into = &mut self.into[(row + f) * columns + block.column..][..width];
            if width == P * V::WIDTH {
                for p in 0..P {
                    let into = into[p * V::WIDTH..][..V::WIDTH].as_mut_ptr();
                    // SAFETY: a vector of the result.
                    unsafe {
                        let sum = if add { V::load(into).add(sums[f][p]) } else { sums[f][p] };
                        sum.store(into);
                    }
                }
            } else {
                let mut whole = [0.0; 2 * LANES];
                for p in 0..P {
                    // SAFETY: `P` vectors fill at most two panels.
                    unsafe { sums[f][p].store(whole[p * V::WIDTH..][..V::WIDTH].as_mut_ptr()) };
                }
                for (into, sum) in into.iter_mut().zip(whole) {
                    *into = if add { *into + sum } else { sum };
                }
            }
        }
        F
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, number by number.
    fn defined(left: Matrix, right: Matrix, into: &mut [f32], add: bool) {
        for (at, into) in into.iter_mut().enumerate() {
            let (row, column) = (at / right.columns, at % right.columns);
            let mut total = add.then_some(*into);
            for first in (0..left.columns).step_by(INNER) {
                let block = (first..left.columns.min(first + INNER)).fold(0.0f32, |sum, k| {
                    let left = left.numbers[row * left.row_stride + k * left.column_stride];
                    let right = right.numbers[k * right.row_stride + column * right.column_stride];
                    right.mul_add(left, sum)
                });
                total = Some(total.map_or(block, |total| total + block));
            }
            *into = total.unwrap_or(0.0);
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(200))]

        #[test]
        fn a_product_has_the_bits_of_its_definition_whatever_its_shape(
            sizes in (1usize..40, 0usize..5000, 1usize..70),
            turned in proptest::array::uniform2(proptest::bool::ANY),
            add: bool,
            seed: u64,
        ) {
            let (rows, inner, columns) = sizes;
            let numbers = |count: usize, purpose: u64| -> Vec<f32> {
                (0..count as u64)
                    .map(|i| {
                        let mixed = (i ^ seed.rotate_left(purpose as u32))
                            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
                        ((mixed >> 40) as f32 / (1u64 << 23) as f32) - 1.0
                    })
                    .collect()
            };
            let (a, b) = (numbers(rows * inner, 1), numbers(inner * columns, 2));
            let matrix = |numbers, rows, columns, turned| {
                if turned {
                    Matrix::new(numbers, columns, rows).t()
                } else {
                    Matrix::new(numbers, rows, columns)
                }
            };
            let left = matrix(&a[..], rows, inner, turned[0]);
            let right = matrix(&b[..], inner, columns, turned[1]);
            let mut found = numbers(rows * columns, 3);
            let mut expected = found.clone();
            matmul(left, right, &mut found, add);
            defined(left, right, &mut expected, add);
            let bits = |numbers: &[f32]| numbers.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            proptest::prop_assert_eq!(bits(&found), bits(&expected));
        }
    }
}
