//! `wick report`: what a results folder answers, as tables and as a page.

use std::path::Path;

use anyhow::Context;

use crate::analysis::{Answers, Measure};
use crate::charts::PlotFormat;
use crate::data::Cache;
use crate::export::results::{self, ExportError};
use crate::report::page;
use crate::results::hashes;
use crate::sweep::memory::hold_usually;
use crate::terminal::printed::{Format, tables};

use super::arguments::Report;
use super::check::width;
use super::error::{Error, Result};
use super::output::{print, print_data, say};

/// Pixels per inch of charts.
const DPI: u16 = 300;

/// The answers of the folder at `path`.
pub(super) fn answers(path: &Path, metric: Option<Measure>) -> Result<Answers> {
    let answers = Answers::read(path, metric).map_err(Error::wrong)?;
    tell_notes(path);
    tell_damaged(&answers);
    Ok(answers)
}

/// Says which files are not as they were written, and are left out of `answers` therefore.
pub(super) fn tell_damaged(answers: &Answers) {
    for damage in &answers.damaged {
        say(&format!("note: {damage}, and is left out: {}\n", damage.way_out()));
    }
}

/// Says what is not known of the tables of the folder at `path`.
pub(super) fn tell_notes(path: &Path) {
    for note in hashes::notes(path) {
        say(&format!("note: {note}\n"));
    }
}

/// Runs the command.
pub(super) fn report(arguments: &Report) -> Result {
    if arguments.dpi.is_some() && arguments.plot_format != PlotFormat::Png {
        return Err(Error::wrong("--dpi needs --plot-format png"));
    }
    let answers = answers(&arguments.folder, arguments.metric)?;
    let tables = tables(&answers, arguments.format, arguments.table, width());
    match arguments.format {
        Format::Terminal => print(&tables),
        _ => print_data(&tables),
    }
    if let Some(folder) = &arguments.plots {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("failed to make the folder {}", folder.display()))?;
        let dpi = arguments.dpi.unwrap_or(DPI);
        let charts = page::write_charts(&answers, folder, arguments.plot_format, dpi)?;
        say(&format!("{} charts in {}\n", charts.len(), folder.display()));
    }
    export(&answers, arguments)?;
    let usual = || arguments.folder.join(page::FILE);
    // A table that goes to another program is no reason to touch the folder.
    let is_for_people = arguments.format == Format::Terminal
        && arguments.plots.is_none()
        && arguments.tensorboard.is_none()
        && arguments.mlflow.is_none()
        && arguments.long.is_none();
    let page = arguments.html.clone().or_else(|| is_for_people.then(usual));
    if let Some(page) = page {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let images = Cache::new(cores);
        hold_usually(&images, answers.root.parent());
        page::write(&answers, &images, &page)?;
        say(&format!("the report is {}\n", page.display()));
    }
    Ok(())
}

/// Writes results for other tools, as far as they are asked for.
fn export(answers: &Answers, arguments: &Report) -> Result {
    let mut said = Vec::new();
    let mut write = || -> Result<(), ExportError> {
        if let Some(folder) = &arguments.tensorboard {
            let runs = results::tensorboard(answers, folder)?;
            said.push(format!("{runs} runs for TensorBoard in {}", folder.display()));
        }
        if let Some(folder) = &arguments.mlflow {
            let runs = results::mlflow(answers, folder)?;
            said.push(format!("{runs} runs for MLflow in {}", folder.display()));
        }
        if let Some((path, ending)) = &arguments.long {
            let rows = results::long(answers, path, *ending)?;
            said.push(format!("{rows} rows in {}", path.display()));
        }
        Ok(())
    };
    let result = write();
    said.iter().for_each(|line| say(&format!("{line}\n")));
    result.map_err(|error| match error {
        ExportError::File { .. } => error.into(),
        error => Error::wrong(error),
    })
}
