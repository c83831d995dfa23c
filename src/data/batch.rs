//! The order of images in an epoch, and batches of normalised pixels.

use rayon::prelude::*;

use super::dataset::Dataset;
use super::normalise::Normalisation;
use crate::basis::seed::derive;
use crate::plan::data::Fold;

/// Images that one task writes. The size of chunks is fixed; threads only share them out.
const CHUNK: usize = 16;

/// Writes the normalised `images` and their labels over what `into` and `labels` held.
///
/// # Shapes
/// `into`: [images, channels, height, width]
pub fn batch(
    dataset: &Dataset,
    images: &[u32],
    normalisation: &Normalisation,
    into: &mut Vec<f32>,
    labels: &mut Vec<u32>,
) {
    let table = normalisation.table();
    let stride = dataset.image_bytes();
    into.resize(images.len() * stride, 0.0);
    let write = |(out, images): (&mut [f32], &[u32])| {
        for (out, image) in out.chunks_exact_mut(stride).zip(images) {
            table.write(dataset.image(*image), out);
        }
    };
    into.par_chunks_mut(CHUNK * stride).zip(images.par_chunks(CHUNK)).for_each(write);
    labels.clear();
    labels.extend(images.iter().map(|image| dataset.label(*image)));
}

/// The order in which epoch `epoch` goes through the training images. It depends on the seed, the
/// fold and the epoch only, so trials that share them see the same batches.
pub fn order(train: &[u32], seed: u64, fold: Option<Fold>, epoch: u64) -> Vec<u32> {
    let fold = fold.map_or(0, |fold| fold.index as u64 + 1);
    let mut order = train.to_vec();
    derive(seed, "order of images", &[fold, epoch]).shuffle(&mut order);
    order
}

#[cfg(test)]
mod tests {
    use super::super::dataset::Part;
    use super::*;

    #[test]
    fn a_batch_is_the_same_for_any_number_of_threads_and_replaces_the_last_one() {
        let labels: Vec<u32> = (0..100).map(|i| i % 3).collect();
        let dataset = Dataset::of_labels(&labels, &[Part::Undeclared; 100]);
        let normalisation = Normalisation { mean: vec![0.25], std: vec![0.5] };
        let images: Vec<u32> = (0..77).rev().collect();
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let (mut into, mut labels) = (vec![7.0; 500], vec![7; 500]);
            pool.install(|| batch(&dataset, &images, &normalisation, &mut into, &mut labels));
            (into, labels)
        };
        let (into, labels) = on(1);
        assert_eq!((into.clone(), labels.clone()), on(4));
        assert_eq!((into.len(), labels.len()), (77, 77));
        assert_eq!((into[76], labels[76]), (-0.5, 0));
        assert_eq!((into[0], labels[0]), ((76.0_f32 / 255.0 - 0.25) / 0.5, 1));
    }

    #[test]
    fn the_order_depends_on_seed_fold_and_epoch_and_loses_nobody() {
        let train: Vec<u32> = (10..60).collect();
        let fold = |index| Some(Fold { index, of: 5 });
        let orders = [
            order(&train, 1, None, 0),
            order(&train, 2, None, 0),
            order(&train, 1, None, 1),
            order(&train, 1, fold(0), 0),
            order(&train, 1, fold(1), 0),
        ];
        for (i, one) in orders.iter().enumerate() {
            assert!(orders[..i].iter().all(|other| other != one));
            let mut sorted = one.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, train);
        }
        assert_eq!(orders[0], order(&train, 1, None, 0));
    }
}
