//! Matrix products by the `gemm` crate, on one thread: pieces are what threads share.

use gemm::Parallelism;

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
    let (rows, inner, columns) = (left.rows, left.columns, right.columns);
    assert_eq!(inner, right.rows, "inner sizes of a product");
    assert_eq!(into.len(), rows * columns, "size of a product");
    // SAFETY: the strides and sizes stay within the slices, as asserted here and in `Matrix`, and
    // `into` is borrowed mutably, so it overlaps neither factor.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            inner,
            into.as_mut_ptr(),
            1,
            columns as isize,
            add,
            left.numbers.as_ptr(),
            left.column_stride as isize,
            left.row_stride as isize,
            right.numbers.as_ptr(),
            right.column_stride as isize,
            right.row_stride as isize,
            1.0f32,
            1.0f32,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
