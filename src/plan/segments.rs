//! Where a network is cut into segments whose values are computed again on the way back, so that training holds those
//! of one segment at a time and what lies between segments (gradient checkpointing).

use super::fusion::{activation_behind, pool_behind};
use super::memory::{Operations, peak};
use super::model::{LayerPlan, ModelPlan};

/// More segments than these never paid: what lies between them takes more than they save.
const SEGMENTS: usize = 32;

/// The numbers of the layers behind which a segment ends, counted from 1, rising: those with the least memory at the
/// peak of a step. None if no cut saves any.
pub fn cuts(model: &ModelPlan) -> Vec<usize> {
    let Operations { all, ends } = Operations::of(model, 1);
    let is_joined = |index: usize| {
        pool_behind(model, index).is_some() || activation_behind(model, index).is_some()
    };
    // Layers that run as one are not cut apart, and a layer that does nothing ends where the one before it does.
    let ends_something = |index: usize| index == 0 || ends[index] > ends[index - 1];
    let places = (0..ends.len()).filter(|index| !is_joined(*index) && ends_something(*index));
    let places: Vec<usize> = places.filter(|index| ends[*index] < all.len()).collect();
    let mut so_far = vec![0u64; all.len() + 1];
    // What operations behind each place ask for of those before it.
    let mut last_use: Vec<usize> = (0..all.len()).collect();
    for (at, operation) in all.iter().enumerate() {
        so_far[at + 1] = so_far[at] + operation.result;
        operation.arguments.iter().for_each(|argument| last_use[*argument] = at);
    }
    let crossing = |end: usize| -> u64 {
        (0..end).filter(|at| last_use[*at] >= end).map(|at| all[at].result).sum()
    };
    let crossing: Vec<u64> = places.iter().map(|index| crossing(ends[*index])).collect();
    let whole = so_far[all.len()];
    let in_parts = |parts: usize| -> Vec<usize> {
        let part = whole as f64 / parts as f64;
        let mut chosen: Vec<usize> = Vec::new();
        for number in 1..parts {
            let target = part * number as f64;
            let away = |place: usize| (so_far[ends[places[place]]] as f64 - target).abs();
            let near = (0..places.len()).filter(|place| away(*place) < part / 2.0);
            let best = near.min_by(|one, other| {
                let key = |place: usize| crossing[place] as f64 + away(place);
                key(*one).total_cmp(&key(*other))
            });
            chosen.extend(best.filter(|place| chosen.last() != Some(place)));
        }
        chosen
    };
    let mut least = (peak(&all, &[]), Vec::new());
    for parts in 2..=SEGMENTS.min(places.len() + 1) {
        let chosen = in_parts(parts);
        let cuts: Vec<usize> = chosen.iter().map(|place| ends[places[*place]]).collect();
        let found = peak(&all, &cuts);
        if found < least.0 {
            least = (found, chosen);
        }
    }
    least.1.into_iter().map(|place| places[place] + 1).collect()
}

/// The share of a step's FLOPs that segments ending behind the layers `cuts` add to it: their forward pass is done
/// twice. A backward pass takes twice the FLOPs of a forward pass.
pub fn more_work(model: &ModelPlan, cuts: &[usize]) -> f64 {
    let flops = |layers: &[LayerPlan]| layers.iter().map(LayerPlan::flops).sum::<u64>() as f64;
    let twice = cuts.last().map_or(0.0, |last| flops(&model.layers[..*last]));
    twice / (3.0 * flops(&model.layers)).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::layering::preset;
    use crate::plan::memory::training_bytes;
    use crate::plan::network::network;

    #[test]
    fn segments_take_less_memory_than_the_whole_for_at_most_a_third_more_work() {
        for (name, at_most) in [
            ("resnet50", 0.9),
            ("efficientnet_b0", 0.9),
            ("densenet121", 0.9),
            ("convnext_tiny", 0.9),
        ] {
            let model = network(&preset(name, &[]).unwrap(), [3, 224, 224], 10).unwrap();
            let cuts = cuts(&model);
            assert!(cuts.is_sorted_by(|one, other| one < other));
            let [whole, parts] = [&[][..], &cuts].map(|cuts| training_bytes(&model, 32, cuts));
            let share = parts as f64 / whole as f64;
            assert!(share < at_most, "{name}: {share} with {} segments", cuts.len() + 1);
            assert!((0.2..=1.0 / 3.0).contains(&more_work(&model, &cuts)), "{name}");
        }
    }

    #[test]
    fn a_network_of_one_operation_is_not_cut() {
        let sets = ["model.layers=[\"flatten\", { dense = \"classes\" }]".to_owned()];
        let model = network(&preset("plain", &sets).unwrap(), [3, 8, 8], 10).unwrap();
        assert!(cuts(&model).is_empty());
    }
}
