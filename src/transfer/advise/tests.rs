//! Every branch of the advice, on accuracies that are made up for it.

use super::*;
use crate::measures::HScore;

/// Measures of 1,000 images, the first `right` of them right.
fn measures(right: usize) -> Measures {
    let accuracy = Accuracy::new((0..1000).map(|image| image < right).collect());
    let h_score = HScore { plain: 1.0, shrunk: right as f64, shrinkage: 0.1 };
    Measures { logme: right as f64, h_score, nearest_centroid: accuracy.clone(), linear: accuracy }
}

fn depths(right: &[usize]) -> Vec<Depth> {
    let depth = |(place, right): (usize, &usize)| Depth {
        layer: format!("conv{}", place + 1),
        width: 64,
        measures: measures(*right),
    };
    right.iter().enumerate().map(depth).collect()
}

fn evidence(images: usize, pixels: usize, random: &[usize], right: &[usize]) -> Evidence {
    Evidence {
        images,
        classes: 10,
        border: Border::default(),
        depths: depths(right),
        pixels: measures(pixels),
        random: depths(random),
    }
}

#[test]
fn features_that_get_better_to_the_end_make_images_similar() {
    let advice = advise(&evidence(2_000, 400, &[450, 500], &[500, 700, 900])).unwrap();
    assert_eq!(advice.case.name(), "small-similar");
    assert_eq!((advice.peak, advice.cut), (2, 2));
    assert!(advice.similarity > 0.8, "{}", advice.similarity);
    assert_eq!(advice.similarity_confidence, Confidence::Clear);
    assert!(
        advice.reasons.iter().any(|reason| reason.contains("highest at the last layer, conv3"))
    );
    assert!(advice.recommendation.contains("after conv3"), "{}", advice.recommendation);
    assert!(advice.recommendation.contains("frozen"));
}

#[test]
fn accuracy_that_falls_behind_an_early_layer_makes_images_different() {
    let advice = advise(&evidence(2_000, 400, &[450], &[700, 900, 750])).unwrap();
    assert_eq!(advice.case, Case::SmallDifferent);
    assert_eq!((advice.peak, advice.cut), (1, 1));
    assert!(advice.similarity < 0.5);
    assert_eq!(advice.similarity_confidence, Confidence::Clear);
    let fall = advice.reasons.iter().find(|reason| reason.contains("peaks at conv2")).unwrap();
    assert!(fall.contains("15.0 ± 1.1 points lower at conv3"), "{fall}");
    assert!(fall.contains("keeps 67 % of the gain"), "{fall}");
    assert!(fall.contains("do not fit these images"), "{fall}");
    assert!(advice.recommendation.contains("after conv2"), "{}", advice.recommendation);
}

#[test]
fn features_that_hardly_beat_the_baseline_make_images_different() {
    let advice = advise(&evidence(2_000, 600, &[550], &[610, 620, 630])).unwrap();
    assert_eq!(advice.case, Case::SmallDifferent);
    assert!((advice.similarity - 0.5 * 0.075 / REMOVED).abs() < 1e-9, "{}", advice.similarity);
    assert_eq!(advice.similarity_confidence, Confidence::Clear);
    assert!(advice.reasons[1].contains("(the pixels)"), "{}", advice.reasons[1]);
    assert!(advice.reasons[1].contains("8 % of the baseline's errors"), "{}", advice.reasons[1]);
}

#[test]
fn the_best_baseline_counts_be_it_pixels_or_random_weights() {
    let advice = advise(&evidence(2_000, 400, &[600, 850], &[700, 860])).unwrap();
    assert_eq!(advice.case, Case::SmallDifferent);
    assert!(advice.reasons[1].contains("(conv2 with random weights)"), "{}", advice.reasons[1]);
}

#[test]
fn a_network_that_has_learned_nothing_of_use_is_said_to_be_of_no_help() {
    let advice = advise(&evidence(2_000, 900, &[800], &[700, 600])).unwrap();
    assert_eq!((advice.similar, advice.similarity), (false, 0.0));
    let reason = advice.reasons.iter().find(|reason| reason.contains("same network")).unwrap();
    assert!(reason.contains("do not clearly help"), "{reason}");
    let helped = advise(&evidence(2_000, 400, &[500], &[700, 900])).unwrap();
    assert!(helped.reasons.iter().any(|reason| reason.contains("has learned helps")));
}

