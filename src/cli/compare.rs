//! `wick compare`: experiments beside each other.

use crate::analysis::Answers;
use crate::terminal::compare::{By, compare as comparison};

use super::arguments::Compare;
use super::check::width;
use super::error::{Error, Result};
use super::output::print;
use super::report::answers;

/// Runs the command.
pub(super) fn compare(arguments: &Compare) -> Result {
    let mut experiments: Vec<Answers> = Vec::new();
    for folder in &arguments.folders {
        let metric = arguments.metric.or(experiments.first().map(|first| first.measure));
        experiments.push(answers(folder, metric)?);
    }
    let by = arguments.by.as_deref().map_or(By::Experiment, By::Key);
    print(&comparison(&experiments, by, width()).map_err(Error::wrong)?);
    Ok(())
}
