//! Means with their intervals over sizes of a data set, one curve for each of several ways.

use maud::html;

use super::axis::Axis;
use super::chart::{Chart, at};
use super::letters::width;
use super::lines::apart;

/// One way.
#[derive(Clone, Debug)]
pub struct Way {
    /// Said at its end.
    pub label: String,
    /// Its colour: `s0` to `s5`.
    pub class: String,
    /// For each size the mean and half the width of its interval, if there is one.
    pub points: Vec<Option<(f64, f64)>>,
}

const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 240.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 206.0;

/// Pixels between the whiskers of two ways at one size.
const DODGE: f64 = 5.0;

/// The chart of `ways` over `sizes`, evenly spaced from the smallest on; `axis` is said below. What lies between the
/// two sizes of `band` is shaded.
pub fn sizes(
    name: &str,
    title: &str,
    sizes: &[String],
    axis: &str,
    ways: &[Way],
    band: Option<(usize, usize)>,
) -> Chart {
    let longest = ways.iter().map(|way| width(&way.label)).fold(0.0, f64::max);
    let right = WIDTH - longest.min(120.0) - 12.0;
    let all = || ways.iter().flat_map(|way| way.points.iter().flatten());
    let y = Axis::linear(all().flat_map(|(mean, half)| [mean - half, mean + half]), BOTTOM, TOP);
    let y_ticks = y.ticks(5);
    let left = 10.0 + y_ticks.iter().map(|(_, text)| width(text)).fold(0.0, f64::max);
    let room = DODGE * ways.len() as f64 / 2.0 + 12.0;
    let last = sizes.len().saturating_sub(1).max(1) as f64;
    let x = |size: usize| left + room + (right - left - 2.0 * room) * size as f64 / last;
    let place =
        |way: usize, size: usize| x(size) + DODGE * (way as f64 - (ways.len() as f64 - 1.0) / 2.0);
    let path = |index: usize, way: &Way| {
        let points = way.points.iter().enumerate();
        let places = points.filter_map(|(size, point)| {
            Some(format!("{},{}", at(place(index, size)), at(y.at((*point)?.0))))
        });
        places.collect::<Vec<_>>().join(" ")
    };
    let end = |way: &Way| {
        let (size, point) = way.points.iter().enumerate().rev().find(|(_, it)| it.is_some())?;
        Some((size, y.at((*point)?.0)))
    };
    let ends: Vec<f64> =
        ways.iter().map(|way| end(way).map_or(BOTTOM, |(_, height)| height)).collect();
    let labels = apart(&ends, 12.0, TOP + 4.0, BOTTOM);
    let body = html! {
        @if let Some((from, to)) = band {
            rect class="between" x=(at(x(from))) y=(at(TOP)) width=(at(x(to) - x(from))) height=(at(BOTTOM - TOP)) {}
        }
        @for (value, text) in y_ticks {
            @let height = y.at(value);
            line class="grid" x1=(at(left)) x2=(at(right)) y1=(at(height)) y2=(at(height)) {}
            text class="soft end" x=(at(left - 4.0)) y=(at(height + 3.5)) { (text) }
        }
        @for (index, size) in sizes.iter().enumerate() {
            text class="soft middle" x=(at(x(index))) y=(at(BOTTOM + 15.0)) { (size) }
        }
        text class="soft middle" x=(at((left + right) / 2.0)) y=(at(BOTTOM + 28.0)) { (axis) }
        @for (index, way) in ways.iter().enumerate() {
            polyline class=(format!("curve {}", way.class)) points=(path(index, way)) {}
            @for (size, point) in way.points.iter().enumerate() {
                @if let Some((mean, half)) = point {
                    @let middle = at(place(index, size));
                    @if *half > 0.0 {
                        line class=(format!("curve {}", way.class)) x1=(middle) x2=(middle) y1=(at(y.at(mean - half))) y2=(at(y.at(mean + half))) {}
                    }
                    circle class=(format!("dot {}", way.class)) cx=(middle) cy=(at(y.at(*mean))) r="3" {}
                }
            }
        }
        @for ((way, height), label) in ways.iter().zip(&ends).zip(labels) {
            @if let Some((size, _)) = end(way) {
                @let edge = x(size) + room - 6.0;
                @if (label - height).abs() > 6.0 {
                    line class="grid" x1=(at(edge)) y1=(at(*height)) x2=(at(right + 4.0)) y2=(at(label)) {}
                }
                text class=(format!("halo {}", way.class)) x=(at(right + 6.0)) y=(at(label + 3.5)) { (way.label) }
            }
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
