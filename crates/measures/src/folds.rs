//! Stratified folds and stratified samples of images.

use candlewick_basis::seed;

/// Images in `count` folds: the fold of each image. Every class is shuffled by `seed` and dealt out;
/// the dealing goes on from class to class, so folds differ by one image at most, as the images of
/// any class do.
pub fn folds(labels: &[u32], classes: usize, count: usize, seed: u64) -> Vec<usize> {
    let mut fold = vec![0; labels.len()];
    for (place, image) in dealt(labels, classes, "probe-folds", seed).into_iter().enumerate() {
        fold[image] = place % count.max(1);
    }
    fold
}

/// At most `limit` images in rising order, every class with its part of them (rounded, and one image
/// at least where `limit` is not below the number of classes): all images if there are no more.
pub fn sample(labels: &[u32], classes: usize, limit: usize, seed: u64) -> Vec<usize> {
    if labels.len() <= limit {
        return (0..labels.len()).collect();
    }
    // Images by how far down their own class they stand: what is cut off is the end of every class.
    let mut counts = vec![0usize; classes];
    for label in labels {
        counts[*label as usize] += 1;
    }
    let mut seen = vec![0usize; classes];
    let mut order: Vec<(f64, usize)> = Vec::with_capacity(labels.len());
    for image in dealt(labels, classes, "probe-sample", seed) {
        let class = labels[image] as usize;
        // The first of every class goes before the second of any.
        let depth = if seen[class] == 0 { -1.0 } else { seen[class] as f64 / counts[class] as f64 };
        seen[class] += 1;
        order.push((depth, image));
    }
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut images: Vec<usize> = order.into_iter().take(limit).map(|(_, image)| image).collect();
    images.sort_unstable();
    images
}

/// The images class by class, each class shuffled.
fn dealt(labels: &[u32], classes: usize, purpose: &str, seed: u64) -> Vec<usize> {
    let mut by_class = vec![Vec::new(); classes];
    for (image, label) in labels.iter().enumerate() {
        by_class[*label as usize].push(image);
    }
    for (class, images) in by_class.iter_mut().enumerate() {
        seed::derive(seed, purpose, &[class as u64]).shuffle(images);
    }
    by_class.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Vec<u32> {
        (0..103).map(|image| if image % 10 == 0 { 2 } else { image % 2 }).collect()
    }

    #[test]
    fn folds_and_the_classes_in_them_differ_by_one_image_at_most() {
        let labels = labels();
        let fold = folds(&labels, 3, 5, 1);
        for class in [None, Some(0), Some(1), Some(2)] {
            let count = |wanted: usize| {
                let of = fold.iter().zip(&labels);
                of.filter(|(fold, label)| **fold == wanted && class.is_none_or(|c| c == **label))
                    .count()
            };
            let counts: Vec<usize> = (0..5).map(count).collect();
            let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            assert!(most - least <= 1, "class {class:?}: {counts:?}");
        }
        assert_ne!(fold, folds(&labels, 3, 5, 2));
    }

    #[test]
    fn a_sample_keeps_the_classes_parts_and_loses_none() {
        let labels = labels();
        let images = sample(&labels, 3, 30, 1);
        assert_eq!(images.len(), 30);
        assert!(images.windows(2).all(|pair| pair[0] < pair[1]));
        let of = |class| images.iter().filter(|image| labels[**image] == class).count();
        assert_eq!([of(0), of(1), of(2)].iter().sum::<usize>(), 30);
        assert!((2..=4).contains(&of(2)), "{}", of(2));
        let few = sample(&labels, 3, 3, 1);
        let mut classes: Vec<u32> = few.iter().map(|image| labels[*image]).collect();
        classes.sort_unstable();
        assert_eq!(classes, [0, 1, 2]);
        assert_eq!(sample(&labels, 3, 1000, 1).len(), labels.len());
    }
}
