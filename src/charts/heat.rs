//! A table of numbers as shades: one factor down, another across.

use maud::html;

use super::chart::{Chart, at};
use super::letters::{fit, width};

/// A cell of the map.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Its number.
    pub value: f64,
    /// What is written in it.
    pub words: String,
    /// What is said of it beside.
    pub title: String,
}

const WIDTH: f64 = 400.0;
/// Room for a level's name.
const NAME: f64 = 116.0;

/// The chart of `cells` by row and column. Less is darker where `less_is_better`.
pub fn heat(
    name: &str,
    title: &str,
    [down, across]: [&str; 2],
    rows: &[String],
    columns: &[String],
    cells: &[Vec<Option<Cell>>],
    less_is_better: bool,
) -> Chart {
    let [rows, columns] =
        [rows, columns].map(|names| names.iter().map(|name| fit(name, NAME)).collect::<Vec<_>>());
    let down = format!("{} ↓", fit(down, NAME));
    let left = 12.0 + rows.iter().map(|row| width(row)).fold(width(&down), f64::max);
    // What is turned reaches beyond its column.
    let longest = columns.iter().map(|column| width(column)).fold(0.0, f64::max);
    let cell = |right: f64| ((WIDTH - left - right) / columns.len() as f64).min(96.0);
    let turned = longest > cell(40.0) - 4.0;
    let cell = cell(if turned { (0.65 * longest).max(40.0) } else { 40.0 });
    let height = (cell * 0.55).clamp(22.0, 40.0);
    let head = if turned { 24.0 + longest * 0.8 } else { 36.0 };
    let values: Vec<f64> = cells.iter().flatten().flatten().map(|cell| cell.value).collect();
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let shade = |value: f64| {
        let part = if greatest > least { (value - least) / (greatest - least) } else { 0.5 };
        0.06 + 0.94 * if less_is_better { 1.0 - part } else { part }
    };
    let most = cells.iter().flatten().flatten().map(|cell| width(&cell.words)).fold(0.0, f64::max);
    let has_words = most < cell - 2.0;
    let body = html! {
        text class="soft" x=(at(left)) y="12" { (across) " →" }
        text class="soft end" x=(at(left - 6.0)) y=(at(head - 6.0)) { (down) }
        @for (column, name) in columns.iter().enumerate() {
            @let x = left + (column as f64 + 0.5) * cell;
            @if turned {
                text transform=(format!("translate({},{}) rotate(-50)", at(x + 2.0), at(head - 5.0))) { (name) }
            } @else {
                text class="middle" x=(at(x)) y=(at(head - 6.0)) { (name) }
            }
        }
        @for (row, name) in rows.iter().enumerate() {
            @let y = head + row as f64 * height;
            text class="end" x=(at(left - 6.0)) y=(at(y + height / 2.0 + 4.0)) { (name) }
            @for (column, found) in cells[row].iter().enumerate() {
                @if let Some(found) = found {
                    @let shade = shade(found.value);
                    @let x = left + column as f64 * cell;
                    rect class="heat cell" fill-opacity=(format!("{shade:.2}")) x=(at(x)) y=(at(y)) width=(at(cell)) height=(at(height)) {
                        title { (found.title) }
                    }
                    @if has_words {
                        text class=(if shade > 0.55 { "middle on" } else { "middle" }) x=(at(x + cell / 2.0)) y=(at(y + height / 2.0 + 4.0)) pointer-events="none" { (found.words) }
                    }
                }
            }
        }
    };
    Chart {
        name: name.to_owned(),
        title: title.to_owned(),
        width: WIDTH,
        height: head + rows.len() as f64 * height + if turned { 8.0 } else { 4.0 },
        body,
        legend: Vec::new(),
    }
}
