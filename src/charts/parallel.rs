//! Parallel coordinates: settings as lines through their values of many factors to what they came to.

use maud::html;

use super::axis::Axis;
use super::chart::{Chart, at};
use super::letters::fit;

/// A vertical axis.
#[derive(Clone, Debug)]
pub struct Column {
    /// Above it.
    pub name: String,
    /// For each line, its place: a number.
    pub values: Vec<f64>,
    /// What places are called, from 0 on; empty for an axis of numbers.
    pub levels: Vec<String>,
}

const WIDTH: f64 = 760.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 270.0;

/// The chart of lines through `columns`; `classes` are their colours, the first is drawn last.
pub fn parallel(name: &str, title: &str, columns: &[Column], classes: &[String]) -> Chart {
    let gap = (WIDTH - 130.0) / columns.len().saturating_sub(1).max(1) as f64;
    let x = |column: usize| 60.0 + column as f64 * gap;
    let axes: Vec<Axis> = columns
        .iter()
        .map(|column| match column.levels.len() {
            0 => Axis::by_span(&column.values, BOTTOM, TOP + 8.0),
            1 => Axis::exact(-1.0, 1.0, BOTTOM, TOP + 8.0),
            levels => Axis::exact(0.0, (levels - 1) as f64, BOTTOM, TOP + 8.0),
        })
        .collect();
    let path = |line: usize| {
        let place = |(column, axis): (usize, &Axis)| {
            format!("{},{}", at(x(column)), at(axis.at(columns[column].values[line])))
        };
        axes.iter().enumerate().map(place).collect::<Vec<_>>().join(" ")
    };
    let body = html! {
        @for (line, class) in classes.iter().enumerate().rev() {
            @let class = if class == "rest" { class.clone() } else { format!("curve {class}") };
            polyline class=(class) data-line=(line) points=(path(line)) {}
        }
        @for (index, (column, axis)) in columns.iter().zip(&axes).enumerate() {
            @let x = x(index);
            line class="zero" x1=(at(x)) x2=(at(x)) y1=(at(TOP)) y2=(at(BOTTOM + 6.0)) {}
            // A script lets a part of the axis be chosen here.
            rect class="brush" data-axis=(index) x=(at(x - 10.0)) y=(at(TOP)) width="20" height=(at(BOTTOM + 6.0 - TOP)) {}
            text class="middle title" x=(at(x)) y=(at(TOP - 14.0)) { (fit(&column.name, gap * 0.85)) }
            @if column.levels.is_empty() {
                @for (value, text) in axis.ticks(5) {
                    text class="halo soft" x=(at(x + 6.0)) y=(at(axis.at(value) + 3.5)) { (text) }
                }
            } @else {
                // Above the lines that go straight on.
                @for (level, name) in column.levels.iter().enumerate().take(24) {
                    text class="halo soft" x=(at(x + 6.0)) y=(at(axis.at(level as f64) - 4.0)) { (fit(name, (gap * 0.9).min(116.0))) }
                }
            }
        }
    };
    Chart {
        name: name.to_owned(),
        title: title.to_owned(),
        width: WIDTH,
        height: BOTTOM + 16.0,
        body,
        legend: Vec::new(),
    }
}
