//! What was judged, in words with numbers.

use super::similarity::{KEPT, REMOVED, Similarity};
use super::{CLEAR, Case, Depth, Evidence, difference};
use crate::measures::{Accuracy, Difference, Measures};

/// "74.2 ± 1.9 %".
fn percent(accuracy: &Accuracy) -> String {
    format!("{:.1} ± {:.1} %", 100.0 * accuracy.value(), 100.0 * accuracy.standard_error())
}

/// "20.1 ± 2.2 points".
fn points(difference: &Difference) -> String {
    format!("{:.1} ± {:.1} points", 100.0 * difference.mean, 100.0 * difference.standard_error)
}

pub(super) fn size(evidence: &Evidence, large: bool) -> String {
    let Evidence { images, classes, border, .. } = evidence;
    let each = *images as f64 / (*classes).max(1) as f64;
    let verdict = if large { "large" } else { "small" };
    format!(
        "{images} training images in {classes} classes ({each:.0} each) are a {verdict} set: large begins at {} images",
        border.images
    )
}

pub(super) fn gain(
    last: &Depth,
    baseline: &Accuracy,
    name: &str,
    similarity: &Similarity,
) -> String {
    let found = if similarity.gain.mean > 0.0 {
        let removed = 100.0 * similarity.removed();
        format!("{} more, {removed:.0} % of the baseline's errors gone", points(&similarity.gain))
    } else {
        "no better".to_owned()
    };
    format!(
        "a linear head on {} ({} features) is right on {}, on the best baseline ({name}) on {}: {found} (similar: {:.0} % of its errors gone, or more)",
        last.layer,
        last.width,
        percent(&last.measures.linear),
        percent(baseline),
        100.0 * REMOVED,
    )
}

pub(super) fn depth(
    evidence: &Evidence,
    peak: usize,
    cut: usize,
    similarity: &Similarity,
) -> String {
    let depths = &evidence.depths;
    let best = percent(&depths[peak].measures.linear);
    let (peak_layer, last_layer) = (&depths[peak].layer, &depths[depths.len() - 1].layer);
    if peak == depths.len() - 1 {
        return format!("accuracy is highest at the last layer, {last_layer}");
    }
    if !similarity.falls {
        return format!(
            "accuracy is highest at {peak_layer} ({best}), and {last_layer} is within one standard error of it ({} less)",
            points(&similarity.fall)
        );
    }
    let kept = if similarity.kept() > 0.0 {
        format!(
            ", which keeps {:.0} % of the gain over the baseline (similar: {:.0} % or more)",
            100.0 * similarity.kept(),
            100.0 * KEPT
        )
    } else {
        String::new()
    };
    let lost = similarity.kept() < KEPT;
    let about = if lost { ": later layers do not fit these images" } else { "" };
    let from =
        if cut == peak { String::new() } else { format!(" (as good up to {})", depths[cut].layer) };
    format!(
        "accuracy peaks at {peak_layer} with {best}{from} and is {} lower at {last_layer}{kept}{about}",
        points(&similarity.fall)
    )
}

/// What learning on the other images adds to the same architecture.
pub(super) fn learning(evidence: &Evidence, peak: usize) -> Option<String> {
    let random = evidence
        .random
        .iter()
        .max_by(|a, b| a.measures.linear.value().total_cmp(&b.measures.linear.value()))?;
    let gain = difference(&evidence.depths[peak].measures.linear, &random.measures.linear);
    let verdict = if gain.mean > CLEAR * gain.standard_error {
        "what the network has learned helps"
    } else {
        "the pretrained weights do not clearly help here: compare with training from scratch"
    };
    Some(format!(
        "the same network with random weights gets {} at best ({}), {} less than the pretrained one: {verdict}",
        percent(&random.measures.linear),
        random.layer,
        points(&gain),
    ))
}

/// Where the measures that train no head have their best depth.
pub(super) fn other_measures(evidence: &Evidence) -> String {
    let best = |value: &dyn Fn(&Measures) -> f64| {
        let depths = evidence.depths.iter();
        let best = depths.max_by(|a, b| value(&a.measures).total_cmp(&value(&b.measures)));
        best.map_or("", |depth| &depth.layer)
    };
    format!(
        "the nearest centroid is most accurate at {}, LogME is highest at {}, the H-score at {}",
        best(&|measures| measures.nearest_centroid.value()),
        best(&|measures| measures.logme),
        best(&|measures| measures.h_score.shrunk),
    )
}

pub(super) fn recommendation(case: Case, cut: &Depth, last: &Depth) -> String {
    let head = format!("cut after {}, add a new dense layer", cut.layer);
    match case {
        Case::SmallSimilar | Case::SmallDifferent => {
            format!("{head} and train only this layer, with all pretrained weights frozen")
        }
        Case::LargeSimilar => format!(
            "add a new dense layer after {}, start from the pretrained weights and train everything",
            last.layer
        ),
        Case::LargeDifferent => format!(
            "add a new dense layer after {} and train everything, once from scratch and once from the pretrained \
             weights; compare both",
            last.layer
        ),
    }
}
