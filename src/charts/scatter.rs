//! Points, and a front of some of them.

use maud::html;

use super::axis::Axis;
use super::chart::{Chart, at};
use super::letters::{fit, width};

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

/// The chart of `points` with the words below the horizontal axis; `front` are the indices of those that a line goes
/// through, from left to right, and that have a ring.
pub fn scatter(name: &str, title: &str, across: &str, points: &[Point], front: &[usize]) -> Chart {
    let y = Axis::linear(points.iter().map(|point| point.y), BOTTOM, TOP);
    let y_ticks = y.ticks(5);
    let left = 10.0 + y_ticks.iter().map(|(_, text)| width(text)).fold(0.0, f64::max);
    let xs: Vec<f64> = points.iter().map(|point| point.x).collect();
    let x = Axis::by_span(&xs, left, WIDTH - 10.0);
    let places: Vec<[f64; 2]> = points.iter().map(|point| [x.at(point.x), y.at(point.y)]).collect();
    let labels = labels(points, &places, left);
    let place = |point: &usize| format!("{},{}", at(places[*point][0]), at(places[*point][1]));
    let radius = |point: &Point| if point.class == "rest" { 2.5 } else { 4.0 };
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
            circle class=(format!("dot {}", point.class)) cx=(at(x.at(point.x))) cy=(at(y.at(point.y))) r=(at(radius(point))) {
                title { (point.title) }
            }
        }
        @for point in front {
            @let [x, y] = places[*point];
            circle class="ring" cx=(at(x)) cy=(at(y)) r=(at(radius(&points[*point]) + 2.5)) {}
        }
        @for (label, [left, bottom]) in labels {
            text class="halo" x=(at(left)) y=(at(bottom)) { (label) }
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

/// Labels and their places: beside, above or below their points, where neither another label nor a
/// point that has one is in the way, right of `edge`. A label without room is left out.
fn labels(points: &[Point], places: &[[f64; 2]], edge: f64) -> Vec<(String, [f64; 2])> {
    const HEIGHT: f64 = 12.0;
    let is_named = |index: &usize| !points[*index].label.is_empty();
    let named: Vec<usize> = (0..points.len()).filter(is_named).collect();
    // Left, top, right, bottom of what is taken.
    let around = |[x, y]: [f64; 2]| [x - 4.0, y - 4.0, x + 4.0, y + 4.0];
    let mut taken: Vec<[f64; 4]> = named.iter().map(|index| around(places[*index])).collect();
    let mut labels = Vec::new();
    for index in named {
        let label = fit(&points[index].label, 116.0);
        let [x, y] = places[index];
        let width = width(&label);
        let places = [
            [x + 8.0, y + 4.0],
            [x - 8.0 - width, y + 4.0],
            [x - width / 2.0, y - 8.0],
            [x - width / 2.0, y + 16.0],
            [x + 6.0, y - 7.0],
            [x + 6.0, y + 15.0],
        ];
        let room = |place: &[f64; 2]| {
            let [left, bottom] = *place;
            let own = [left, bottom - HEIGHT + 2.0, left + width, bottom + 2.0];
            let is_inside =
                own[0] > edge && own[2] < WIDTH && own[1] > -4.0 && own[3] < BOTTOM + 4.0;
            let meets = |other: &[f64; 4]| {
                own[0] < other[2] && other[0] < own[2] && own[1] < other[3] && other[1] < own[3]
            };
            (is_inside && !taken.iter().any(meets)).then_some(own)
        };
        let found = places.iter().find_map(|place| Some((*place, room(place)?)));
        if let Some((place, own)) = found {
            taken.push(own);
            labels.push((label, place));
        }
    }
    labels
}
