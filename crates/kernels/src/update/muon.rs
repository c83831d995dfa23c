//! The step of Muon: the momentum of a matrix, made nearly orthogonal. The state is the mean of gradients.
//!
//! A filter `[outputs, inputs, height, width]` counts as a matrix of `outputs` rows.

use candle_core::{Result, Tensor};
use candlewick_basis::optimizer::Muon;
use rayon::prelude::*;

use super::{Row, Update, each_piece};
use crate::buffer::Buffer;
use crate::device::update::{moment, times};
use crate::matmul::{Matrix, matmul};

/// Coefficients of the iteration X ← a X + (b G + c G²) X with G = X Xᵀ (Jordan et al., 2024), as PyTorch has them.
const NEWTON_SCHULZ: [f32; 3] = [3.4445, -4.7750, 2.0315];

/// What a norm is at least, before it divides.
const EPS: f64 = 1e-7;

impl Update for Muon {
    fn on_host(&self, row: Row<&mut [f32], Vec<f32>>) {
        let Row { values, gradient, state: [mean, _], lr, rows, .. } = row;
        let columns = values.len() / rows.max(1);
        mean.resize(values.len(), 0.0);
        let new = (1.0 - self.momentum) as f32;
        let (momentum, nesterov) = (self.momentum as f32, self.nesterov);
        each_piece(values, gradient, [mean], |_, gradient, [mean]| {
            for (g, m) in gradient.iter_mut().zip(mean) {
                *m += new * (*g - *m);
                *g = if nesterov { *g + momentum * (*m - *g) } else { *m };
            }
        });
        let direction = orthogonal(gradient, rows, columns, self.ns_steps);
        let kept = 1.0 - lr as f32 * self.weight_decay as f32;
        let rate = (lr * self.adjust_lr.factor(rows, columns)) as f32;
        gradient.copy_from_slice(&direction);
        each_piece(values, gradient, [], |values, gradient, []| {
            values
                .iter_mut()
                .zip(gradient)
                .for_each(|(value, g)| *value = *value * kept - rate * *g);
        });
    }

    fn on_device(&self, row: Row<Tensor, Buffer>) -> Result<Tensor> {
        let Row { values, gradient, state: [mean, _], lr, rows, .. } = row;
        let columns = values.elem_count() / rows.max(1);
        let new = times(&gradient, 1.0 - self.momentum)?;
        let m = match moment(mean, &values)? {
            None => new,
            Some(old) => (times(&old, self.momentum)? + new)?,
        };
        *mean = Buffer::Device(m.clone());
        let direction = match self.nesterov {
            true => (times(&gradient, 1.0 - self.momentum)? + times(&m, self.momentum)?)?,
            false => m,
        };
        let mut x = direction.reshape((rows, columns))?;
        let norm = f64::from(x.sqr()?.sum_all()?.sqrt()?.to_scalar::<f32>()?);
        x = times(&x, 1.0 / norm.max(EPS))?;
        if rows > columns {
            x = x.t()?.contiguous()?;
        }
        let [a, b, c] = NEWTON_SCHULZ.map(f64::from);
        for _ in 0..self.ns_steps {
            let gram = x.matmul(&x.t()?.contiguous()?)?;
            let change = (times(&gram, b)? + times(&gram.matmul(&gram)?, c)?)?;
            x = (times(&x, a)? + change.matmul(&x)?)?;
        }
        if rows > columns {
            x = x.t()?.contiguous()?;
        }
        let x = x.reshape(values.shape())?;
        let rate = lr * self.adjust_lr.factor(rows, columns);
        times(&values, 1.0 - lr * self.weight_decay)? - times(&x, rate)?
    }
}

/// The matrix nearest to `direction` whose singular values are about 1, by `steps` steps of Newton and Schulz.
fn orthogonal(direction: &[f32], rows: usize, columns: usize, steps: u32) -> Vec<f32> {
    let square: f64 = direction.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
    let scale = (1.0 / square.sqrt().max(EPS)) as f32;
    let is_tall = rows > columns;
    // The shorter side first: the products are smaller.
    let (short, long) = if is_tall { (columns, rows) } else { (rows, columns) };
    let mut x = if is_tall { transposed(direction, rows, columns) } else { direction.to_vec() };
    x.iter_mut().for_each(|number| *number *= scale);
    let [a, b, c] = NEWTON_SCHULZ;
    let (mut gram, mut change) = (vec![0.0; short * short], vec![0.0; short * short]);
    let mut next = vec![0.0; short * long];
    for _ in 0..steps {
        let matrix = Matrix::new(&x, short, long);
        product(matrix, matrix.t(), &mut gram, short);
        let square = Matrix::new(&gram, short, short);
        product(square, square, &mut change, short);
        change.iter_mut().zip(&gram).for_each(|(square, g)| *square = b * g + c * *square);
        product(Matrix::new(&change, short, short), matrix, &mut next, long);
        x.iter_mut().zip(&next).for_each(|(x, more)| *x = a * *x + more);
    }
    if is_tall { transposed(&x, columns, rows) } else { x }
}

/// Rows of a product in one piece of work.
const ROWS: usize = 32;

/// `into = left · right`, which has so many `columns`.
fn product(left: Matrix, right: Matrix, into: &mut [f32], columns: usize) {
    into.par_chunks_mut(ROWS * columns.max(1)).enumerate().for_each(|(piece, into)| {
        let rows = left.t().columns(piece * ROWS, into.len() / columns).t();
        matmul(rows, right, into, false);
    });
}

fn transposed(numbers: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut turned = Vec::with_capacity(numbers.len());
    for column in 0..columns {
        turned.extend((0..rows).map(|row| numbers[row * columns + column]));
    }
    turned
}
