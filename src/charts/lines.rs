//! Curves over epochs, each with a band, named where they end.

use maud::html;

use super::axis::Axis;
use super::chart::{Chart, at};
use super::letters::width;

/// A curve.
#[derive(Clone, Debug)]
pub struct Series {
    /// Said at its end; nothing is said of an empty one.
    pub label: String,
    /// Its colour: `s0` to `s5`, or `rest`.
    pub class: String,
    /// For each epoch, the least, the mean and the greatest value.
    pub points: Vec<[f64; 3]>,
}

const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 236.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 206.0;

/// The chart of `series` over the vertical range `[least, greatest]`.
pub fn lines(name: &str, title: &str, series: &[Series], range: [f64; 2]) -> Chart {
    let longest = series.iter().map(|series| width(&series.label)).fold(0.0, f64::max);
    let right = WIDTH - longest.min(120.0) - 12.0;
    let epochs = series.iter().map(|series| series.points.len()).max().unwrap_or(0);
    let y = Axis::linear(range, BOTTOM, TOP);
    let y_ticks = y.ticks(5);
    let left = 10.0 + y_ticks.iter().map(|(_, text)| width(text)).fold(0.0, f64::max);
    let x = Axis::exact(1.0, epochs.max(2) as f64, left + 4.0, right);
    let x_ticks = x.ticks(5).into_iter().filter(|(value, _)| value.fract() == 0.0);
    let place =
        |epoch: usize, value: f64| format!("{},{}", at(x.at((epoch + 1) as f64)), at(y.at(value)));
    let path = |series: &Series| {
        let places: Vec<String> = series
            .points
            .iter()
            .enumerate()
            .map(|(epoch, [_, mean, _])| place(epoch, *mean))
            .collect();
        places.join(" ")
    };
    let band = |series: &Series| {
        let up = series.points.iter().enumerate().map(|(epoch, point)| place(epoch, point[2]));
        let down =
            series.points.iter().enumerate().rev().map(|(epoch, point)| place(epoch, point[0]));
        up.chain(down).collect::<Vec<_>>().join(" ")
    };
    let labelled: Vec<&Series> = series
        .iter()
        .filter(|series| !series.label.is_empty() && !series.points.is_empty())
        .collect();
    let ends: Vec<f64> = labelled
        .iter()
        .map(|series| y.at(series.points.last().map_or(f64::NAN, |point| point[1])))
        .collect();
    let places = apart(&ends, 12.0, TOP + 4.0, BOTTOM);
    let body = html! {
        @for (value, text) in y_ticks {
            @let place = y.at(value);
            line class="grid" x1=(at(left)) x2=(at(right)) y1=(at(place)) y2=(at(place)) {}
            text class="soft end" x=(at(left - 4.0)) y=(at(place + 3.5)) { (text) }
        }
        @for (value, _) in x_ticks {
            text class="soft middle" x=(at(x.at(value))) y=(at(BOTTOM + 15.0)) { (value) }
        }
        text class="soft middle" x=(at((left + right) / 2.0)) y=(at(BOTTOM + 28.0)) { "epoch" }
        @for series in series.iter().filter(|series| series.points.len() > 1) {
            @if series.class == "rest" {
                polyline class="rest" points=(path(series)) {}
            } @else if series.points.iter().any(|[least, _, greatest]| least < greatest) {
                polygon class=(format!("band {}", series.class)) points=(band(series)) {}
            }
        }
        @for series in series.iter().rev().filter(|series| series.class != "rest") {
            @if let [[_, mean, _]] = series.points[..] {
                circle class=(format!("dot {}", series.class)) cx=(at(x.at(1.0))) cy=(at(y.at(mean))) r="3" {}
            } @else {
                polyline class=(format!("curve {}", series.class)) points=(path(series)) {}
            }
        }
        @for ((series, end), place) in labelled.iter().zip(&ends).zip(places) {
            @let edge = x.at(series.points.len() as f64);
            @if (place - end).abs() > 6.0 {
                line class="grid" x1=(at(edge + 1.0)) y1=(at(*end)) x2=(at(edge + 6.0)) y2=(at(place)) {}
            }
            text class=(format!("halo {}", series.class)) x=(at(edge + 8.0)) y=(at(place + 3.5)) { (series.label) }
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

/// Places near `wanted` that are `gap` apart from each other, between `top` and `bottom` while there is
/// room.
pub(super) fn apart(wanted: &[f64], gap: f64, top: f64, bottom: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
    let mut places = vec![0.0; wanted.len()];
    let mut least = top;
    for index in &order {
        places[*index] = wanted[*index].max(least);
        least = places[*index] + gap;
    }
    let mut most = bottom.max(top + gap * wanted.len().saturating_sub(1) as f64);
    for index in order.iter().rev() {
        places[*index] = places[*index].min(most);
        most = places[*index] - gap;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::apart;

    #[test]
    fn labels_that_would_overlap_are_moved_apart_and_stay_inside() {
        assert_eq!(apart(&[10.0, 50.0], 12.0, 0.0, 100.0), [10.0, 50.0]);
        assert_eq!(apart(&[50.0, 50.0, 51.0], 12.0, 0.0, 100.0), [50.0, 62.0, 74.0]);
        assert_eq!(apart(&[99.0, 98.0], 12.0, 0.0, 100.0), [100.0, 88.0]);
    }
}
