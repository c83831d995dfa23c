//! A network as its maps: from left to right what each layer gives, as high as its maps and as wide as it has channels.

use maud::html;

use super::chart::{Chart, at};
use super::letters::fit;

/// What a layer gives.
#[derive(Clone, Debug)]
pub struct Block {
    /// The layer.
    pub name: String,
    /// What it does.
    pub what: String,
    /// Channels, height and width; or the number of features.
    pub shape: Vec<usize>,
}

const WIDTH: f64 = 760.0;
/// Room for a block with its words.
const CELL: f64 = 84.0;
const ROW: f64 = 178.0;
/// The highest block, and where blocks stand.
const HIGHEST: f64 = 100.0;
const FLOOR: f64 = 132.0;

/// The chart of `blocks`, in rows.
pub fn network(name: &str, title: &str, blocks: &[Block]) -> Chart {
    let across = ((WIDTH / CELL) as usize).max(1);
    let rows = blocks.len().div_ceil(across).max(1);
    let sides = blocks.iter().filter_map(|block| block.shape.get(1)).copied();
    let largest = sides.max().unwrap_or(1).max(1) as f64;
    let log = |count: usize| libm::log2(count.max(1) as f64);
    // Sides of maps halve again and again, and channels double.
    let size = |block: &Block| match block.shape[..] {
        [channels, height, ..] => {
            let height = HIGHEST * libm::sqrt(height as f64 / largest);
            [4.0 + 4.0 * log(channels), height.max(6.0)]
        }
        [features] => [5.0, (9.0 * log(features)).clamp(10.0, HIGHEST)],
        [] => [5.0, 10.0],
    };
    let shape =
        |block: &Block| block.shape.iter().map(usize::to_string).collect::<Vec<_>>().join("×");
    let place =
        |index: usize| [(index % across) as f64 * CELL + CELL / 2.0, (index / across) as f64 * ROW];
    let body = html! {
        @for (index, block) in blocks.iter().enumerate() {
            @let [x, y] = place(index);
            @let [wide, high] = size(block);
            @if index + 1 < blocks.len() && (index + 1) % across > 0 {
                @let next = size(&blocks[index + 1])[0];
                line class="grid" x1=(at(x + wide / 2.0 + 2.0)) x2=(at(x + CELL - next / 2.0 - 2.0)) y1=(at(y + FLOOR - 5.0)) y2=(at(y + FLOOR - 5.0)) {}
            }
            text class="middle" x=(at(x)) y=(at(y + 20.0)) { (fit(&block.name, CELL - 6.0)) }
            rect class=(if block.shape.len() > 1 { "map" } else { "features" }) x=(at(x - wide / 2.0)) y=(at(y + FLOOR - high)) width=(at(wide)) height=(at(high)) rx="1.5" {
                title { (block.name) ": " (block.what) }
            }
            text class="soft middle" x=(at(x)) y=(at(y + FLOOR + 15.0)) { (fit(&shape(block), CELL - 4.0)) }
        }
    };
    Chart {
        name: name.to_owned(),
        title: title.to_owned(),
        width: WIDTH.min(CELL * blocks.len().max(3) as f64),
        height: rows as f64 * ROW - 24.0,
        body,
        legend: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_get_lower_and_wider_and_say_their_shapes() {
        let block = |shape: &[usize]| Block {
            name: "a".to_owned(),
            what: "conv".to_owned(),
            shape: shape.to_vec(),
        };
        let chart = network(
            "network",
            "A network",
            &[block(&[4, 16, 16]), block(&[16, 4, 4]), block(&[10])],
        );
        let text = chart.body.into_string();
        assert!(text.contains("width=\"12\" height=\"100\""), "{text}");
        assert!(text.contains("width=\"20\" height=\"50\""), "{text}");
        assert!(text.contains(">16×4×4<") && text.contains(">10<"), "{text}");
    }
}
