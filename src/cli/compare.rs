//! `wick compare`: experiments beside each other.

use anyhow::Result;

use crate::report::answers::Answers;
use crate::report::compare::{By, compare as comparison};

use super::arguments::Compare;
use super::check::width;
use super::exit::{Exit, print, say};
use super::report::answers;

/// Runs the command.
pub(super) fn compare(arguments: &Compare) -> Result<Exit> {
    let mut experiments: Vec<Answers> = Vec::new();
    for folder in &arguments.folders {
        let metric = arguments.metric.or(experiments.first().map(|first| first.measure));
        match answers(folder, metric) {
            Ok(found) => experiments.push(found),
            Err(exit) => return Ok(exit),
        }
    }
    let by = arguments.by.as_deref().map_or(By::Experiment, By::Key);
    match comparison(&experiments, by, width()) {
        Ok(text) => print(&text),
        Err(reason) => {
            say(&format!("error: {reason}\n"));
            return Ok(Exit::Wrong);
        }
    }
    Ok(Exit::Done)
}
