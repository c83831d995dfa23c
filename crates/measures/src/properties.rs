//! What must hold of every measure, whatever the features.

use proptest::prelude::*;

use super::{
    HScore, LabelledFeatures, h_score, leep, linear_probe, logme, measure, nearest_centroid,
};
use candlewick_basis::seed;

/// Clouds of `classes` classes around random centres.
fn clouds(
    images: usize,
    width: usize,
    classes: usize,
    apart: f64,
    key: u64,
) -> (Vec<f32>, Vec<u32>) {
    let mut stream = seed::derive(key, "clouds", &[]);
    let centres: Vec<f64> = (0..classes * width).map(|_| stream.normal()).collect();
    let labels: Vec<u32> = (0..images).map(|image| (image % classes) as u32).collect();
    let mut values = Vec::with_capacity(images * width);
    for label in &labels {
        for feature in 0..width {
            let centre = centres[*label as usize * width + feature];
            values.push((apart * centre + stream.normal()) as f32);
        }
    }
    (values, labels)
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-6 * (1.0 + a.abs())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_order_of_images_does_not_matter(
        images in 6usize..60, width in 1usize..40, classes in 2usize..5, key in 0u64..1000,
    ) {
        let (values, labels) = clouds(images, width, classes, 0.5, key);
        let mut order: Vec<usize> = (0..images).collect();
        seed::derive(key, "order", &[]).shuffle(&mut order);
        let turned: Vec<f32> =
            order.iter().flat_map(|image| values[image * width..][..width].to_vec()).collect();
        let turned_labels: Vec<u32> = order.iter().map(|image| labels[*image]).collect();
        let before = LabelledFeatures::new(&values, &labels, classes).unwrap();
        let after = LabelledFeatures::new(&turned, &turned_labels, classes).unwrap();
        prop_assert!(close(logme(&before).unwrap(), logme(&after).unwrap()));
        let (one, other) = (h_score(&before).unwrap(), h_score(&after).unwrap());
        prop_assert!(close(one.plain, other.plain) && close(one.shrunk, other.shrunk));
        let (one, other) = (nearest_centroid(&before).value(), nearest_centroid(&after).value());
        prop_assert!(close(one, other));
    }

    #[test]
    fn scores_do_not_depend_on_the_unit_of_features(
        images in 10usize..60, width in 1usize..40, key in 0u64..1000,
    ) {
        let (values, labels) = clouds(images, width, 3, 0.5, key);
        // A power of two, so that the values of f32 stay the same up to the exponent.
        let scaled: Vec<f32> = values.iter().map(|value| value * 64.0).collect();
        let before = LabelledFeatures::new(&values, &labels, 3).unwrap();
        let after = LabelledFeatures::new(&scaled, &labels, 3).unwrap();
        let (one, other) = (h_score(&before).unwrap(), h_score(&after).unwrap());
        prop_assert!(close(one.plain, other.plain) && close(one.shrunk, other.shrunk));
        prop_assert!(close(one.shrinkage, other.shrinkage));
        prop_assert!(close(logme(&before).unwrap(), logme(&after).unwrap()));
        prop_assert_eq!(nearest_centroid(&before), nearest_centroid(&after));
        prop_assert_eq!(linear_probe(&before, 1).unwrap(), linear_probe(&after, 1).unwrap());
    }

    #[test]
    fn nothing_panics_on_few_images_dull_features_and_missing_classes(
        labels in prop::collection::vec(0u32..6, 2..12),
        width in 1usize..6,
        levels in 1u64..3,
        key in 0u64..1000,
    ) {
        let mut stream = seed::derive(key, "dull", &[]);
        let values: Vec<f32> =
            (0..labels.len() * width).map(|_| stream.below(levels) as f32 * 0.1).collect();
        let Ok(features) = LabelledFeatures::new(&values, &labels, 6) else { return Ok(()) };
        let found = measure(&features, key).unwrap();
        prop_assert!(found.logme.is_finite());
        let HScore { plain, shrunk, shrinkage } = found.h_score;
        prop_assert!((-1e-9..5.0 + 1e-9).contains(&plain), "{plain}");
        prop_assert!((-1e-9..5.0 + 1e-9).contains(&shrunk), "{shrunk}");
        prop_assert!((0.0..=1.0).contains(&shrinkage), "{shrinkage}");
    }
}

#[test]
fn classes_further_apart_score_higher_in_every_measure() {
    let scores = |apart| {
        let (values, labels) = clouds(240, 12, 4, apart, 3);
        let found = measure(&LabelledFeatures::new(&values, &labels, 4).unwrap(), 1).unwrap();
        // Softmax of the features stands for a source network's classes.
        let probabilities: Vec<f32> = values
            .chunks(12)
            .flat_map(|row| {
                let sum: f32 = row.iter().map(|value| libm::expf(*value)).sum();
                row.iter().map(|value| libm::expf(*value) / sum).collect::<Vec<_>>()
            })
            .collect();
        let leep = leep(&LabelledFeatures::new(&probabilities, &labels, 4).unwrap()).unwrap();
        let accuracies = [found.nearest_centroid.value(), found.linear.value()];
        [found.logme, found.h_score.plain, found.h_score.shrunk, leep, accuracies[0], accuracies[1]]
    };
    let (near, middle, far) = (scores(0.1), scores(0.4), scores(1.5));
    for place in 0..near.len() {
        assert!(near[place] < middle[place] && middle[place] < far[place], "measure {place}");
    }
}

#[test]
fn features_that_never_vary_are_worth_nothing() {
    let labels = [0, 0, 0, 1, 1, 2, 0, 0, 1, 2];
    let features = LabelledFeatures::new(&[0.1; 30], &labels, 3).unwrap();
    let found = measure(&features, 1).unwrap();
    assert_eq!(found.h_score, HScore { plain: 0.0, shrunk: 0.0, shrinkage: 0.0 });
    // The head's bias alone says the most frequent class.
    assert_eq!(found.linear.value(), 0.5);
    let zeros = measure(&LabelledFeatures::new(&[0.0; 30], &labels, 3).unwrap(), 1).unwrap();
    assert!(zeros.logme.is_finite());
}
