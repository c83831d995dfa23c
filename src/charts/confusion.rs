//! A confusion matrix: what is right in one colour, what is wrong in another.

use maud::html;

use super::chart::{Chart, at};
use super::letters::{fit, width};

/// Classes up to which cells say their counts.
const COUNTED: usize = 16;
/// Classes up to which rows and columns have names.
const NAMED: usize = 48;

/// The chart of `counts`, rows of true classes and columns of predicted ones. Each cell that is not
/// empty carries `data-cell="row-column"`.
pub fn confusion(name: &str, title: &str, classes: &[String], counts: &[Vec<u64>]) -> Chart {
    let many = classes.len();
    let is_named = many <= NAMED;
    let wide: f64 = if many <= 20 { 460.0 } else { 760.0 };
    let names: Vec<String> = classes.iter().map(|class| fit(class, 92.0)).collect();
    let longest = names.iter().map(|name| width(name)).fold(0.0, f64::max);
    let left = if is_named { longest.max(width("true ↓")) + 10.0 } else { 22.0 };
    // What is turned reaches beyond its column.
    let right = if is_named { 8.0 + 0.6 * longest } else { 4.0 };
    let cell = ((wide - left - right) / many as f64).min(64.0);
    let height = if many <= COUNTED { cell.min(34.0) } else { cell };
    let turned = longest > cell - 2.0;
    let head = match (is_named, turned) {
        (false, _) => 20.0,
        (true, false) => 34.0,
        (true, true) => 24.0 + longest * 0.85,
    };
    let small = if cell < 13.0 { "font-size:7px" } else { "" };
    // The rarest mistake is still to be seen.
    let shade = |part: f64| 0.08 + 0.92 * part.sqrt();
    let body = html! {
        text class="soft" x=(at(left)) y="12" { "predicted →" }
        text class="soft" transform=(format!("translate(10,{}) rotate(-90)", at(head + many as f64 * height))) {
            @if !is_named { "true →" }
        }
        @if is_named {
            text class="soft end" x=(at(left - 6.0)) y=(at(head - 6.0)) { "true ↓" }
            @for (class, name) in names.iter().enumerate() {
                @let x = left + (class as f64 + 0.5) * cell;
                @let y = head + (class as f64 + 0.5) * height;
                text class="end" style=(small) x=(at(left - 6.0)) y=(at(y + if cell < 13.0 { 2.5 } else { 4.0 })) { (name) title { (classes[class]) } }
                @if turned {
                    text style=(small) transform=(format!("translate({},{}) rotate(-55)", at(x + 3.0), at(head - 5.0))) { (name) }
                } @else {
                    text class="middle" x=(at(x)) y=(at(head - 6.0)) { (name) }
                }
            }
        }
        rect class="grid" x=(at(left)) y=(at(head)) width=(at(cell * many as f64)) height=(at(height * many as f64)) {}
        // Where cells are small, lines lead from a name to its cell.
        @if many > COUNTED {
            @let every = if is_named { 1 } else { 10 };
            @for class in (every..many).step_by(every) {
                @let (x, y) = (left + class as f64 * cell, head + class as f64 * height);
                @let weight = if class % 5 == 0 { "grid" } else { "grid faint" };
                line class=(weight) x1=(at(left)) x2=(at(left + cell * many as f64)) y1=(at(y)) y2=(at(y)) {}
                line class=(weight) x1=(at(x)) x2=(at(x)) y1=(at(head)) y2=(at(head + height * many as f64)) {}
            }
        }
        @for (row, counts) in counts.iter().enumerate() {
            @let images: u64 = counts.iter().sum();
            @for (column, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                @let part = *count as f64 / images as f64;
                @let shade = shade(part);
                @let (x, y) = (left + column as f64 * cell, head + row as f64 * height);
                @let class = match (row == column, many <= COUNTED) {
                    (true, true) => "heat cell",
                    (true, false) => "heat",
                    (false, true) => "wrong cell",
                    (false, false) => "wrong",
                };
                rect class=(class) data-cell=(format!("{row}-{column}")) fill-opacity=(format!("{shade:.2}")) x=(at(x)) y=(at(y)) width=(at(cell)) height=(at(height)) {
                    @if many <= NAMED {
                        title { (classes[row]) " taken for " (classes[column]) ": " (count) " of " (images) }
                    }
                }
                @if many <= COUNTED {
                    text class=(if shade > 0.6 { "middle on" } else { "middle" }) x=(at(x + cell / 2.0)) y=(at(y + height / 2.0 + 4.0)) pointer-events="none" { (count) }
                }
            }
        }
    };
    Chart {
        name: name.to_owned(),
        title: title.to_owned(),
        width: wide,
        height: head + many as f64 * height + 6.0,
        body,
        legend: Vec::new(),
    }
}
