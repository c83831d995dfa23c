//! Confidence against accuracy: on the diagonal, a network is as often right as it says.

use maud::html;

use super::axis::Axis;
use super::chart::{Chart, at};

const SIDE: f64 = 300.0;
const LEFT: f64 = 44.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 266.0;

/// A bin: mean confidence, accuracy, and which part of all predictions it holds.
pub type Bin = [f64; 3];

/// The chart of `bins`.
pub fn reliability(name: &str, title: &str, bins: &[Bin]) -> Chart {
    let x = Axis::exact(0.0, 100.0, LEFT, LEFT + SIDE - 44.0);
    let y = Axis::exact(0.0, 100.0, BOTTOM, TOP);
    let [left, right] = [x.at(0.0), x.at(100.0)];
    let places: Vec<String> = bins
        .iter()
        .map(|[confidence, accuracy, _]| {
            format!("{},{}", at(x.at(100.0 * confidence)), at(y.at(100.0 * accuracy)))
        })
        .collect();
    let body = html! {
        @for (value, text) in y.ticks(5) {
            line class="grid" x1=(at(left)) x2=(at(right)) y1=(at(y.at(value))) y2=(at(y.at(value))) {}
            text class="soft end" x=(at(left - 5.0)) y=(at(y.at(value) + 3.5)) { (text) }
            text class="soft middle" x=(at(x.at(value))) y=(at(BOTTOM + 15.0)) { (text) }
        }
        text class="soft middle" x=(at((left + right) / 2.0)) y=(at(BOTTOM + 30.0)) { "confidence, %" }
        text class="soft" x=(at(left + 6.0)) y=(at(TOP + 12.0)) { "accuracy, %" }
        @for [confidence, _, part] in bins {
            @let top = y.at(100.0 * part);
            rect class="bar" x=(at(x.at(100.0 * confidence) - 6.0)) y=(at(top)) width="12" height=(at(BOTTOM - top)) {
                title { (format!("{:.1} % of all predictions", 100.0 * part)) }
            }
        }
        line class="front" x1=(at(left)) y1=(at(BOTTOM)) x2=(at(right)) y2=(at(TOP)) {}
        polyline class="curve s0" points=(places.join(" ")) {}
        @for [confidence, accuracy, part] in bins {
            circle class="point" cx=(at(x.at(100.0 * confidence))) cy=(at(y.at(100.0 * accuracy))) r="3.5" {
                title { (format!("confidence {:.1} %, accuracy {:.1} %, {:.1} % of all predictions", 100.0 * confidence, 100.0 * accuracy, 100.0 * part)) }
            }
        }
    };
    Chart {
        name: name.to_owned(),
        title: title.to_owned(),
        width: SIDE + 10.0,
        height: BOTTOM + 36.0,
        body,
        legend: Vec::new(),
    }
}
