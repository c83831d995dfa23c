//! The maps of a layer: what it has found in an image, and where.

use crate::charts::plate::{Group, Tile};
use crate::charts::scale::around_zero;
use crate::plan::model::LayerPlan;

/// Pixels of a map's longer side on the plate, about.
const SIDE: usize = 96;

/// Maps in a row.
const ACROSS: usize = 8;

/// What pictures of maps say by their colours.
pub const COLOURS: &str = "White is 0, brown is above and blue is below. Each map is scaled by its own largest absolute \
     value, which is printed after the number of its channel.";

/// The maps of an image at a layer, as a part of a plate: those of the `channels`, counted from 0.
pub fn group(layer: &LayerPlan, maps: &[f32], channels: &[usize]) -> Group {
    let [count, height, width] = layer.output[..] else { return Group::default() };
    let tile = |channel: &usize| {
        let map = &maps[channel * height * width..][..height * width];
        let largest = largest(map);
        let words = format!("{}: {}", channel + 1, short(largest));
        picture(map, [height, width], largest).saying([words])
    };
    let shown = match channels.len() < count {
        true => format!("{} of {count} channels of {height}×{width}", channels.len()),
        false => format!("{count} channels of {height}×{width}"),
    };
    let group = Group {
        heading: format!("{}: {shown}", layer.name),
        note: layer.summary(),
        side: SIDE,
        ..Group::default()
    };
    group.in_rows(channels.iter().map(tile).collect(), ACROSS)
}

fn picture(map: &[f32], [height, width]: [usize; 2], largest: f32) -> Tile {
    let scale = if largest > 0.0 { largest } else { 1.0 };
    Tile::of([height, width], |y, x| around_zero(map[y * width + x] / scale))
}

fn largest(map: &[f32]) -> f32 {
    map.iter().map(|number| number.abs()).filter(|number| number.is_finite()).fold(0.0, f32::max)
}

/// Three digits are enough to compare maps.
fn short(number: f32) -> String {
    match number {
        0.0 => "0".to_owned(),
        small if small < 0.01 => format!("{small:.0e}"),
        small if small < 10.0 => format!("{small:.2}"),
        other => format!("{other:.0}"),
    }
}

/// How strong each channel is over several images: the sum of absolute values.
#[derive(Clone, Debug)]
pub struct Strengths {
    sums: Vec<f64>,
}

impl Strengths {
    /// Of a layer with so many channels.
    pub fn new(channels: usize) -> Strengths {
        Strengths { sums: vec![0.0; channels] }
    }

    /// Adds the maps of an image.
    pub fn add(&mut self, maps: &[f32]) {
        let size = (maps.len() / self.sums.len().max(1)).max(1);
        for (sum, map) in self.sums.iter_mut().zip(maps.chunks(size)) {
            let finite = map.iter().filter(|number| number.is_finite());
            *sum += finite.map(|number| f64::from(number.abs())).sum::<f64>();
        }
    }

    /// The strongest channels, in their own order; of equal ones the first.
    pub fn strongest(&self, most: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.sums.len()).collect();
        order.sort_by(|a, b| self.sums[*b].total_cmp(&self.sums[*a]).then(a.cmp(b)));
        order.truncate(most);
        order.sort_unstable();
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_channels_are_chosen_and_keep_their_order() {
        let mut strengths = Strengths::new(3);
        strengths.add(&[0.0, 0.0, -3.0, 1.0, f32::NAN, 2.0]);
        strengths.add(&[1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(strengths.strongest(2), [1, 2]);
        assert_eq!(strengths.strongest(9), [0, 1, 2]);
    }

    #[test]
    fn a_map_is_scaled_by_its_largest_value_and_a_dead_one_is_white() {
        assert_eq!(picture(&[0.0, 4.0], [1, 2], 4.0).rgb, [255, 255, 255, 102, 37, 6]);
        assert_eq!(picture(&[0.0; 2], [1, 2], 0.0).rgb, [255; 6]);
        assert_eq!([0.0, 0.004, 3.456, 1234.5].map(short), ["0", "4e-3", "3.46", "1234"]);
    }
}