#[test]
fn a_last_layer_within_one_standard_error_of_the_best_one_is_as_good() {
    // One image in a thousand more: 0.1 ± 0.1 points.
    let advice = advise(&evidence(2_000, 400, &[], &[700, 901, 900])).unwrap();
    assert!(advice.similar);
    assert_eq!((advice.peak, advice.cut), (1, 2));
    assert!(advice.reasons.iter().any(|reason| reason.contains("within one standard error")));
}

#[test]
fn a_fall_that_leaves_nine_tenths_of_the_gain_is_still_similar_and_the_cut_is_before_it() {
    let advice = advise(&evidence(2_000, 400, &[], &[700, 900, 860])).unwrap();
    assert!(advice.similar);
    assert_eq!((advice.peak, advice.cut), (1, 1));
    assert!(advice.recommendation.contains("after conv2"));
    assert!(!advice.reasons.iter().any(|reason| reason.contains("do not fit these images")));
    // 4 ± 0.6 points lost of the 5 that may be.
    assert_eq!(advice.similarity_confidence, Confidence::Likely);
}

#[test]
fn the_cut_is_the_deepest_of_layers_that_are_as_good_as_the_best() {
    let advice = advise(&evidence(2_000, 400, &[], &[900, 899, 900, 700])).unwrap();
    assert_eq!((advice.peak, advice.cut), (2, 2));
    let advice = advise(&evidence(2_000, 400, &[], &[900, 899, 899, 700])).unwrap();
    assert_eq!((advice.peak, advice.cut), (0, 2));
    assert!(advice.reasons.iter().any(|reason| reason.contains("as good up to conv3")));
}

#[test]
fn a_verdict_near_its_border_is_open() {
    // 20.1 % of the errors removed.
    let advice = advise(&evidence(2_000, 400, &[], &[450, 521])).unwrap();
    assert!(advice.similar);
    assert_eq!(advice.similarity_confidence, Confidence::Open);
    assert!((0.5..0.51).contains(&advice.similarity), "{}", advice.similarity);
}

#[test]
fn many_images_are_trained_on_with_all_weights() {
    let similar = advise(&evidence(1_000_000, 400, &[], &[500, 900])).unwrap();
    assert_eq!(similar.case.name(), "large-similar");
    assert_eq!(similar.size_confidence, Confidence::Clear);
    assert!(similar.recommendation.contains("train everything"));
    let different = advise(&evidence(1_000_000, 400, &[], &[900, 500])).unwrap();
    assert_eq!(different.case.name(), "large-different");
    assert!(different.recommendation.contains("from scratch"));
    assert!(different.recommendation.contains("after conv2"), "the head replaces the last layer");
}

#[test]
fn the_border_is_where_it_is_set_and_size_is_open_around_it() {
    let at = |images, border| {
        let mut evidence = evidence(images, 400, &[], &[500, 900]);
        evidence.border = border;
        let advice = advise(&evidence).unwrap();
        (advice.large, advice.size_confidence)
    };
    let default = Border::default();
    assert_eq!(at(45_000, default), (true, Confidence::Open));
    assert_eq!(at(44_999, default), (false, Confidence::Open));
    assert_eq!(at(25_000, default), (false, Confidence::Likely));
    assert_eq!(at(2_000, default), (false, Confidence::Clear));
    assert_eq!(at(2_000, Border { images: 500 }), (true, Confidence::Clear));
    assert_eq!(at(0, Border { images: 0 }), (true, Confidence::Open));
}

#[test]
fn pixels_that_are_always_right_leave_nothing_to_transfer() {
    let advice = advise(&evidence(2_000, 1000, &[], &[900, 1000])).unwrap();
    assert_eq!((advice.similar, advice.similarity), (false, 0.0));
}

#[test]
fn measures_of_other_images_or_of_no_layer_give_no_advice() {
    let nothing = advise(&evidence(2_000, 400, &[], &[])).unwrap_err();
    assert_eq!(nothing, NoAdvice::NoDepths);
    let mut mixed = evidence(2_000, 400, &[], &[500]);
    mixed.depths[0].measures.linear = Accuracy::new(vec![true; 10]);
    let message = advise(&mixed).unwrap_err().to_string();
    assert!(
        message.contains("conv1 was measured on 10 images and the pixels on 1000"),
        "{message}"
    );
}
