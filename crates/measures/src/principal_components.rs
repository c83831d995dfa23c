//! The directions in which features vary most.

use faer::{Accum, Mat, Par, linalg::matmul::matmul};

/// Directions that are sought beside those that are wanted: the nearer the next variance is, the more they help.
const MORE: usize = 6;

/// The subspace is turned at most so often.
const MOST_TURNS: usize = 200;

/// It stands still when no wanted variance changes by more than this part of itself.
const STILL: f64 = 1e-10;

/// The first principal components of rows of features, and where each row lies along them.
///
/// Source: Pearson, "On Lines and Planes of Closest Fit to Systems of Points in Space", 1901; by subspace iteration
/// (Golub and Van Loan, Matrix Computations, 8.2.4).
#[derive(Clone, Debug, PartialEq)]
pub struct PrincipalComponents {
    /// For each row its coordinates along the components, the largest variance first.
    pub coordinates: Vec<Vec<f64>>,
    /// The part of all variance that lies along each of them.
    pub shares: Vec<f64>,
}

impl PrincipalComponents {
    /// The first `count` components of rows of `width` numbers. A component points where the largest number of its
    /// direction is positive. None if a number is not finite, there is no row, or the rows are all the same.
    pub fn of(values: &[f32], width: usize, count: usize) -> Option<PrincipalComponents> {
        let rows = values.len().checked_div(width)?;
        let count = count.min(width).min(rows);
        if count == 0 || values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let centred = centred(values, rows, width);
        let total = squares(&centred);
        if total <= 0.0 {
            return None;
        }
        let wide = (count + MORE).min(width).min(rows);
        // Any start that is not orthogonal to what is sought does; this one is the same everywhere.
        let mut basis = Mat::from_fn(width, wide, |row, column| {
            let place = ((row * wide + column) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            (place >> 40) as f64 / 16_777_216.0 - 0.5
        });
        orthogonal(&mut basis);
        let mut variances = vec![0.0; wide];
        let mut scores = Mat::zeros(rows, wide);
        for _ in 0..MOST_TURNS {
            matmul(&mut scores, Accum::Replace, &centred, &basis, 1.0, Par::Seq);
            matmul(&mut basis, Accum::Replace, centred.transpose(), &scores, 1.0, Par::Seq);
            let found = orthogonal(&mut basis);
            let is_still = |(old, new): (&f64, &f64)| (old - new).abs() <= STILL * new.abs();
            let settled = variances.iter().zip(&found).take(count).all(is_still);
            variances = found;
            if settled {
                break;
            }
        }
        for column in 0..count {
            let largest = (0..width).map(|row| basis[(row, column)]);
            let largest = largest.fold(0.0, |a: f64, b: f64| if b.abs() > a.abs() { b } else { a });
            if largest < 0.0 {
                (0..width).for_each(|row| basis[(row, column)] = -basis[(row, column)]);
            }
        }
        matmul(&mut scores, Accum::Replace, &centred, &basis, 1.0, Par::Seq);
        let along = |column: usize| -> f64 {
            (0..rows).map(|row| scores[(row, column)] * scores[(row, column)]).sum()
        };
        Some(PrincipalComponents {
            coordinates: (0..rows)
                .map(|row| (0..count).map(|column| scores[(row, column)]).collect())
                .collect(),
            shares: (0..count).map(|column| along(column) / total).collect(),
        })
    }
}

/// The rows without their mean.
fn centred(values: &[f32], rows: usize, width: usize) -> Mat<f64> {
    let mut means = vec![0.0; width];
    for row in values.chunks_exact(width) {
        means.iter_mut().zip(row).for_each(|(mean, value)| *mean += f64::from(*value));
    }
    means.iter_mut().for_each(|mean| *mean /= rows as f64);
    Mat::from_fn(rows, width, |row, column| f64::from(values[row * width + column]) - means[column])
}

fn squares(matrix: &Mat<f64>) -> f64 {
    (0..matrix.ncols())
        .map(|column| matrix.col(column).iter().map(|value| value * value).sum::<f64>())
        .sum()
}

/// Makes the columns orthonormal, one after the other (modified Gram-Schmidt, twice); how long each was without those
/// before it. A column that the others span becomes 0.
fn orthogonal(basis: &mut Mat<f64>) -> Vec<f64> {
    let (rows, columns) = (basis.nrows(), basis.ncols());
    let mut lengths = Vec::with_capacity(columns);
    for column in 0..columns {
        let before = length(basis, column);
        for _ in 0..2 {
            for other in 0..column {
                let product: f64 =
                    (0..rows).map(|row| basis[(row, column)] * basis[(row, other)]).sum();
                for row in 0..rows {
                    basis[(row, column)] -= product * basis[(row, other)];
                }
            }
        }
        let after = length(basis, column);
        let is_spanned = after <= before * 1e-14;
        let factor = if is_spanned { 0.0 } else { 1.0 / after };
        (0..rows).for_each(|row| basis[(row, column)] *= factor);
        lengths.push(after);
    }
    lengths
}

fn length(basis: &Mat<f64>, column: usize) -> f64 {
    basis.col(column).iter().map(|value| value * value).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use faer::Side;

    /// Rows whose columns vary less and less, turned a little.
    fn features(rows: usize, width: usize) -> Vec<f32> {
        let noise = |at: usize| {
            let place = (at as u64 + 7).wrapping_mul(0xD134_2543_DE82_EF95);
            ((place ^ (place >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40) as f64
                / 16_777_216.0
                - 0.5
        };
        let value = |row: usize, column: usize| {
            let own = noise(row * width + column) * 4.0 / (1.0 + column as f64);
            let other = noise(row * width + (column + 1) % width);
            (own + 0.3 * other + 5.0) as f32
        };
        (0..rows * width).map(|at| value(at / width, at % width)).collect()
    }

    #[test]
    fn components_are_the_eigenvectors_of_the_covariance() {
        for (rows, width) in [(60, 12), (9, 40)] {
            let values = features(rows, width);
            let found = PrincipalComponents::of(&values, width, 2).unwrap();
            let centred = centred(&values, rows, width);
            let gram = centred.transpose() * &centred;
            let eigen = gram.self_adjoint_eigen(Side::Lower).unwrap();
            let total: f64 = eigen.S().column_vector().iter().sum();
            for place in 0..2 {
                let share = eigen.S().column_vector()[width - 1 - place] / total;
                assert!((found.shares[place] - share).abs() < 1e-7, "{share} {found:?}");
                let along: Vec<f64> = (0..rows)
                    .map(|row| {
                        let vector = eigen.U().col(width - 1 - place);
                        (0..width).map(|column| centred[(row, column)] * vector[column]).sum()
                    })
                    .collect();
                // The sign of an eigenvector is free.
                let sign = (along[0] * found.coordinates[0][place]).signum();
                for (row, expected) in along.iter().enumerate() {
                    let difference = found.coordinates[row][place] - sign * expected;
                    assert!(difference.abs() < 1e-3, "{row} {place} {difference}");
                }
            }
        }
    }

    #[test]
    fn rows_on_a_line_have_one_component_and_equal_rows_have_none() {
        let line = PrincipalComponents::of(&[0.0, 0.0, 3.0, 4.0, 6.0, 8.0], 2, 2).unwrap();
        assert!((line.shares[0] - 1.0).abs() < 1e-12 && line.shares[1].abs() < 1e-12);
        let along: Vec<f64> = line.coordinates.iter().map(|row| row[0].round()).collect();
        assert_eq!(along, [-5.0, 0.0, 5.0]);
        assert_eq!(PrincipalComponents::of(&[1.0; 8], 2, 2), None);
        assert_eq!(PrincipalComponents::of(&[f32::NAN, 1.0], 1, 1), None);
        assert_eq!(PrincipalComponents::of(&[], 3, 2), None);
    }
}
