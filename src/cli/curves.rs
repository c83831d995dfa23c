//! `wick curves`: learning curves in the terminal.

use crate::analysis::curves::CURVES;
use crate::terminal::curves;

use super::arguments::Curves;
use super::check::width;
use super::error::{Error, Result};
use super::output::print;
use super::report::answers;

/// Runs the command.
pub(super) fn curves(arguments: &Curves) -> Result {
    let answers = answers(&arguments.folder, None)?;
    let place = |name: &str| CURVES.iter().position(|score| *score == name);
    let count = usize::from(arguments.settings);
    let draw = |score: usize| curves::curves(&answers, score, count, width());
    let drawn: Vec<String> = match arguments.metric {
        Some(metric) => match place(&metric.name()) {
            Some(score) => vec![draw(score)],
            None => {
                return Err(Error::wrong(format!(
                    "{} has no value for each epoch: choose one of {}",
                    metric.name(),
                    CURVES.join(", ")
                )));
            }
        },
        None => {
            // Indices of accuracy and loss on validation images, then on training images.
            let pairs = [[3, 2], [1, 0]].map(|pair| pair.map(draw));
            let found = pairs.into_iter().find(|pair| pair.iter().any(|text| !text.is_empty()));
            found.map_or(Vec::new(), Vec::from)
        }
    };
    let drawn: Vec<String> = drawn.into_iter().filter(|text| !text.is_empty()).collect();
    if drawn.is_empty() {
        print("no completed trial has such a curve\n");
    }
    print(&drawn.join("\n"));
    Ok(())
}
