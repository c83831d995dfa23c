//! Points, and the front of those that no other point beats in both directions.

use maud::html;

use super::axis::Axis;
use super::lines::apart;
use super::{Chart, at, cut, width};

/// A point.
#[derive(Clone, Debug)]
pub struct Point {
    /// Across.
    pub x: f64,
    /// Up.
    pub y: f64,
    /// Said beside it; nothing is said of an empty one.
    pub label: String,
    /// Its colour.
    pub class: String,
    /// What is said of it when it is pointed at.
    pub title: String,
}

const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 240.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 206.0;

/// The chart of `points` with the words below the horizontal axis; `front` are places in it that a line
/// goes through, from left to right.
pub fn scatter(
    name: &str,
    title: &str,
    across: &str,
    points: &[Point],
    front: &[[f64; 2]],
) -> Chart {
    let y = Axis::linear(points.iter().map(|point| point.y), BOTTOM, TOP);
    let y_ticks = y.ticks(5);
    let left = 10.0 + y_ticks.iter().map(|(_, text)| width(text)).fold(0.0, f64::max);
    let xs: Vec<f64> = points.iter().map(|point| point.x).collect();
    let x = Axis::by_span(&xs, left, WIDTH - 10.0);
    let place = |[a, b]: &[f64; 2]| format!("{},{}", at(x.at(*a)), at(y.at(*b)));
    let labelled: Vec<&Point> = points.iter().filter(|point| !point.label.is_empty()).collect();
    let wanted: Vec<f64> = labelled.iter().map(|point| y.at(point.y)).collect();
    let places = apart(&wanted, 12.0, TOP + 4.0, BOTTOM);
    let body = html! {
        @for (value, text) in y_ticks {
            @let place = y.at(value);
            line class="grid" x1=(at(left)) x2=(at(WIDTH - 10.0)) y1=(at(place)) y2=(at(place)) {}
            text class="soft end" x=(at(left - 4.0)) y=(at(place + 3.5)) { (text) }
        }
        @for (value, text) in x.ticks(5) {
            text class="soft middle" x=(at(x.at(value))) y=(at(BOTTOM + 15.0)) { (text) }
        }
        text class="soft middle" x=(at((left + WIDTH) / 2.0)) y=(at(BOTTOM + 30.0)) { (across) }
        @if front.len() > 1 {
            polyline class="front" points=(front.iter().map(place).collect::<Vec<_>>().join(" ")) {}
        }
        @for point in points.iter().rev() {
            circle class=(format!("dot {}", point.class)) cx=(at(x.at(point.x))) cy=(at(y.at(point.y))) r=(if point.class == "rest" { "2.5" } else { "4" }) {
                title { (point.title) }
            }
        }
        @for (point, place) in labelled.iter().zip(places) {
            @let label = cut(&point.label, 18);
            @let is_left = x.at(point.x) + 8.0 + width(&label) > WIDTH;
            @let class = if is_left { "halo end" } else { "halo" };
            text class=(class) x=(at(x.at(point.x) + if is_left { -8.0 } else { 8.0 })) y=(at(place + 3.5)) { (label) }
        }
    };
    Chart {
        name: name.to_owned(),
        title: title.to_owned(),
        width: WIDTH,
        height: HEIGHT,
        body,
        legend: Vec::new(),
    }
}

/// The points that are best for their cost: from the cheapest on, each better than all cheaper ones.
pub fn front(points: &[[f64; 2]], less_is_better: bool) -> Vec<[f64; 2]> {
    let mut order: Vec<[f64; 2]> = points.to_vec();
    let better = |a: f64, b: f64| if less_is_better { a < b } else { a > b };
    order.sort_by(|a, b| {
        let up = a[1].total_cmp(&b[1]);
        a[0].total_cmp(&b[0]).then(if less_is_better { up } else { up.reverse() })
    });
    let mut front: Vec<[f64; 2]> = Vec::new();
    for point in order {
        if front.last().is_none_or(|last| better(point[1], last[1])) {
            front.push(point);
        }
    }
    front
}

#[cfg(test)]
mod tests {
    use super::front;

    #[test]
    fn the_front_holds_what_nothing_cheaper_beats() {
        let points = [[1.0, 0.5], [2.0, 0.4], [3.0, 0.9], [3.0, 0.8], [4.0, 0.9]];
        assert_eq!(front(&points, false), [[1.0, 0.5], [3.0, 0.9]]);
        assert_eq!(front(&points, true), [[1.0, 0.5], [2.0, 0.4]]);
    }
}
