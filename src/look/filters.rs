//! The filters of the first layer: what it looks for in images themselves.

use crate::charts::plate::{Group, Tile};
use crate::charts::scale::level;
use crate::model::network::Weights;
use crate::plan::model::{LayerKind, ModelPlan};

/// Filters with more channels are shown by the first of these.
const MOST_CHANNELS: usize = 4;

/// Pixels of a filter's longer side on the plate, about.
const SIDE: usize = 64;

/// Filters in a row.
const ACROSS: usize = 12;

/// The filters of the first layer that learns from pixels.
#[derive(Clone, Debug)]
pub struct Filters {
    /// The layer's name.
    pub layer: String,
    /// What it is, in words.
    pub what: String,
    /// How many filters it has.
    pub count: usize,
    /// Channels, height and width of a filter.
    pub shape: [usize; 3],
    /// The first filters.
    pub tiles: Vec<Tile>,
}

impl Filters {
    /// The first `most` filters of the network of `plan`: those of its first convolution, or, where none stands before
    /// its first dense layer, what each neuron of that weighs the pixels with. None where such a layer does not see
    /// the image.
    pub fn of(plan: &ModelPlan, weights: &Weights, most: usize) -> Option<Filters> {
        let needed = plan.needed(false);
        let has_weights =
            |kind: &LayerKind| matches!(kind, LayerKind::Conv(_) | LayerKind::Dense(_));
        let layers = plan.layers.iter().enumerate();
        let (index, layer) =
            layers.into_iter().find(|(index, layer)| needed[*index] && has_weights(&layer.kind))?;
        let (count, shape) = match &layer.kind {
            LayerKind::Conv(conv) => {
                let [height, width] = conv.kernel;
                (conv.filters, [layer.input[0] / conv.groups, height, width])
            }
            LayerKind::Dense(dense) => {
                let before = plan.layers.get(index.checked_sub(1)?)?;
                let is_flat = matches!(before.kind, LayerKind::Flatten {});
                let shape = <[usize; 3]>::try_from(&before.input[..]).ok()?;
                (dense.neurons, is_flat.then_some(shape)?)
            }
            _ => return None,
        };
        let (_, numbers) = weights.get(&format!("{}.weight", layer.name))?;
        let size: usize = shape.iter().product();
        let filters = numbers.chunks_exact(size.max(1)).take(most).enumerate();
        let tiles = filters
            .map(|(number, filter)| picture(filter, shape).saying([(number + 1).to_string()]));
        Some(Filters {
            layer: layer.name.clone(),
            what: layer.summary(),
            count,
            shape,
            tiles: tiles.collect(),
        })
    }

    /// How the filters are drawn.
    pub fn note(&self) -> String {
        let colours = match self.shape[0] {
            1 => "Middle grey is weight 0, lighter is above, darker is below".to_owned(),
            3 => {
                "Red, green and blue are the weights of the three channels; middle grey is weight 0"
                    .to_owned()
            }
            channels => format!(
                "Side by side are the {} channels{}; middle grey is weight 0, lighter is above, darker is below",
                channels.min(MOST_CHANNELS),
                if channels > MOST_CHANNELS {
                    format!(" that come first of {channels}")
                } else {
                    String::new()
                }
            ),
        };
        format!("{colours}. Each filter is scaled by its own largest absolute weight.")
    }

    /// As a part of a plate.
    pub fn group(&self) -> Group {
        let [channels, height, width] = self.shape;
        let shown = match self.tiles.len() < self.count {
            true => format!("the first {} of {} filters", self.tiles.len(), self.count),
            false => format!("{} filters", self.count),
        };
        let group = Group {
            heading: format!("{}: {shown} of {channels}×{height}×{width}", self.layer),
            note: self.note(),
            side: SIDE,
            ..Group::default()
        };
        group.in_rows(self.tiles.clone(), ACROSS)
    }
}

/// A filter as a picture, scaled around 0 by its largest absolute weight.
fn picture(filter: &[f32], [channels, height, width]: [usize; 3]) -> Tile {
    let largest = filter.iter().map(|weight| weight.abs()).fold(0.0, f32::max);
    let largest = if largest > 0.0 && largest.is_finite() { largest } else { 1.0 };
    let at = |channel: usize, y: usize, x: usize| {
        level(filter[(channel * height + y) * width + x] / largest)
    };
    match channels {
        3 => Tile::of([height, width], |y, x| [0, 1, 2].map(|channel| at(channel, y, x))),
        // A white line between channels.
        _ => {
            let shown = channels.min(MOST_CHANNELS);
            Tile::of([height, shown * (width + 1) - 1], |y, x| match x % (width + 1) {
                inside if inside < width => [at(x / (width + 1), y, inside); 3],
                _ => [255; 3],
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::layering::preset;
    use crate::plan::network::network;

    fn filters(layers: &str, channels: usize, weights: Vec<f32>) -> Option<Filters> {
        let set = format!("model.layers=[{layers}, {{ dense = \"classes\", name = \"last\" }}]");
        let model = network(&preset("plain", &[set]).unwrap(), [channels, 4, 4], 2).unwrap();
        let names = ["conv1.weight", "last.weight"].map(str::to_owned);
        let given = names.map(|name| (name, (vec![weights.len()], weights.clone())));
        Filters::of(&model, &Weights::from(given), 3)
    }

    #[test]
    fn colours_are_weights_scaled_around_grey_by_the_largest_of_the_filter() {
        let conv = "{ conv = 1, kernel = [1, 2] }, \"flatten\"";
        let found = filters(conv, 3, vec![2.0, 0.0, -2.0, 0.0, 1.0, 0.0]).unwrap();
        assert_eq!((&*found.layer, found.shape), ("conv1", [3, 1, 2]));
        assert_eq!(found.tiles[0].rgb, [255, 0, 191, 128, 128, 128]);
    }

    #[test]
    fn one_channel_is_grey_and_no_weights_are_grey_too() {
        let found = filters("{ conv = 2, kernel = [1, 2] }, \"flatten\"", 1, vec![0.0; 4]).unwrap();
        assert_eq!(found.tiles.len(), 2);
        assert_eq!(found.tiles[0].rgb, [128; 6]);
    }

    #[test]
    fn a_dense_layer_on_pixels_has_a_weight_for_each() {
        let found = filters("\"flatten\"", 1, vec![1.0; 32]).unwrap();
        assert_eq!((found.count, found.shape, found.tiles.len()), (2, [1, 4, 4], 2));
        // What has been pooled away cannot be drawn as pixels.
        assert!(filters("{ adaptive-avg-pool = 1 }, \"flatten\"", 1, vec![1.0; 2]).is_some());
    }
}
