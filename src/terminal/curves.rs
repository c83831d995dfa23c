//! Learning curves in the terminal: dots of Braille, a letter for each setting.

mod braille;

use std::fmt::Write;

use crate::analysis::curves::{CURVES, curve};
use crate::analysis::{Answers, Setting};
use crate::charts::axis::Axis;

use braille::Canvas;

/// Rows of a plot.
const HEIGHT: usize = 14;
/// Columns for the numbers on the left.
const LEFT: usize = 9;

/// The curves of the score with index `score` in [`CURVES`] for the best `count` settings, `width`
/// columns wide; empty if there are none.
pub fn curves(answers: &Answers, score: usize, count: usize, width: usize) -> String {
    let ranked = answers.settings.iter().filter(|setting| setting.estimate.is_some());
    let found: Vec<(char, &Setting, Vec<f64>)> = ('a'..='z')
        .zip(ranked.take(count))
        .filter_map(|(letter, setting)| {
            let points = curve(answers, setting, score)?.points;
            Some((letter, setting, points.into_iter().map(|[_, mean, _]| mean).collect()))
        })
        .collect();
    let epochs = found.iter().map(|(.., means)| means.len()).max().unwrap_or(0);
    if epochs == 0 {
        return String::new();
    }
    let columns = width.clamp(40, 160) - LEFT - 3;
    let dots = ((columns * 2 - 1) as f64, (HEIGHT * 4 - 1) as f64);
    let values = || found.iter().flat_map(|(.., means)| means.iter().copied());
    let y = Axis::linear(values(), dots.1, 0.0);
    let x = Axis::exact(1.0, epochs.max(2) as f64, 0.0, dots.0);
    let mut canvas = Canvas::new(columns, HEIGHT);
    for (.., means) in &found {
        let places: Vec<(f64, f64)> = means
            .iter()
            .enumerate()
            .map(|(epoch, mean)| (x.at((epoch + 1) as f64), y.at(*mean)))
            .collect();
        canvas.line(&places);
    }
    // Letters stand where curves end; one that would cover another moves down, or up at the bottom.
    let mut taken = [None; HEIGHT];
    for (letter, _, means) in &found {
        let row = (y.at(means[means.len() - 1]) / 4.0) as usize;
        let order = (row..HEIGHT).chain((0..row).rev());
        if let Some(free) = order.into_iter().find(|row| taken[*row].is_none()) {
            taken[free] = Some(*letter);
        }
    }
    let mut text = format!("{}\n", CURVES[score]);
    let is_part = CURVES[score].ends_with("accuracy");
    let labels: Vec<(usize, f64)> =
        y.ticks(5).iter().map(|(value, _)| ((y.at(*value) / 4.0) as usize, *value)).collect();
    for (row, line) in canvas.rows().enumerate() {
        let label =
            labels.iter().find(|(place, _)| *place == row).map(|(_, value)| match is_part {
                true => format!("{:.1} %", 100.0 * value),
                false => format!("{value:.3}"),
            });
        let end = taken[row].map_or(String::new(), |letter| format!(" {letter}"));
        let line = format!("{:>LEFT$} {line}{end}", label.unwrap_or_default());
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let last = epochs.to_string();
    let _ = writeln!(text, "{:>LEFT$} epoch 1{:>rest$}", "", last, rest = columns - 7);
    for (letter, setting, means) in &found {
        let last = means[means.len() - 1];
        let value = if is_part { format!("{:.2} %", 100.0 * last) } else { format!("{last:.4}") };
        let _ = writeln!(text, "  {letter}  {value:>8}  {}", setting.label);
    }
    text
}
