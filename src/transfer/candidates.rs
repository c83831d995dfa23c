//! Which strategies are worth trying, in the order of what the measures promise.

use crate::plan::model::ModelPlan;
use crate::plan::strategy::{Head, Learns, Strategy, lower_half};

/// Depths at which a head on frozen layers is tried.
const DEPTHS: usize = 3;

/// Parts of the written learning rate for a head alone: it has few weights, which may move fast.
const OF_HEADS: [f64; 3] = [1.0, 3.0, 10.0];

/// Parts of the written learning rate where pretrained layers learn: these are good already.
const OF_LAYERS: [f64; 3] = [1.0, 0.3, 0.1];

/// Strategies for the pretrained network `model`, of which `kept` layers are left without its end. `depths` are
/// layers with the accuracy of a linear head on them, of which number `cut` is the deepest that is as good as
/// the best. Heads on frozen layers come first, the most promising depth before the others.
pub fn candidates(
    model: &ModelPlan,
    kept: usize,
    depths: &[(&str, f64)],
    cut: usize,
) -> Vec<Strategy> {
    let layers = &model.layers[..kept];
    let weighted = |place: usize| layers[..place].iter().filter(|it| it.parameters() > 0).count();
    let behind = |name: &str| {
        let index = layers.iter().rposition(|layer| layer.name == name);
        let place = index.map_or(kept, |index| index + 1);
        Strategy {
            cut: layers[place - 1].name.clone(),
            features: layers[place - 1].output.clone(),
            is_deep: 2 * weighted(place) > weighted(kept),
            head: Head::Dense,
            learns: Learns::Everything,
            rate: 1.0,
        }
    };
    let mut order: Vec<usize> = (0..depths.len()).rev().collect();
    // Stable: of equals the deepest comes first.
    order.sort_by(|a, b| depths[*b].1.total_cmp(&depths[*a].1));
    order.retain(|depth| *depth != cut);
    let best = depths.get(cut).map(|_| cut).into_iter().chain(order).take(DEPTHS);
    let mut found = Vec::new();
    for (rank, depth) in best.enumerate() {
        let strategy = Strategy { learns: Learns::Head, ..behind(depths[depth].0) };
        let hidden = (rank == 0).then_some(Head::Hidden);
        for head in [Head::Dense, Head::Normalised].into_iter().chain(hidden) {
            found.extend(OF_HEADS.map(|rate| Strategy { head, rate, ..strategy.clone() }));
        }
    }
    let Some(last) = layers.last() else { return found };
    let whole = behind(&last.name);
    let frozen = lower_half(model, kept);
    let [first, second, third] = OF_LAYERS;
    let upper = |rate| Strategy { learns: Learns::Upper(frozen.clone()), rate, ..whole.clone() };
    let all = |rate| Strategy { rate, ..whole.clone() };
    found.push(all(first));
    found.push(upper(first));
    found.push(Strategy { learns: Learns::Anew, ..whole.clone() });
    found.extend([all(second), upper(second), all(third)]);
    found.retain(|it| it.learns != Learns::Upper(Vec::new()));
    found
}
