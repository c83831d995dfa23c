//! Images as points in two dimensions, with their classes and the mistakes among them.

use maud::{Markup, html};

use super::chart::{COLOURS, Chart, at};
use super::letters::{fit, width};

/// An image.
#[derive(Clone, Debug)]
pub struct Point {
    /// Across and up.
    pub at: [f64; 2],
    /// Its class, counted from 0.
    pub class: usize,
    /// Whether the network takes it for another class.
    pub is_mistake: bool,
    /// What is said of it when it is pointed at.
    pub title: String,
}

const SIDE: f64 = 420.0;
const ROOM: f64 = 14.0;
const BOTTOM: f64 = 36.0;
const MARK: f64 = 2.6;
/// A class of fewer points has no name beside them, where there are many classes.
const MOST_NAMES: usize = 40;

/// The chart of `points`; `axes` are said below and at the left. Both axes have the same scale. The name of each class
/// stands at the median of its points.
pub fn embedding(
    name: &str,
    title: &str,
    axes: [&str; 2],
    classes: &[String],
    points: &[Point],
) -> Chart {
    let range = |axis: usize| {
        let all = points.iter().map(|point| point.at[axis]).filter(|place| place.is_finite());
        all.fold([f64::INFINITY, f64::NEG_INFINITY], |[least, greatest], place| {
            [least.min(place), greatest.max(place)]
        })
    };
    let ranges = [range(0), range(1)];
    let span = ranges.iter().map(|[least, greatest]| greatest - least).fold(0.0, f64::max);
    let span = if span > 0.0 && span.is_finite() { span } else { 1.0 };
    let place = |point: &[f64; 2]| {
        let part = |axis: usize| {
            let [least, greatest] = ranges[axis];
            (point[axis] - (least + greatest) / 2.0) / span + 0.5
        };
        let inner = SIDE - 2.0 * ROOM;
        [ROOM + part(0) * inner, ROOM + (1.0 - part(1)) * inner]
    };
    let colour = |class: usize| format!("s{}", class % COLOURS);
    let names = labels(classes, points, &place);
    let mistakes = points.iter().filter(|point| point.is_mistake).count();
    let body = html! {
        rect class="grid" x="0.5" y="0.5" width=(at(SIDE - 1.0)) height=(at(SIDE - 1.0)) {}
        @for point in points.iter().filter(|point| !point.is_mistake) {
            (mark(place(&point.at), point, &colour(point.class)))
        }
        @for point in points.iter().filter(|point| point.is_mistake) {
            @let [x, y] = place(&point.at);
            (mark([x, y], point, &colour(point.class)))
            circle class="ring" cx=(at(x)) cy=(at(y)) r=(at(MARK + 2.2)) {}
        }
        @for (class, label, [x, y]) in &names {
            text class=(format!("halo middle {}", colour(*class))) x=(at(*x)) y=(at(*y)) font-weight="600" { (label) }
        }
        text class="soft middle" x=(at(SIDE / 2.0)) y=(at(SIDE + 16.0)) { (axes[0]) " →" }
        text class="soft middle" x=(at(SIDE / 2.0)) y=(at(SIDE + 30.0)) { (axes[1]) " ↑" }
    };
    let title = match mistakes {
        0 => title.to_owned(),
        _ => format!("{title}. Rings are mistakes ({mistakes})"),
    };
    Chart {
        name: name.to_owned(),
        title,
        width: SIDE,
        height: SIDE + BOTTOM,
        body,
        legend: Vec::new(),
    }
}

/// A point in the colour of its class. Of more classes than colours, the next ones have other shapes.
fn mark([x, y]: [f64; 2], point: &Point, colour: &str) -> Markup {
    let class = format!("dot {colour}");
    let r = MARK;
    html! {
        @match point.class / COLOURS % 3 {
            0 => circle class=(class) cx=(at(x)) cy=(at(y)) r=(at(r)) { title { (point.title) } },
            1 => rect class=(class) x=(at(x - 0.9 * r)) y=(at(y - 0.9 * r)) width=(at(1.8 * r)) height=(at(1.8 * r)) { title { (point.title) } },
            _ => polygon class=(class) points=(format!("{},{} {},{} {},{}", at(x), at(y - 1.3 * r), at(x - 1.2 * r), at(y + r), at(x + 1.2 * r), at(y + r))) { title { (point.title) } },
        }
    }
}

/// The name of each class and where it stands: at the median of its points, or a little above or below where another
/// name is in the way.
fn labels(
    classes: &[String],
    points: &[Point],
    place: &dyn Fn(&[f64; 2]) -> [f64; 2],
) -> Vec<(usize, String, [f64; 2])> {
    const HEIGHT: f64 = 12.0;
    let mut taken: Vec<[f64; 4]> = Vec::new();
    let mut labels = Vec::new();
    for (class, words) in classes.iter().enumerate().take(MOST_NAMES) {
        let own = || points.iter().filter(|point| point.class == class);
        let middle = |axis: usize| {
            let mut along: Vec<f64> = own().map(|point| place(&point.at)[axis]).collect();
            along.sort_by(f64::total_cmp);
            along.get(along.len() / 2).copied()
        };
        let (Some(x), Some(y)) = (middle(0), middle(1)) else { continue };
        let words = fit(words, 110.0);
        let half = width(&words) / 2.0;
        let x = x.clamp(half + 2.0, SIDE - half - 2.0);
        let room = |y: f64| [x - half, y - HEIGHT + 2.0, x + half, y + 2.0];
        let meets =
            |a: &[f64; 4], b: &[f64; 4]| a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
        let moves = (0..12).flat_map(|step| [f64::from(step) * 7.0, f64::from(step) * -7.0]);
        let found = moves.map(|by| (y + by).clamp(HEIGHT, SIDE - 4.0)).find(|y| {
            let own = room(*y);
            !taken.iter().any(|other| meets(&own, other))
        });
        let Some(y) = found else { continue };
        taken.push(room(y));
        labels.push((class, words, [x, y]));
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charts::PlotFormat;

    #[test]
    fn points_have_the_colour_of_their_class_mistakes_a_ring_and_axes_the_same_scale() {
        let point = |x: f64, y: f64, class: usize, is_mistake: bool| Point {
            at: [x, y],
            class,
            is_mistake,
            title: format!("<{class}>"),
        };
        let classes: Vec<String> =
            ["cat", "d&g", "c3", "c4", "c5", "c6", "c7"].map(str::to_owned).to_vec();
        let points =
            [point(0.0, 0.0, 0, false), point(4.0, 2.0, 1, true), point(4.0, 0.0, 6, false)];
        let chart = embedding("map", "Images", ["first", "second"], &classes, &points);
        let text = chart.body.0.clone();
        assert_eq!(text.matches("class=\"ring\"").count(), 1);
        assert!(text.contains("class=\"dot s1\"") && text.contains("d&amp;g"), "{text}");
        // The seventh class has the first colour and another shape, and names of strangers are no markup.
        assert!(text.contains("<rect class=\"dot s0\"") && text.contains("&lt;0&gt;"), "{text}");
        // 4 across are 392 pixels, and 2 up are half of them.
        assert!(
            text.contains("cx=\"14\" cy=\"308\"") && text.contains("cx=\"406\" cy=\"112\""),
            "{text}"
        );
        assert!(chart.title.ends_with("Rings are mistakes (1)"), "{}", chart.title);
        assert!(chart.file(PlotFormat::Png, 100).unwrap().starts_with(b"\x89PNG"));
        embedding("map", "nothing", ["", ""], &classes, &[]);
    }
}
