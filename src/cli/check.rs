//! `wick check`: everything that can be known without training.

use std::fmt::Write;
use std::io::IsTerminal;

use anyhow::Result;

use crate::config::layering::load;
use crate::config::problem::Problems;
use crate::config::tree::Node;
use crate::data::Cache;
use crate::plan::memory::training_bytes;
use crate::plan::prune::Nothing;
use crate::plan::sweep::{Experiment, Trial, expand};
use crate::report::layers::{layers, number};
use crate::sweep::runner::missing;
use crate::sweep::store::Store;
use crate::sweep::survey::Files;

use super::arguments::{Check, Written};
use super::exit::{Exit, print, say};

/// Trials that are listed before the list is cut.
const LISTED: usize = 40;

/// The experiment that was asked for; or the exit code, when its problems have been told.
pub(super) fn experiment(written: &Written, images: &Cache) -> Result<(Node, Experiment), Exit> {
    let tell = |problems: Problems| {
        say(&problems.render(std::io::stderr().is_terminal()));
        Exit::Wrong
    };
    let root = load(&written.request()).map_err(tell)?;
    let experiment = expand(&root, &Files::new(images), &Nothing).map_err(tell)?;
    Ok((root, experiment))
}

/// Columns of the terminal, or of a page.
pub(super) fn width() -> usize {
    console::Term::stdout().size_checked().map_or(100, |(_, columns)| columns as usize)
}

/// Runs the command.
pub(super) fn check(arguments: &Check) -> Result<Exit> {
    let (_, experiment) = match self::experiment(&arguments.written, &Cache::new(1)) {
        Ok(found) => found,
        Err(exit) => return Ok(exit),
    };
    let store = Store::at(&arguments.written.results, &experiment.name);
    let missing = missing(&experiment, &store);
    let number = arguments.trial.unwrap_or(1);
    let Some(shown) = number.checked_sub(1).and_then(|index| experiment.trials.get(index)) else {
        say(&format!(
            "error: there is no trial {number}: they go from 1 to {}\n",
            experiment.trials.len()
        ));
        return Ok(Exit::Wrong);
    };
    print(&overview(&experiment, shown, &missing, width()));
    Ok(Exit::Done)
}

fn overview(experiment: &Experiment, shown: &Trial, missing: &[&Trial], width: usize) -> String {
    let mut text = format!("{}\n", experiment.name);
    if !experiment.description.is_empty() {
        let _ = writeln!(text, "{}", experiment.description.trim());
    }
    let _ = writeln!(text, "\nthe network of trial {}", shown.number);
    text.push_str(&layers(&shown.plan.model, width));
    let batch = shown.plan.train.batch_size;
    let _ = writeln!(
        text,
        "a training step with {batch} images needs about {} MB",
        number(training_bytes(&shown.plan.model, batch).div_ceil(1_000_000))
    );
    let others =
        experiment.trials.iter().filter(|trial| trial.plan.model != shown.plan.model).count();
    if others > 0 {
        let _ = writeln!(text, "{others} trials have other networks: see them with --trial N");
    }
    let _ = writeln!(
        text,
        "\n{} trials, {} done, {} to run",
        number(experiment.trials.len() as u64),
        number((experiment.trials.len() - missing.len()) as u64),
        number(missing.len() as u64)
    );
    if experiment.unsuggested > 0 {
        let count = number(experiment.unsuggested as u64);
        let _ = writeln!(text, "{count} more will be suggested by what these come to");
    }
    if experiment.excluded > 0 {
        let _ = writeln!(text, "{} combinations are excluded", experiment.excluded);
    }
    for trial in experiment.trials.iter().take(LISTED) {
        let _ = writeln!(text, "{}", line(experiment, trial, missing));
    }
    if experiment.trials.len() > LISTED {
        let _ = writeln!(text, "… and {} more", experiment.trials.len() - LISTED);
    }
    text
}

fn line(experiment: &Experiment, trial: &Trial, missing: &[&Trial]) -> String {
    let mut words: Vec<String> = experiment
        .axes
        .iter()
        .zip(&trial.settings)
        .map(|(axis, value)| format!("{axis} = {value}"))
        .collect();
    words.push(format!("seed {}", trial.plan.seed));
    words
        .extend(trial.plan.data.fold.map(|fold| format!("fold {} of {}", fold.index + 1, fold.of)));
    let is_missing = missing.iter().any(|other| other.number == trial.number);
    let state = if is_missing { "" } else { "  done" };
    format!("{:>5}  {}  {}{state}", trial.number, trial.digest, words.join(", "))
}
