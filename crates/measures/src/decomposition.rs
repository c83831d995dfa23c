//! The singular values of features and the images' coordinates in the space that their rows span.

use faer::linalg::matmul::triangular::{BlockStructure, matmul as triangular_matmul};
use faer::{Accum, Mat, Par, Side};

use super::labelled::{Table, Unmeasurable};

/// Rows or columns that are taken into f64 at a time.
const BLOCK: usize = 256;

/// A thin singular value decomposition F = U·S·Vᵀ, as far as the measures need it.
pub(super) struct Decomposition {
    /// F·V = U·S, images × rank: the images in an orthonormal basis of the rows' space, so that
    /// products and distances of images are those of their features.
    pub(super) scores: Mat<f64>,
    /// S², the largest first.
    pub(super) squares: Vec<f64>,
}

impl Decomposition {
    /// By the eigenvectors of FᵀF or of FFᵀ, whichever is smaller. Directions with less than the
    /// rounding error of the largest one are left out.
    pub(super) fn of(table: &Table) -> Result<Decomposition, Unmeasurable> {
        let (images, width) = (table.features.images(), table.features.width());
        let tall = width <= images;
        let gram = if tall { of_features(table) } else { of_images(table) };
        let eigen = gram.self_adjoint_eigen(Side::Lower).map_err(|_| failed(table))?;
        let size = gram.nrows();
        let (values, vectors) = (eigen.S().column_vector(), eigen.U());
        let largest = values[size - 1];
        if !largest.is_finite() {
            return Err(failed(table));
        }
        let least = largest * images.max(width) as f64 * f64::EPSILON;
        let rank = (0..size).filter(|place| values[*place] > least).count();
        // faer's eigenvalues rise; the largest comes first here.
        let squares: Vec<f64> = (0..rank).map(|place| values[size - 1 - place]).collect();
        let basis = Mat::from_fn(size, rank, |row, place| vectors[(row, size - 1 - place)]);
        let scores = if tall {
            let mut scores = Mat::zeros(images, rank);
            for start in (0..images).step_by(BLOCK) {
                let end = (start + BLOCK).min(images);
                let block = table.block(start..end, 0..width) * &basis;
                scores.submatrix_mut(start, 0, end - start, rank).copy_from(&block);
            }
            scores
        } else {
            Mat::from_fn(images, rank, |row, place| basis[(row, place)] * squares[place].sqrt())
        };
        Ok(Decomposition { scores, squares })
    }

    /// Number of directions in which the features vary.
    pub(super) fn rank(&self) -> usize {
        self.squares.len()
    }

    /// The sum of the scores of every class's images: classes × rank.
    pub(super) fn class_sums(&self, labels: &[u32], classes: usize) -> Mat<f64> {
        let mut sums = Mat::zeros(classes, self.rank());
        for place in 0..self.rank() {
            for (image, label) in labels.iter().enumerate() {
                sums[(*label as usize, place)] += self.scores[(image, place)];
            }
        }
        sums
    }
}

/// The lower triangle of FᵀF.
fn of_features(table: &Table) -> Mat<f64> {
    let (images, width) = (table.features.images(), table.features.width());
    let mut gram = Mat::zeros(width, width);
    for start in (0..images).step_by(BLOCK) {
        let block = table.block(start..(start + BLOCK).min(images), 0..width);
        add_product(&mut gram, block.transpose().to_owned(), &block);
    }
    gram
}

/// The lower triangle of FFᵀ.
fn of_images(table: &Table) -> Mat<f64> {
    let (images, width) = (table.features.images(), table.features.width());
    let mut gram = Mat::zeros(images, images);
    for start in (0..width).step_by(BLOCK) {
        let block = table.block(0..images, start..(start + BLOCK).min(width));
        let turned = block.transpose().to_owned();
        add_product(&mut gram, block, &turned);
    }
    gram
}

/// Adds the lower triangle of `left · right`.
fn add_product(gram: &mut Mat<f64>, left: Mat<f64>, right: &Mat<f64>) {
    triangular_matmul(
        gram.as_mut(),
        BlockStructure::TriangularLower,
        Accum::Add,
        left.as_ref(),
        BlockStructure::Rectangular,
        right.as_ref(),
        BlockStructure::Rectangular,
        1.0,
        Par::Seq,
    );
}

fn failed(table: &Table) -> Unmeasurable {
    let rows = (0..table.features.images()).flat_map(|image| table.features.row(image));
    let largest = rows.fold(0.0f32, |largest, value| largest.max(value.abs()));
    Unmeasurable::Decomposition { largest: largest.to_string() }
}
