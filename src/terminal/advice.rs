//! Advice on a transfer, for a terminal: what was measured at each depth, what was tried, and what follows.

use std::fmt::Write;

use crate::plan::strategy::Learns;
use crate::sweep::advice::{Answer, Measured, SEEDS, Textbook, Tried};

use super::grid::grid;
use crate::basis::number::{count, number};

/// The advice, as text for a terminal of `width` columns.
pub fn advice(answer: &Answer, width: usize) -> String {
    let mut text = measured(answer, width);
    text.push('\n');
    text.push_str(&tried(answer, width));
    text.push('\n');
    text.push_str(&verdict(answer));
    text.push('\n');
    text.push_str(&textbook(&answer.textbook, answer.recommended()));
    text
}

fn percent(value: f64) -> String {
    format!("{:.1} %", 100.0 * value)
}

/// The table of depths.
fn measured(answer: &Answer, width: usize) -> String {
    let mut text = format!(
        "{} training images of {} classes; measured on {}\n",
        number(answer.images as u64),
        answer.classes,
        number(answer.measured as u64)
    );
    let header = ["features of", "numbers", "linear head", "centroid", "LogME", "H-score", ""];
    let mut table = grid(header.map(str::to_owned).to_vec(), 1..6, width);
    table.add_row(row(&answer.pixels.layer, &answer.pixels, ""));
    if let Some(depth) = &answer.random {
        table.add_row(row(&format!("{}, random weights", depth.layer), depth, "best at random"));
    }
    for (index, depth) in answer.depths.iter().enumerate() {
        let mark = match (index == answer.cut, index == answer.peak) {
            (true, true) => "best",
            (true, false) => "as good as the best",
            (false, true) => "best",
            (false, false) => "",
        };
        table.add_row(row(&depth.layer, depth, mark));
    }
    text.push_str(&table.trim_fmt());
    text.push_str(
        "\nlinear head: accuracy of logistic regression, 5 stratified folds, ± standard error; centroid: leave-one-out\n\
         accuracy of the nearest class mean; LogME (You et al., 2021) and H-score (Bao et al., 2019, covariance shrunk)\n",
    );
    text
}

fn row(name: &str, measured: &Measured, mark: &str) -> Vec<String> {
    vec![
        name.to_owned(),
        if measured.width == 0 { String::new() } else { number(measured.width as u64) },
        format!("{:.1} ± {:.1} %", 100.0 * measured.linear, 100.0 * measured.linear_error),
        percent(measured.centroid),
        format!("{:.3}", measured.logme),
        format!("{:.3}", measured.h_score),
        mark.to_owned(),
    ]
}

/// Of the strategies that do the same at another rate the best one is shown.
fn shown(answer: &Answer) -> Vec<usize> {
    let came = |tried: &Tried| (tried.epochs, tried.accuracy.unwrap_or(-1.0));
    let mut shown: Vec<usize> = Vec::new();
    for (index, tried) in answer.tries.iter().enumerate() {
        let same = shown
            .iter()
            .position(|other| answer.tries[*other].strategy.words() == tried.strategy.words());
        match same {
            None => shown.push(index),
            Some(place) if index == answer.chosen => shown[place] = index,
            Some(place) if shown[place] == answer.chosen => {}
            Some(place) if came(tried) > came(&answer.tries[shown[place]]) => shown[place] = index,
            Some(_) => {}
        }
    }
    // Stable: of equals the more promising one comes first.
    shown.sort_by(|a, b| {
        let [a, b] = [a, b].map(|index| &answer.tries[*index]);
        let is_last = |tried: &Tried| tried.fate == "last";
        is_last(b).cmp(&is_last(a)).then(came(b).1.total_cmp(&came(a).1))
    });
    shown
}

