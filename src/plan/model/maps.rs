//! Which layers give maps, and which of them stand for a stage of the network.

use super::{LayerKind, ModelPlan};

/// No more stages are told apart: a network without padding has a size of maps for each convolution.
const MOST_STAGES: usize = 6;

impl ModelPlan {
    /// Numbers of the layers that give maps of more than one pixel at test time, counted from 1.
    pub fn map_layers(&self) -> Vec<usize> {
        let needed = self.needed(false);
        let has_maps = |index: &usize| {
            let output = &self.layers[*index].output;
            needed[*index] && output.len() == 3 && output[1] * output[2] > 1
        };
        (0..self.layers.len()).filter(has_maps).map(|index| index + 1).collect()
    }

    /// Numbers of the layers that stand for the network's stages, counted from 1: of the layers behind the first
    /// convolution whose maps have the same height and width, the last one before these are pooled. Where branches are
    /// open, it is the last one with nothing beside it.
    pub fn stages(&self) -> Vec<usize> {
        let is_conv = |layer: &usize| matches!(self.layers[*layer - 1].kind, LayerKind::Conv(_));
        let all = self.map_layers();
        let Some(first) = all.iter().copied().find(is_conv) else { return Vec::new() };
        let detects = |layer: &usize| *layer >= first && detects(&self.layers[*layer - 1].kind);
        let candidates: Vec<usize> = all.into_iter().filter(detects).collect();
        let size = |layer: usize| &self.layers[layer - 1].output[1..];
        let mut sizes: Vec<&[usize]> = Vec::new();
        for layer in &candidates {
            if !sizes.contains(&size(*layer)) {
                sizes.push(size(*layer));
            }
        }
        let last = |of: &&[usize]| {
            let of_size = || candidates.iter().rev().copied().filter(|layer| size(*layer) == *of);
            of_size().find(|layer| self.is_lone(*layer)).or_else(|| of_size().next())
        };
        let mut stages: Vec<usize> = sizes.iter().filter_map(last).collect();
        stages.sort_unstable();
        let count = stages.len().min(MOST_STAGES);
        let spread = |stage: usize| stages[stage * (stages.len() - 1) / (count - 1).max(1)];
        (0..count).map(spread).collect()
    }

    /// Whether evaluation sees what stands before layer number `place`, counted from 1, through its result alone.
    fn is_lone(&self, place: usize) -> bool {
        let needed = self.needed(false);
        let mut behind = (place..self.layers.len()).filter(|index| needed[*index]);
        behind.all(|index| self.sources(index).into_iter().all(|source| source >= place))
    }
}

/// Whether maps of this layer show what it has found, and not only where another one's are cut, pooled or dropped.
fn detects(kind: &LayerKind) -> bool {
    matches!(
        kind,
        LayerKind::Conv(_)
            | LayerKind::BatchNorm(_)
            | LayerKind::LayerNorm(_)
            | LayerKind::GroupNorm(_)
            | LayerKind::LocalResponseNorm(_)
            | LayerKind::GlobalResponseNorm(_)
            | LayerKind::LayerScale(_)
            | LayerKind::Activation(_)
            | LayerKind::Sum(_)
            | LayerKind::Product {}
            | LayerKind::Concat {}
            | LayerKind::Scale {}
    )
}

#[cfg(test)]
mod tests {
    use crate::config::layering::preset;
    use crate::plan::network::network;

    fn stages(name: &str, sets: &[&str], side: usize) -> Vec<String> {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        let model = network(&preset(name, &sets).unwrap(), [3, side, side], 10).unwrap();
        let named = model.stages().into_iter().map(|place| model.layers[place - 1].name.clone());
        named.collect()
    }

    #[test]
    fn a_stage_is_the_last_layer_with_maps_of_a_size_before_these_are_pooled() {
        assert_eq!(stages("plain", &[], 32), ["conv1", "conv2"]);
        assert_eq!(stages("demo", &[], 32), ["conv1", "conv2", "conv3"]);
    }

    #[test]
    fn where_branches_are_open_a_stage_is_the_sum_that_closes_them() {
        let found = stages("resnet18", &[], 64);
        assert_eq!(found.len(), 5);
        assert_eq!(found[0], "conv1");
        assert!(found[1].starts_with("layer1.1") && found[4].starts_with("layer4.1"), "{found:?}");
        let found = stages("densenet121", &[], 64);
        // The ReLU behind the last norm.
        assert_eq!(found.last().map(String::as_str), Some("activation1"), "{found:?}");
        assert_eq!(found[1], "features.transition1.conv");
    }

    #[test]
    fn a_network_without_convolutions_has_no_stages() {
        let dense = "model.layers=[\"flatten\", { dense = \"classes\" }]";
        assert!(stages("plain", &[dense], 32).is_empty());
    }

    #[test]
    fn of_many_sizes_some_are_chosen_the_first_and_the_last_among_them() {
        let convs = ["{ conv = 2, kernel = 3 }"; 12].join(", ");
        let set = format!("model.layers=[{convs}, \"flatten\", {{ dense = \"classes\" }}]");
        let found = stages("plain", &[&set], 32);
        assert_eq!((found.len(), &*found[0], &*found[5]), (6, "conv1", "conv12"));
    }
}
