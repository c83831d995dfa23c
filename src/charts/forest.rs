//! Differences with their intervals, one below the other, beside the line of no difference.

use maud::html;

use super::axis::Axis;
use super::chart::{Chart, at};
use super::letters::{fit, width};

/// A difference.
#[derive(Clone, Debug)]
pub struct Row {
    /// What is compared.
    pub label: String,
    /// The numbers in words.
    pub words: String,
    /// The mean.
    pub mean: f64,
    /// Half the width of its interval; none for one pair.
    pub half_width: Option<f64>,
    /// Whether it is significant.
    pub is_strong: bool,
}

const WIDTH: f64 = 400.0;
/// From where a row's words stand to its interval.
const ROW: f64 = 38.0;
/// The height of one more line.
const LINE: f64 = 14.0;
const LEFT: f64 = 8.0;
const RIGHT: f64 = 392.0;

/// The chart of `rows`; `unit` is said below the axis.
pub fn forest(name: &str, title: &str, rows: &[Row], unit: &str) -> Chart {
    let reach = rows.iter().flat_map(|row| {
        let half = row.half_width.unwrap_or(0.0);
        [row.mean - half, row.mean + half]
    });
    // An interval of two seeds may be so wide that nothing else could be seen.
    let widest = rows.iter().map(|row| row.mean.abs()).fold(0.0, f64::max) * 4.0;
    let reach = reach.map(|value| if widest > 0.0 { value.clamp(-widest, widest) } else { value });
    let x = Axis::linear(reach.chain([0.0]), LEFT, RIGHT);
    // Words that do not fit beside each other stand below each other.
    let meet = |row: &Row| width(&row.label) + width(&row.words) > RIGHT - LEFT - 12.0;
    let in_two_lines = rows.iter().any(meet);
    let head = if in_two_lines { LINE } else { 0.0 };
    let row_height = ROW + head;
    let bottom = 4.0 + rows.len() as f64 * row_height;
    let zero = x.at(0.0);
    let body = html! {
        @for (value, text) in x.ticks(6) {
            @let place = x.at(value);
            // Below each row's words, so that they are not crossed out.
            @for row in 0..rows.len() {
                @let y = 4.0 + head + row as f64 * row_height;
                line class="grid" x1=(at(place)) x2=(at(place)) y1=(at(y + 19.0)) y2=(at(y + 33.0)) {}
            }
            text class="soft middle" x=(at(place.clamp(14.0, WIDTH - 14.0))) y=(at(bottom + 14.0)) { (text) }
        }
        text class="soft middle" x=(at((LEFT + RIGHT) / 2.0)) y=(at(bottom + 29.0)) { (unit) }
        @for (index, row) in rows.iter().enumerate() {
            @let y = 4.0 + head + index as f64 * row_height;
            line class="zero" x1=(at(zero)) x2=(at(zero)) y1=(at(y + 17.0)) y2=(at(y + 35.0)) {}
            @let weak = if row.is_strong { "" } else { " weak" };
            text class="halo" x=(at(LEFT)) y=(at(y + 13.0 - head)) { (fit(&row.label, RIGHT - LEFT)) title { (row.label) } }
            @if in_two_lines {
                text class="halo soft" x=(at(LEFT)) y=(at(y + 13.0)) { (row.words) }
            } @else {
                text class="halo end" x=(at(RIGHT)) y=(at(y + 13.0)) { (row.words) }
            }
            @if let Some(half) = row.half_width {
                line class=(format!("whisker{weak}")) x1=(at(x.at(row.mean - half))) x2=(at(x.at(row.mean + half))) y1=(at(y + 26.0)) y2=(at(y + 26.0)) {}
            }
            circle class=(format!("point{weak}")) cx=(at(x.at(row.mean))) cy=(at(y + 26.0)) r="4" {}
        }
    };
    Chart {
        name: name.to_owned(),
        title: title.to_owned(),
        width: WIDTH,
        height: bottom + 36.0,
        body,
        legend: Vec::new(),
    }
}