/// The table of strategies.
fn tried(answer: &Answer, width: usize) -> String {
    let header = ["tried", "rate", "epochs", "right", "below the best", ""];
    let mut table = grid(header.map(str::to_owned).to_vec(), 1..5, width);
    for index in shown(answer) {
        let tried = &answer.tries[index];
        let mark = match &tried.fate[..] {
            _ if index == answer.chosen => "advised",
            _ if index == answer.best => "best",
            _ if answer.tied.contains(&index) => "tied with the best",
            "dropped" => "dropped out",
            "untried" => "no room in the budget",
            "failed" => "failed",
            _ => "",
        };
        let behind = match tried.accuracy {
            Some(_) if index == answer.best => "–".to_owned(),
            Some(_) => {
                format!("{:.1} ± {:.1}", 100.0 * tried.behind, 100.0 * tried.behind_error)
            }
            None => String::new(),
        };
        table.add_row(vec![
            tried.strategy.words(),
            rate(tried.lr),
            if tried.epochs == 0 { String::new() } else { tried.epochs.to_string() },
            tried.accuracy.map_or(String::new(), percent),
            behind,
            mark.to_owned(),
        ]);
    }
    let mut text = table.trim_fmt();
    let _ = write!(
        text,
        "\nright: of the {} training images, each predicted by networks that were not trained on it, on 3 folds; \
         ± standard\n\
         error, image by image; of each strategy the best of its rates. Work: {} of what the four cases would cost\n\
         by {SEEDS} seeds, {} allowed{}\n",
        number(answer.images as u64),
        percent(answer.spent / answer.cases.max(1.0)),
        percent(answer.budget / answer.cases.max(1.0)),
        if answer.is_cut_short { "; a larger budget would show more" } else { "" },
    );
    text
}

/// A learning rate as people write it.
fn rate(lr: f64) -> String {
    if (0.001..1000.0).contains(&lr) { format!("{lr}") } else { format!("{lr:e}") }
}

/// What is recommended, how sure that is, and as what it is written.
fn verdict(answer: &Answer) -> String {
    let chosen = answer.recommended();
    let best = &answer.tries[answer.best];
    let mut text = format!("advised: {}, rate {}", chosen.strategy.words(), rate(chosen.lr));
    let Some(accuracy) = chosen.accuracy else {
        text.push_str(
            "\n- no strategy fits into the budget: this is the best one by the measures\n",
        );
        return text + &settings(chosen, answer.epochs);
    };
    let others = answer.tied.len();
    let _ = writeln!(
        text,
        ", {} epochs: {} right after {}",
        answer.epochs,
        percent(accuracy),
        chosen.epochs
    );
    let _ = match (others, answer.chosen == answer.best) {
        (0, _) => writeln!(
            text,
            "- of the strategies tried to the end, all others are worse by more than a standard error"
        ),
        (_, true) => writeln!(
            text,
            "- it is the best; {others} others are tied with it, and none of them is cheaper",
        ),
        (_, false) => writeln!(
            text,
            "- nothing can be told apart: {} at rate {} was right on {}, {:.1} ± {:.1} points more, and the \
             advice is the cheapest\n  \
             of {} that are within a standard error",
            best.strategy.words(),
            rate(best.lr),
            percent(best.accuracy.unwrap_or(0.0)),
            100.0 * chosen.behind,
            100.0 * chosen.behind_error,
            others + 1
        ),
    };
    let from_scratch = answer.tries.iter().filter(|it| it.strategy.learns == Learns::Anew);
    if let Some(anew) = from_scratch.filter(|it| it.accuracy.is_some()).max_by_key(|it| it.epochs) {
        let _ = writeln!(
            text,
            "- from scratch it was {} after {}",
            percent(anew.accuracy.unwrap_or(0.0)),
            count(anew.epochs, "epoch")
        );
    }
    text + &settings(chosen, answer.epochs)
}

/// As the file writes it.
fn settings(chosen: &Tried, epochs: usize) -> String {
    let mut text = "\n  [transfer]\n".to_owned();
    for (key, value) in chosen.strategy.transfer() {
        let _ = writeln!(text, "  {key} = {value}");
    }
    let _ = writeln!(text, "\n  [train]\n  epochs = {epochs}");
    let _ = writeln!(text, "  # optimizer: lr = {}", rate(chosen.lr));
    text
}

/// The nearest case, and what the textbook would have said.
fn textbook(textbook: &Textbook, chosen: &Tried) -> String {
    let mut text = format!(
        "nearest of the four cases: {}; the textbook's rule gives {}: {} ({}), {} with a score of {:.2} of 1 ({})\n",
        chosen.strategy.case().name(),
        textbook.case,
        if textbook.is_large { "large" } else { "small" },
        textbook.size_confidence,
        if textbook.is_similar { "similar" } else { "different" },
        textbook.similarity,
        textbook.similarity_confidence,
    );
    for reason in &textbook.reasons {
        let _ = writeln!(text, "- {reason}");
    }
    text
}
